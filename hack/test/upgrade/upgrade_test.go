// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// Regions, and their number of images: 500 in all.
const (
	busy, graceful, guarded, approved, paused = "ap-guangzhou", "ap-shanghai", "ap-beijing", "ap-chengdu", "ap-nanjing"
	foreign                                   = "ap-chongqing"
)

var images = map[string]int{busy: 200, graceful: 120, guarded: 100, approved: 50, paused: 20}

// queries are the specs under the previous release, in YAML's flow style. None is polled by itself during the test.
var queries = map[string]string{
	"everything":  "region: ap-guangzhou, selection: {groupBy: [Architecture]}",
	"by-name":     "region: ap-guangzhou, selection: {groupBy: [Architecture, Platform], orderBy: Name, limit: 2}, cloudImages: {policy: Selected, maxImages: 100}",
	"status-only": "region: ap-guangzhou, selection: {groupBy: [Platform], skip: 1}, cloudImages: {policy: None, maxImages: 100}",
	"labelled":    "region: ap-guangzhou, match: {platforms: [Ubuntu]}, selection: {groupBy: [OSName]}, cloudImages: {labels: {team: infra}, labelTagKeys: [env]}",
	"public":      "region: ap-chongqing, filters: [{name: image-type, values: [PUBLIC_IMAGE]}], selection: {groupBy: [Architecture]}",
	"shared":      "region: ap-chongqing, filters: [{name: image-type, values: [SHARED_IMAGE]}], selection: {groupBy: [Architecture]}",
	"one-group":   "region: ap-guangzhou",
	"regrouped":   "region: ap-guangzhou, selection: {limit: 2}",
	"graceful":    "region: ap-shanghai, selection: {groupBy: [Architecture]}, removal: {gracePeriod: 24h}",
	"guarded":     "region: ap-beijing, selection: {groupBy: [Architecture]}, removal: {gracePeriod: 24h}",
	"approved":    "region: ap-chengdu, selection: {groupBy: [Architecture]}, removal: {gracePeriod: 24h}",
	"paused":      "region: ap-nanjing, selection: {groupBy: [Architecture]}",
}

// regrouped is the query that the new default of groupBy changes: docs/upgrading.md.
const regrouped = "regrouped"

func TestUpgradeAndBack(t *testing.T) {
	previous := previousRelease(t)
	l := &life{Cluster: cluster.Start(t, cluster.Options{Checkout: previous.checkout}), t: t}
	l.cloud = l.StartCloud("-public=false", "-private=0", "-shared=0")
	l.manager = l.StartManagerOf(previous.manager, l.cloud)
	l.begin()
	before := l.state()

	l.upgrade()
	l.approve("approved")
	mark := l.Mark()
	l.manager = l.StartManager(l.cloud)
	l.pollAll()
	after := l.state()
	l.sameCatalogue("the upgrade", before, after, regrouped)
	l.frugal("the upgrade", l.writesSince(mark), before, after)
	l.approvalCounted()
	l.quiet("a poll after the upgrade")

	l.stop()
	l.goBack(previous)
	mark = l.Mark()
	l.manager = l.StartManagerOf(previous.manager, l.cloud)
	l.pollAll()
	back := l.state()
	l.sameCatalogue("going back", after, back)
	l.frugal("going back", l.writesSince(mark), after, back)

	l.upgrade()
	mark = l.Mark()
	l.manager = l.StartManager(l.cloud)
	l.pollAll()
	again := l.state()
	l.sameCatalogue("the second upgrade", back, again)
	l.frugal("the second upgrade", l.writesSince(mark), back, again)
	l.quiet("a poll after the second upgrade")
}

// life is a cluster with a catalogue.
type life struct {
	*cluster.Cluster
	t       *testing.T
	cloud   *cluster.Cloud
	manager *cluster.Manager
	settled int
}

