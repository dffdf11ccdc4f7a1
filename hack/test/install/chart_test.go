// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

var update = flag.Bool("update", false, "write the golden renderings anew")

// keepCRDs is the only thing that the chart adds to an object of config/default.
const keepCRDs = "helm.sh/resource-policy"

// oldest is the first Kubernetes that is supported.
const oldest = "v1.31.0"

// helmCommand is helm with nothing of the caller's: neither repositories nor plugins.
func helmCommand(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	home := t.TempDir()
	cmd := exec.CommandContext(ctx, tool(t, "helm", "helm.sh/helm/v3"), args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	return cmd
}

// render is what helm makes of the chart with values.
func render(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return attempt(helmCommand(t.Context(), t, append([]string{
		"template", "image-catalog", chart, "--namespace", namespace, "--kube-version", oldest,
	}, args...)...), nil)
}

// valueSets are the files of values that the chart is tested with, by name.
func valueSets(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(chart + "/ci/*-values.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("there are %d sets of values: %v", len(files), err)
	}
	sets := map[string]string{}
	for _, file := range files {
		sets[strings.TrimSuffix(filepath.Base(file), "-values.yaml")] = file
	}
	return sets
}

func TestTheChartRendersWhatConfigDefaultHas(t *testing.T) {
	makeTarget(t, nil, "installer", "IMG=ghcr.io/image-catalog/image-catalog-operator:dev")
	shipped, err := os.ReadFile(root + "/dist/install.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := render(t)
	if err != nil {
		t.Fatal(err)
	}
	want, got := byKey(t, parse(t, string(shipped))), byKey(t, parse(t, text))

	// Helm keeps a release's own records in the namespace, so the namespace is there before the release.
	const before = "Namespace /" + namespace
	if want[before] == nil {
		t.Errorf("config/default has no %s", before)
	}
	delete(want, before)

	for name, object := range got {
		o := unstructured.Unstructured{Object: object}
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		annotations := o.GetAnnotations()
		if annotations[keepCRDs] != "keep" {
			t.Errorf("%s would be deleted with the release, and the catalogue with it", name)
		}
		delete(annotations, keepCRDs)
		o.SetAnnotations(annotations)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config/default (-) and the chart (+) differ:\n%s", diff)
	}
}

func byKey(t *testing.T, objects []*unstructured.Unstructured) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for _, o := range objects {
		if out[key(o)] != nil {
			t.Errorf("%s is there twice", key(o))
		}
		out[key(o)] = o.Object
	}
	return out
}

// The golden files show in a review what a change of a template does. They leave out the CRDs, which config/crd shows.
func TestRenderingsAreTheGoldenOnes(t *testing.T) {
	for name, file := range valueSets(t) {
		text, err := render(t, "--values", file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got strings.Builder
		for _, o := range parse(t, text) {
			if o.GetKind() == "CustomResourceDefinition" {
				continue
			}
			document, err := yaml.Marshal(o.Object)
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString("---\n" + string(document))
		}
		golden := filepath.Join("testdata", name+".yaml")
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Errorf("%v: run go test ./install -run %s -update in hack/test", err, t.Name())
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-) and the rendering (+) differ; if that is meant, run go test ./install -run %s -update in hack/test:\n%s", golden, t.Name(), diff)
		}
	}
}

// The API server knows neither the Prometheus operator's kinds nor a kubelet; what it judges by is the least that lets a ServiceMonitor in.
const serviceMonitors = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: servicemonitors.monitoring.coreos.com
  annotations: {api-approved.kubernetes.io: "https://github.com/prometheus-operator/prometheus-operator"}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: ServiceMonitor, listKind: ServiceMonitorList, plural: servicemonitors, singular: servicemonitor}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

func TestTheAPIServerTakesEveryRendering(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Empty: true, WithoutControllers: true, WithoutAudit: true})
	c.Apply(serviceMonitors)
	c.Apply(`{apiVersion: v1, kind: Namespace, metadata: {name: image-catalog-system, labels: {pod-security.kubernetes.io/enforce: restricted}}}`)
	c.Kubectl("", "wait", "--for=condition=Established", "crd/servicemonitors.monitoring.coreos.com")
	for name, file := range valueSets(t) {
		text, err := render(t, "--values", file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		objects := parse(t, text)
		for _, o := range objects {
			if err := c.Client.Create(c.Context(), o.DeepCopy(), client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
				t.Errorf("%s: %s: %v", name, key(o), err)
			}
		}
		if err := admit(c, deployment(t, objects)); err != nil {
			t.Errorf("%s: its pod is refused where the Pod Security Standard restricted is enforced: %v", name, err)
		}
	}
}

