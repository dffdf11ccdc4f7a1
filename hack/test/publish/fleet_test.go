// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// The manifests of docs/fleet.md carry what the operator publishes in the hub. The engines aren't there: the test does what their
// documentation promises, with kubectl and with Go's templates.
func TestAFleetGetsTheSelectionOfTheHub(t *testing.T) {
	const hub = "fleet"
	page, err := os.ReadFile(root + "/docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	cloud := c.StartCloud("-public=false", "-private=0", "-shared=0")
	cloud.Put(region, image("img-amd00001", "x86_64", 1), image("img-arm00001", "arm", 1))
	c.Kubectl("", "create", "namespace", hub)
	c.ConsentIn(hub)
	c.StartManager(cloud, "--publish-namespaces="+hub)
	c.ApplyQuery("name: "+docsQuery, "region: "+region)

	blocks := regexp.MustCompile("(?ms)^```yaml(?: engine)?\n(.*?)^```").FindAllStringSubmatch(string(page), -1)
	var objects []map[string]any
	for _, block := range blocks {
		for document := range strings.SplitSeq(block[1], "\n---\n") {
			object := map[string]any{}
			if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
				t.Fatalf("%v:\n%s", err, document)
			}
			objects = append(objects, object)
		}
	}
	c.Kubectl(blocks[0][1], "apply", "-f", "-")
	var published *corev1.ConfigMap
	c.Eventually(func() error {
		if published = read(c, hub, docsConfigMap); published.Data["image_id_amd64"] == "" {
			return fmt.Errorf("nothing is published: %v", published.Annotations)
		}
		return nil
	})

	t.Run("Flux", func(t *testing.T) {
		cron := of(t, objects, "CronJob")
		containers, _, _ := unstructured.NestedSlice(cron, "spec", "jobTemplate", "spec", "template", "spec", "containers")
		var text string
		for _, variable := range containers[0].(map[string]any)["env"].([]any) {
			if v := variable.(map[string]any); v["name"] == "TEMPLATE" {
				text = v["value"].(string)
			}
		}
		out := c.Kubectl("", "-n", hub, "get", "configmap", docsConfigMap, "-o", "go-template="+text)
		wantCopy(t, []byte(out), published.Data)
		kustomization := of(t, objects, "Kustomization")
		if prune, _, _ := unstructured.NestedBool(kustomization, "spec", "prune"); prune {
			t.Error("an artifact without the ConfigMap would take it away in the spokes")
		}
	})
	t.Run("Open Cluster Management", func(t *testing.T) {
		templates, _, _ := unstructured.NestedSlice(of(t, objects, "Policy"), "spec", "policy-templates")
		inner, _, _ := unstructured.NestedSlice(templates[0].(map[string]any), "objectDefinition", "spec", "object-templates")
		raw, err := yaml.Marshal(inner[0].(map[string]any)["objectDefinition"])
		if err != nil {
			t.Fatal(err)
		}
		functions := template.FuncMap{"fromConfigMap": func(namespace, name, key string) string { return read(c, namespace, name).Data[key] }}
		var out bytes.Buffer
		if err := template.Must(template.New("").Delims("{{hub", "hub}}").Funcs(functions).Parse(string(raw))).Execute(&out, nil); err != nil {
			t.Fatal(err)
		}
		wantCopy(t, out.Bytes(), map[string]string{"image_id_amd64": published.Data["image_id_amd64"], "revision": published.Data["revision"]})
	})
	t.Run("Karmada", func(t *testing.T) {
		policy := of(t, objects, "PropagationPolicy")
		selectors, _, _ := unstructured.NestedSlice(policy, "spec", "resourceSelectors")
		want := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": docsConfigMap}
		if diff := cmp.Diff([]any{want}, selectors); diff != "" || policy["metadata"].(map[string]any)["namespace"] != hub {
			t.Errorf("it propagates something else (-want +got):\n%s", diff)
		}
	})
}

// of returns the object of a kind.
func of(t *testing.T, objects []map[string]any, kind string) map[string]any {
	t.Helper()
	for _, object := range objects {
		if object["kind"] == kind {
			return object
		}
	}
	t.Fatalf("docs/fleet.md has no %s", kind)
	return nil
}

// wantCopy checks the ConfigMap that a spoke gets.
func wantCopy(t *testing.T, manifest []byte, want map[string]string) {
	t.Helper()
	var got corev1.ConfigMap
	if err := yaml.UnmarshalStrict(manifest, &got); err != nil {
		t.Fatalf("%v:\n%s", err, manifest)
	}
	if diff := cmp.Diff(want, got.Data); diff != "" || got.Kind != "ConfigMap" || got.Namespace != docsNamespace || got.Name != docsConfigMap {
		t.Errorf("a spoke gets %s/%s (-want +got):\n%s", got.Namespace, got.Name, diff)
	}
}