// begin lives with the previous release: all queries are synced, images are in their grace period, removals wait for
// an approval, and a query is suspended.
func (l *life) begin() {
	l.t.Helper()
	for i, region := range slices.Sorted(maps.Keys(images)) {
		l.cloud.Put(region, cvmtest.PrivateImages(uint64(i+1), images[region], cvmtest.DefaultCredential.UIN)...)
	}
	l.cloud.Put(foreign, cvmtest.PublicImages()...)
	l.cloud.Put(foreign, cvmtest.SharedImages(9, 10, "100000000002", cvmtest.DefaultCredential.UIN)...)
	for name, spec := range queries {
		l.ApplyQuery("name: "+name, "interval: 12h, "+spec)
	}
	for name := range queries {
		l.UntilSynced(name)
	}
	l.remove("graceful", 3)
	l.remove("guarded", 80)
	l.remove("approved", 40)
	l.Patch("paused", `{"spec":{"suspend":true}}`)
	l.UntilReady("paused", metav1.ConditionTrue, imagev1alpha1.ReasonSuspended)
	l.remove("paused", 1) // not noticed
	l.pollAll()
	for _, name := range []string{"guarded", "approved"} {
		l.UntilReady(name, metav1.ConditionTrue, imagev1alpha1.ReasonRemovalBlocked)
	}
	if got := len(l.Query("graceful").Status.Removing); got != 3 {
		l.t.Fatalf("%d images are in their grace period, want 3", got)
	}
}

// remove deletes images of a query from the cloud, the oldest first, but none that is selected.
func (l *life) remove(query string, count int) {
	l.t.Helper()
	q := l.Query(query)
	chosen := selected(q.Status)
	all := slices.DeleteFunc(l.cloud.Images(q.Spec.Region), func(i cvmtest.Image) bool { return slices.Contains(chosen, i.ImageID) })
	for _, image := range all[len(all)-count:] {
		l.cloud.Delete(q.Spec.Region, image.ImageID)
	}
}

// upgrade installs this release and stops the other operator, in the order of docs/upgrading.md.
func (l *life) upgrade() {
	l.t.Helper()
	l.Install("")
	l.stop()
	l.Patch("one-group", `{"spec":{"selection":{"groupBy":["None"]}}}`)
}

func (l *life) stop() {
	l.t.Helper()
	if err := l.manager.Stop(); err != nil {
		l.t.Fatal(err)
	}
}

// pollAll polls each query that isn't suspended.
func (l *life) pollAll() {
	l.t.Helper()
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		if name != "paused" {
			l.Poll(name)
		}
	}
}

// approve runs the command in the condition, while no operator runs.
func (l *life) approve(name string) {
	l.t.Helper()
	command, ok := strings.CutPrefix(kit.Condition(l.Query(name), imagev1alpha1.ConditionRemovalBlocked).Message, "kubectl ")
	if !ok {
		l.t.Fatalf("the message of RemovalBlocked is no command: %s", command)
	}
	l.Kubectl("", strings.Fields(command)...)
}

// approvalCounted checks that the approval was carried out, and that the other removal still waits.
func (l *life) approvalCounted() {
	l.t.Helper()
	l.UntilSynced("approved")
	if got := l.Query("approved").Status; len(got.Images) != 10 || len(got.Removing) != 40 {
		l.t.Errorf("after the approval %d images are members and %d are in their grace period, want 10 and 40", len(got.Images), len(got.Removing))
	}
	l.UntilReady("guarded", metav1.ConditionTrue, imagev1alpha1.ReasonRemovalBlocked)
}

// goBack installs the previous release again, as docs/upgrading.md says. A release works with newer CRDs. Only what was there before
// the first one needs its own, and no history of selections, since that has other fields.
func (l *life) goBack(previous release) {
	l.t.Helper()
	if previous.isTagged {
		l.installWithoutCRDs(previous.checkout)
		return
	}
	l.Install(previous.checkout)
	l.Patch("one-group", `{"spec":{"selection":{"groupBy":null}}}`) // it has no None
	for name := range queries {
		l.PatchStatus(name, `{"status":{"selectedHistory":null}}`)
	}
}

// installWithoutCRDs applies what an older release installs, but leaves the newer CRDs.
func (l *life) installWithoutCRDs(checkout string) {
	l.t.Helper()
	folder := l.t.TempDir()
	resource, err := filepath.Rel(folder, filepath.Join(checkout, "config", "default"))
	if err != nil {
		l.t.Fatal(err)
	}
	kustomization := "resources: [" + resource + "]\npatches:\n- target: {kind: CustomResourceDefinition}\n" +
		"  patch: |\n    $patch: delete\n    apiVersion: apiextensions.k8s.io/v1\n    kind: CustomResourceDefinition\n    metadata: {name: every}\n"
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.Kubectl("", "apply", "--server-side", "-k", folder)
}

// state is a catalogue.
type state struct {
	images  map[string]imagev1alpha1.CloudImage
	queries map[string]*imagev1alpha1.ImageQuery
}

