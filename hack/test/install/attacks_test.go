// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

const region = "ap-guangzhou"

// victim is a running installation: a query, the operator and the cloud, under the shipped roles and policies.
type victim struct {
	*testing.T
	*cluster.Cluster

	cloud *cluster.Cloud
	// chosen are the ids that the query selected before the attack.
	chosen []string
}

// Both the cluster and the test have these.

func (v *victim) Helper()                           { v.T.Helper() }
func (v *victim) Context() context.Context          { return v.T.Context() }
func (v *victim) Fatalf(format string, args ...any) { v.T.Helper(); v.T.Fatalf(format, args...) }

// attacked is the name of the victim's query.
const attacked = "golden-images"

func TestNobodyElseChoosesWhatMachinesBoot(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutAudit: true})
	untilEnforced(t, c)
	cloud := c.StartCloud("-public=false", "-private=0", "-shared=0")
	cloud.Put(region, cvmtest.PrivateImages(1, 6, cvmtest.DefaultCredential.UIN)...)
	c.StartManager(cloud)
	c.ApplyQuery("name: "+attacked, "region: ap-guangzhou, interval: 1h")
	v := &victim{T: t, Cluster: c, cloud: cloud, chosen: selectedIDs(c.UntilSynced(attacked))}
	if len(v.chosen) == 0 {
		t.Fatal("nothing is selected")
	}
	for name, attack := range map[string]func(*victim){
		"an editor of queries":             editorOfQueries,
		"an account with a wildcard":       wildcardAccount,
		"the garbage collector's identity": garbageCollector,
	} {
		t.Run(name, func(t *testing.T) {
			bound := *v
			bound.T, bound.Cluster = t, v.For(t)
			attack(&bound)
			bound.unharmed()
		})
	}
}

// unharmed fails unless the query's selection is unchanged and it is Ready.
func (v *victim) unharmed() {
	v.Helper()
	v.Poll(attacked)
	if now := selectedIDs(v.UntilSynced(attacked)); !slices.Equal(now, v.chosen) {
		v.Errorf("%v was selected, and now %v", v.chosen, now)
	}
}

func selectedIDs(query *imagev1alpha1.ImageQuery) []string {
	var ids []string
	for _, image := range query.Status.Selected {
		ids = append(ids, image.ImageID)
	}
	return ids
}

// triesAllWrites expects every write of the victim's CloudImages and status to be forbidden, except the allowed ones.
func (v *victim) triesAllWrites(attacker client.Client, allowed []string) {
	v.Helper()
	image := v.Images(attacked)[region+"-"+v.chosen[0]]
	for what, write := range imageWrites {
		if !slices.Contains(allowed, what) {
			forbidden(v.T, write(v.Context(), attacker, image.DeepCopy()), what+" of a CloudImage")
		}
	}
	for what, write := range statusWrites {
		forbidden(v.T, write(v.Context(), attacker, v.Query(attacked)), what+" of the status")
	}
}

// Users who may write queries try to write their status.
func editorOfQueries(v *victim) {
	v.Kubectl("", "create", "clusterrolebinding", "editor", "--clusterrole=imagequery-editor", "--user=editor")
	editor := v.As("editor")
	v.Until("the editor has the role", func(ctx context.Context) error {
		return editor.List(ctx, &imagev1alpha1.ImageQueryList{})
	})
	v.triesAllWrites(editor, nil)

	// The API server drops a status in a new query.
	const editors = "editors"
	own, wanted := newQuery(), []imagev1alpha1.SelectedImage{{ImageID: evil}}
	own.Name, own.Status.Selected = editors, wanted
	if err := editor.Create(v.Context(), own); err != nil {
		v.Fatalf("%v", err)
	}
	others := v.Query(attacked)
	others.Status.Selected = wanted
	if err := editor.Update(v.Context(), others); err != nil {
		v.Fatalf("%v", err)
	}
	for _, name := range []string{editors, attacked} {
		if slices.Contains(selectedIDs(v.Query(name)), evil) {
			v.Errorf("%s selects what an editor wrote into its status", name)
		}
	}
}