// admit asks the API server to take the pod of a Deployment.
func admit(c *cluster.Cluster, deployment *unstructured.Unstructured) error {
	template, _, err := unstructured.NestedMap(deployment.Object, "spec", "template")
	if err != nil {
		return err
	}
	pod := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, pod); err != nil {
		return err
	}
	pod.Namespace, pod.Name = namespace, "manager"
	pod.Spec.ServiceAccountName = "" // that of the chart is not there, this being a rehearsal
	pod.Spec.AutomountServiceAccountToken = new(false)
	return c.Client.Create(c.Context(), pod, client.DryRunAll)
}

// A misspelt argument would be found by the first pod that crashes.
func TestTheManagerHasEveryFlagOfTheChart(t *testing.T) {
	makeTarget(t, nil, "build")
	usage, _ := exec.CommandContext(t.Context(), root+"/bin/manager", "-help").CombinedOutput()
	flags := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllSubmatch(usage, -1) {
		flags[string(found[1])] = true
	}
	if len(flags) < 10 {
		t.Fatalf("the manager's -help shows only %d flags", len(flags))
	}
	for name, file := range valueSets(t) {
		text, err := render(t, "--values", file)
		if err != nil {
			t.Fatal(err)
		}
		for _, argument := range arguments(t, deployment(t, parse(t, text))) {
			flag, _, _ := strings.Cut(strings.TrimPrefix(argument, "--"), "=")
			if !flags[flag] {
				t.Errorf("%s has the argument %s, and the manager has no such flag", name, argument)
			}
		}
	}
}

// container is the manager's in a Deployment.
func container(t *testing.T, deployment *unstructured.Unstructured) corev1.Container {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		t.Fatalf("the Deployment has %d containers: %v", len(containers), err)
	}
	var found corev1.Container
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(containers[0].(map[string]any), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

func arguments(t *testing.T, deployment *unstructured.Unstructured) []string {
	t.Helper()
	return container(t, deployment).Args
}

func TestValuesThatCannotWorkAreRefused(t *testing.T) {
	for what, tc := range map[string]struct{ value, want string }{
		"a misspelt value":             {"replica=3", "replica"},
		"no replica":                   {"replicas=0", "replicas"},
		"an unknown kind of identity":  {"defaultCredentials=profile", "defaultCredentials"},
		"an endpoint with a path":      {"cloud.cvmEndpoint=example.com/x", "cvmEndpoint"},
		"a placeholder for no region":  {"cloud.cvmEndpoint=cvm.{zone}.example.com", "cvmEndpoint"},
		"more than the cloud admits":   {"cloud.qps=41", "qps"},
		"a digest that is none":        {"image.digest=latest", "digest"},
		"an argument that is no flag":  {"args[0]=leader-elect", "args"},
		"a limit that Go can't read":   {"goMemLimit=460Mi", "goMemLimit"},
		"a reader without a namespace": {"rbac.metricsReaders[0].name=prometheus", "namespace"},
		"a log level that is none":     {"logLevel=warn", "logLevel"},
		"a DNS policy that is none":    {"dnsPolicy=Never", "value must be one of"},
		"an alias without a name":      {"hostAliases[0].ip=10.0.0.9", "missing property 'hostnames'"},
		"a mount without a path":       {"volumeMounts[0].name=ca", "missing property 'mountPath'"},
	} {
		if _, err := render(t, "--set", tc.value); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s (%s) is to be refused with the name %s, but: %v", what, tc.value, tc.want, err)
		}
	}
}

// Both have to be documented, since a value that nobody can find is none.
func TestTheSchemaKnowsExactlyTheValues(t *testing.T) {
	var values, schema map[string]any
	for file, into := range map[string]*map[string]any{"values.yaml": &values, "values.schema.json": &schema} {
		content, err := os.ReadFile(filepath.Join(chart, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(content, into); err != nil {
			t.Fatal(err)
		}
	}
	properties := schema["properties"].(map[string]any)
	for name := range properties {
		if _, ok := values[name]; !ok && name != "global" {
			t.Errorf("values.yaml doesn't show %s", name)
		}
	}
	for name := range values {
		if properties[name] == nil {
			t.Errorf("values.schema.json doesn't describe %s", name)
		}
	}
}

// What Artifact Hub shows as an example is to work.
func TestTheExamplesOfTheChartAreTaken(t *testing.T) {
	var metadata struct{ Annotations map[string]string }
	content, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, &metadata); err != nil {
		t.Fatal(err)
	}
	var examples []map[string]any
	if err := yaml.Unmarshal([]byte(metadata.Annotations["artifacthub.io/crdsExamples"]), &examples); err != nil || len(examples) == 0 {
		t.Fatalf("Chart.yaml has %d examples: %v", len(examples), err)
	}
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	for _, example := range examples {
		o := &unstructured.Unstructured{Object: example}
		if err := c.Client.Create(c.Context(), o, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
			t.Errorf("%s: %v", key(o), err)
		}
	}
}