func (l *life) state() state {
	l.t.Helper()
	s := state{images: l.Images(""), queries: map[string]*imagev1alpha1.ImageQuery{}}
	for name := range queries {
		s.queries[name] = l.Query(name)
	}
	return s
}

// sameCatalogue compares what consumers rely on.
func (l *life) sameCatalogue(what string, before, after state, changed ...string) {
	l.t.Helper()
	uids := func(s state) map[string]string {
		uids := map[string]string{}
		for name, image := range s.images {
			uids[name] = string(image.UID)
		}
		return uids
	}
	kit.Equal(l.t, "the UIDs of CloudImages after "+what, uids(before), uids(after))
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		was, is := before.queries[name].Status, after.queries[name].Status
		if slices.Contains(changed, name) == slices.Equal(selected(was), selected(is)) {
			l.t.Errorf("%s: %s selects %q, and before it selected %q", what, name, selected(is), selected(was))
		}
		for _, r := range was.Removing {
			if !slices.ContainsFunc(is.Removing, func(o imagev1alpha1.RemovingImage) bool {
				return o.ImageID == r.ImageID && o.DeleteAfter.Equal(&r.DeleteAfter)
			}) {
				l.t.Errorf("%s: %s keeps %s until %s no more: %+v", what, name, r.ImageID, r.DeleteAfter, is.Removing)
			}
		}
	}
}

// selected returns the ids of the selected images, in no order.
func selected(status imagev1alpha1.ImageQueryStatus) []string {
	var ids []string
	for _, image := range status.Selected {
		ids = append(ids, image.ImageID)
	}
	slices.Sort(ids)
	return ids
}

// frugal checks that each CloudImage whose content changed was written once and no other one, and a status twice at
// most: what the version says differently, and what the requested poll found. An edited query has one more.
func (l *life) frugal(what string, writes map[string]int, before, after state) {
	l.t.Helper()
	changed := map[string]int{}
	for name, image := range after.images {
		if was := before.images[name]; !equality.Semantic.DeepEqual(content(was), content(image)) {
			changed["cloudimages "+name] = 1
		}
	}
	for name, query := range after.queries {
		was := before.queries[name]
		if !equality.Semantic.DeepEqual(was.Status, query.Status) {
			changed["imagequeries/status "+name] = 2
		}
		if was.Generation != query.Generation {
			changed["imagequeries/status "+name] = 3
		}
	}
	for _, key := range slices.Sorted(maps.Keys(writes)) {
		if writes[key] > changed[key] {
			l.t.Errorf("%s: %d writes of %s, want %d at most", what, writes[key], key, changed[key])
		}
	}
	l.t.Logf("%s: %d objects changed, %d were written", what, len(changed), len(writes))
}

// content is what a write may change on purpose.
func content(image imagev1alpha1.CloudImage) imagev1alpha1.CloudImage {
	image.ResourceVersion, image.Generation, image.ManagedFields = "", 0, nil
	return image
}

// quiet polls all once more and checks that nothing is written but the echo of the requests.
func (l *life) quiet(what string) {
	l.t.Helper()
	mark := l.Mark()
	l.pollAll()
	for key, count := range l.writesSince(mark) {
		if count > 1 || !strings.HasPrefix(key, "imagequeries/status ") {
			l.t.Errorf("%s: %d writes of %s, which had nothing new", what, count, key)
		}
	}
}

// writesSince counts the operator's writes since a mark of the audit log, by resource and name.
func (l *life) writesSince(mark int64) map[string]int {
	l.t.Helper()
	l.settle()
	writes := map[string]int{}
	for _, r := range l.RequestsSince(mark) {
		if r.User == cluster.OperatorUser && r.Group == imagev1alpha1.GroupVersion.Group && !slices.Contains([]string{"get", "list", "watch"}, r.Verb) {
			writes[r.Resource+" "+r.Name]++
		}
	}
	return writes
}

// settle waits until the audit log has all requests until now.
func (l *life) settle() {
	l.t.Helper()
	l.settled++
	key := client.ObjectKey{Namespace: "default", Name: fmt.Sprint("settled-", l.settled)}
	mark := l.Mark()
	if err := l.Client.Get(l.Context(), key, &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
		l.t.Fatalf("asking for what isn't there: %v", err)
	}
	l.Until("the audit log has come to "+key.Name, func(context.Context) error {
		if !slices.ContainsFunc(l.RequestsSince(mark), func(r cluster.Request) bool { return r.Name == key.Name }) {
			return errors.New("it has not")
		}
		return nil
	})
}