// GitOps and backup controllers often have a wildcard role. Their writes wouldn't be noticed while a query is
// suspended.
func wildcardAccount(v *victim) {
	v.Apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: wildcard},
		rules: [{apiGroups: [imagecatalog.dev], resources: ["*"], verbs: ["*"]}]}`)
	v.CreateServiceAccount("wildcard")
	const user = "system:serviceaccount:" + cluster.Namespace + ":wildcard"
	v.Kubectl("", "create", "clusterrolebinding", "wildcard", "--clusterrole=wildcard", "--serviceaccount="+cluster.Namespace+":wildcard")
	wildcard := v.As(user)
	v.Until("the account has the role", func(ctx context.Context) error {
		return wildcard.List(ctx, &imagev1alpha1.CloudImageList{})
	})
	v.triesAllWrites(wildcard, harmless)
	v.suspend(true)
	v.triesAllWrites(wildcard, harmless)
	v.suspend(false)
}

func (v *victim) suspend(suspend bool) {
	v.Helper()
	v.Patch(attacked, fmt.Sprintf(`{"spec":{"suspend":%t}}`, suspend))
	v.UntilQuery(attacked, fmt.Sprintf("suspend: %t is observed", suspend), func(q *imagev1alpha1.ImageQuery) bool {
		return q.Status.ObservedGeneration == q.Generation
	})
}

// The garbage collector has a wildcard role of Kubernetes. It only needs to remove owner references and to delete.
func garbageCollector(v *victim) {
	collector := v.As(collectors[0])
	v.triesAllWrites(collector, lettingGo)
	images := v.Images(attacked)
	image := images[slices.Sorted(maps.Keys(images))[0]]
	if err := collector.Delete(v.Context(), &image); err != nil {
		v.Errorf("the garbage collector is to delete, but: %v", err)
	}
}

// Any account of the cloud can share any number of images under any name with another account, and withdraw them.
func TestWhoOnlySharesImagesNeitherChoosesNorBlocks(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	cloud := c.StartCloud("-public=false", "-private=0", "-shared=0")
	cloud.Put(region, cvmtest.PrivateImages(1, 6, cvmtest.DefaultCredential.UIN)...)
	c.StartManager(cloud)
	c.ApplyQuery("name: "+attacked, "region: ap-guangzhou, interval: 1h, cloudImages: {maxImages: 10}")
	before := c.UntilSynced(attacked)

	// More than the query may have, newer than its own, and with the name of the selected image.
	shared := cvmtest.SharedImages(2, 12, cvmtest.StrangerUIN, cvmtest.DefaultCredential.UIN)
	var ids []string
	for i := range shared {
		shared[i] = newest(shared[i], before.Status.Selected[0].Name)
		ids = append(ids, shared[i].ImageID)
	}
	cloud.Put(region, shared...)
	after := c.Poll(attacked)
	if !slices.Equal(selectedIDs(after), selectedIDs(before)) {
		t.Errorf("%v was selected, and with shared images %v", selectedIDs(before), selectedIDs(after))
	}
	if got := ptr.Deref(after.Status.ImageCount, 0); got != 18 {
		t.Errorf("the query has %d members, and 18 are what this test is about", got)
	}

	// They are withdrawn while the platform team publishes a fix.
	fix := newest(cvmtest.PrivateImages(3, 1, cvmtest.DefaultCredential.UIN)[0], "fix")
	cloud.Put(region, fix)
	cloud.Delete(region, ids...)
	after = c.Poll(attacked)
	if !slices.Contains(selectedIDs(after), fix.ImageID) {
		t.Errorf("the fix %s is not selected, but %v", fix.ImageID, selectedIDs(after))
	}
	if meta.IsStatusConditionTrue(after.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked) {
		t.Error("what an outsider took back blocks the removal")
	}
}

// newest returns a NORMAL image that was created a minute ago.
func newest(image cvmtest.Image, name string) cvmtest.Image {
	image.ImageName, image.ImageState, image.CreatedTime = name, "NORMAL", new(time.Now().Add(-time.Minute).UTC().Format(time.RFC3339))
	return image
}
