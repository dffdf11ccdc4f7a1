// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"errors"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/apiproxy"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// What a repository holds of a ConfigMap: no data, or a key of its own.
const (
	inGit = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"images","namespace":"team-a",
		"labels":{"imagecatalog.dev/selection-of":"nodes","reconcile.fluxcd.io/watch":"Enabled"}}}`
	inGitWithKey = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"images","namespace":"team-a",
		"labels":{"imagecatalog.dev/selection-of":"nodes"}},"data":{"image_id_amd64":"img-ingit001"}}`
)

// apply applies a manifest as a GitOps controller does: server-side, by force, as its own field manager.
func apply(c *cluster.Cluster, manager, manifest string) {
	c.Helper()
	configMap := &corev1.ConfigMap{ObjectMeta: meta(consented, "images", nil)}
	err := c.Client.Patch(c.Context(), configMap, client.RawPatch("application/apply-patch+yaml", []byte(manifest)),
		client.FieldOwner(manager), client.ForceOwnership)
	if err != nil {
		c.Fatalf("applying as %s: %v", manager, err)
	}
}

// Flux and Argo CD apply the ConfigMap again and again, each for itself. Neither takes the data away, and the operator has nothing to
// write.
func TestGitOpsControllersAndTheOperatorShareAConfigMap(t *testing.T) {
	c, cloud := start(t)
	c.StartManager(cloud, "--publish-namespaces="+consented)
	c.ApplyQuery("name: "+query, "region: "+region)
	managers := []string{"kustomize-controller", "argocd-controller"}
	for _, manager := range managers {
		apply(c, manager, inGit)
	}
	for _, id := range []string{"img-amd00001", "img-amd00002"} {
		cloud.Put(region, image(id, "x86_64", int(id[len(id)-1]-'0')))
		c.Poll(query)
		before := untilHas(c, "images", "image_id_amd64", id)
		mark := c.Mark()
		for range 5 {
			for _, manager := range managers {
				apply(c, manager, inGit)
			}
		}
		label(c, consented, "after-"+id, query)
		untilHas(c, "after-"+id, "image_id_amd64", id)
		after := read(c, consented, "images")
		if after.ResourceVersion != before.ResourceVersion {
			t.Errorf("they write against each other: %v, then %v", before, after)
		}
		if got := updatesOf(c, "images", mark); len(got) > 0 {
			t.Errorf("the operator has written %v", got)
		}
	}

	// Client-side apply, as Argo CD does by default, compares with what it applied last, which has no data either.
	c.Apply(inGit)
	if got := untilHas(c, "images", "image_id_amd64", "img-amd00002"); got.Data["image_id_arm64"] != "img-arm00001" {
		t.Errorf("kubectl apply has taken away data: %v", got.Data)
	}

	// A key in Git is Git's: to write it would be a fight without end.
	apply(c, managers[0], inGitWithKey)
	untilState(c, "images", "Not written: image_id_amd64 (applied by kustomize-controller).")
	mark := c.Mark()
	apply(c, managers[0], inGitWithKey)
	c.Poll(query)
	label(c, consented, "last", query)
	untilHas(c, "last", "image_id_amd64", "img-amd00002")
	if got := read(c, consented, "images"); got.Data["image_id_amd64"] != "img-ingit001" || len(updatesOf(c, "images", mark)) > 0 {
		t.Errorf("the operator fights for a key: %v, %v", got.Data, updatesOf(c, "images", mark))
	}
	apply(c, managers[0], inGit)
	untilHas(c, "images", "image_id_amd64", "img-amd00002")
}

// Another client writes a key of its own between the operator's read and its write. Both stay.
func TestAConflictIsReadAgain(t *testing.T) {
	c, cloud := start(t)
	proxy := apiproxy.Start(t, c.Config)
	c.StartManager(cloud, "--publish-namespaces="+consented, "--kubeconfig="+c.KubeconfigOf(cluster.ServiceAccount, proxy.Config()))
	c.ApplyQuery("name: "+query, "region: "+region)
	label(c, consented, "images", query)
	untilHas(c, "images", "image_id_amd64", "img-amd00001")

	proxy.Inject(apiproxy.Fault{Verb: "update", Resource: "configmaps", Freeze: true})
	cloud.Put(region, image("img-amd00002", "x86_64", 2))
	seen := len(proxy.Log())
	c.Poll(query)
	isWrite := func(r apiproxy.Request) bool { return r.Verb == "update" && r.Resource == "configmaps" }
	c.Eventually(func() error {
		if !slices.ContainsFunc(proxy.Log()[seen:], isWrite) {
			return errors.New("the operator has not begun to write")
		}
		return nil
	})
	c.Kubectl("", "-n", consented, "patch", "configmap", "images", "-p", `{"data":{"mine":"1","image_id_amd64":"img-byhand01"}}`)
	proxy.Heal()
	if got := untilHas(c, "images", "image_id_amd64", "img-amd00002"); got.Data["mine"] != "1" {
		t.Errorf("what another wrote meanwhile is lost: %v", got.Data)
	}
	conflicts := slices.DeleteFunc(proxy.Log(), func(r apiproxy.Request) bool { return !isWrite(r) || r.Code != 409 })
	if len(conflicts) != 1 {
		t.Errorf("there were %d conflicts, and this test is about one", len(conflicts))
	}
	if got := stateOf(read(c, consented, "images")); got != imagev1alpha1.PublishCurrent {
		t.Errorf("the publish-state is %q", got)
	}
}
