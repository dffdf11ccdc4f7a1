// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// hide narrows the policy of the operator's key: the cloud no longer shows these images, in listings or by id, without
// an error.
func (w *world) hide(numbers ...int) {
	narrowed := cvmtest.DefaultCredential
	for _, number := range numbers {
		narrowed.DenyImages = append(narrowed.DenyImages, newImage(number).ImageID)
	}
	w.cloud.SetCredential(narrowed)
}

// An image hidden by a narrower policy looks like a deleted one. Many at once wait for approval; a single one leaves
// after its grace period.
func TestAPolicyThatIsNarrowed(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3, 4, 5, 6, 7, 8, 9)...)
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")

	w.hide(5, 6, 7, 8, 9)
	query := w.Poll("golden")
	if blocked := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked); blocked == nil {
		t.Fatalf("narrowed by half, nothing is blocked: %s", kit.Describe(query))
	}
	if n := len(w.Images("")); n != 9 || selectedNames(query) != "node-9" || len(query.Status.Removing) > 0 {
		t.Errorf("%d CloudImages, selected is %q, removing %+v; want 9, node-9 and nothing", n, selectedNames(query), query.Status.Removing)
	}

	w.hide(1)
	query = w.Poll("golden")
	if blocked := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked); blocked != nil {
		t.Fatalf("narrowed by one image, it is blocked: %s", blocked.Message)
	}
	if removing := query.Status.Removing; len(removing) != 1 || removing[0].ImageID != newImage(1).ImageID ||
		removing[0].Reason != imagev1alpha1.RemovedGone {
		t.Fatalf("removing is %+v, want the hidden image as Gone", removing)
	}
	w.pass(25 * time.Hour)
	w.UntilQuery("golden", "it has let go", func(q *imagev1alpha1.ImageQuery) bool { return len(q.Status.Removing) == 0 })
	var want []string
	for number := 2; number <= 9; number++ {
		want = append(want, objectName(number))
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(w.Images("")))); diff != "" {
		t.Errorf("CloudImages after the grace period (-want +got):\n%s", diff)
	}
}

// An image is EXPORTING during its export. A query for NORMAL images loses it as a member, but it stays selected: it
// only stopped being NORMAL, and no older image replaces it.
func TestAnImageThatIsExported(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("open"), newQuery("strict",
		func(s *imagev1alpha1.ImageQuerySpec) { s.Match.States = []imagev1alpha1.ImageState{"NORMAL"} }))
	before := w.UntilSynced("strict")
	w.UntilSynced("open")
	object := w.Image(objectName(3))

	turn := func(state, open, strict string, members int) {
		t.Helper()
		w.cloud.Update(region, newImage(3).ImageID, func(i *cvmtest.Image) { i.ImageState = state })
		w.pass(time.Minute) // the other query's listing can't be shared any more
		queries := map[string]*imagev1alpha1.ImageQuery{"open": w.Poll("open"), "strict": w.Poll("strict")}
		for name, want := range map[string]string{"open": open, "strict": strict} {
			if got := selectedNames(queries[name]); got != want {
				t.Errorf("%s: %s has selected %q, want %q", state, name, got, want)
			}
		}
		if got := *queries["strict"].Status.ImageCount; int(got) != members {
			t.Errorf("%s: %d members, want %d", state, got, members)
		}
	}
	turn("EXPORTING", "node-3", "node-3", int(*before.Status.ImageCount)-1)
	turn("NORMAL", "node-3", "node-3", int(*before.Status.ImageCount))
	if got := w.Image(objectName(3)); got.UID != object.UID {
		t.Error("it has another object now")
	}
}
