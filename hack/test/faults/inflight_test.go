// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"slices"
	"testing"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// held is the delay of an answer. Everything else finishes long before.
const held = 4 * time.Second

// midPoll makes a poll of golden wait for a page, and returns while it waits.
func (w *world) midPoll(page int) {
	w.t.Helper()
	seen := w.asked()
	w.cloud.Inject(cvmtest.Fault{Region: region, Page: page, Listing: true, Times: 1, Delay: held})
	w.Annotate(golden, imagev1alpha1.AnnotationRequestedAt, time.Now().String())
	w.untilAskedSince("for a page that is late", seen, func(r cvmtest.Request) bool { return r.Page == page && r.Fault })
}

func TestFault30KeysOfAnotherAccountInMidPoll(t *testing.T) {
	w := synced(t, 30, 150)
	// Another account with one image, which sees none of the first account's.
	other := cvmtest.Credential{SecretID: "AKIDother", SecretKey: "other-secret-key", UIN: "100000000009"}
	w.cloud.SetCredential(other)
	stranger := cvmtest.PrivateImages(3030, 1, other.UIN)[0]
	w.cloud.Put(region, stranger)
	before := w.catalogue(golden)
	w.midPoll(2)
	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, other)
	// The running listing belongs to the first account. The next one belongs to the other, and its removals are
	// blocked.
	query := w.UntilQuery(golden, "the removal is blocked", func(q *imagev1alpha1.ImageQuery) bool {
		return kit.Condition(q, imagev1alpha1.ConditionRemovalBlocked).Type != ""
	})
	now := w.catalogue(golden)
	for name, uid := range before.objects {
		if now.objects[name] != uid {
			t.Errorf("%s was %s and is %q", name, uid, now.objects[name])
		}
	}
	if !slices.Equal(before.selected, now.selected) {
		t.Errorf("selected was %v and is %v", before.selected, now.selected)
	}
	for _, image := range query.Status.Images {
		if image.ImageID == stranger.ImageID && image.Selection != imagev1alpha1.VerdictHeldBack {
			t.Errorf("the other account's image is %s", image.Selection)
		}
	}
	w.cloud.Delete(region, stranger.ImageID)
	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, cvmtest.DefaultCredential)
	w.heals(golden)
}

func TestFault31TheSpecChangesInMidPoll(t *testing.T) {
	w := synced(t, 31, 150)
	w.cloud.Put(elsewhere, cvmtest.PrivateImages(310, 4, cvmtest.DefaultCredential.UIN)...)
	w.midPoll(2)
	writes := len(w.api.Writes())
	w.Patch(golden, `{"spec":{"region":"`+elsewhere+`"}}`)
	query := w.UntilSynced(golden)
	if ids := statusIDs(query); len(ids) != 4 {
		t.Errorf("status has %d images, want the 4 of the new region", len(ids))
	}
	for name := range w.Images(golden) {
		if name[:len(elsewhere)] != elsewhere {
			t.Errorf("%s is still a member", name)
		}
	}
	for _, r := range w.api.Writes()[writes:] {
		if r.Verb == "update" && r.Resource == "cloudimages" && r.Name[:len(region)] == region {
			t.Errorf("the old region's result was written: %s", r)
		}
	}
}

func TestFault32ANamesakeInMidPoll(t *testing.T) {
	w := synced(t, 32, 150)
	w.midPoll(2)
	w.Kubectl("", "delete", "imagequery", golden)
	w.query(golden, `match: {nameRegex: "^nothing-is-called-this$"}`, "minImages: 0")
	namesake := w.UntilReady(golden, "True", imagev1alpha1.ReasonNoImagesMatched)
	if len(namesake.Status.Images)+len(namesake.Status.Selected) != 0 {
		t.Errorf("the namesake has %d images of the deleted query", len(namesake.Status.Images))
	}
	w.Until("the deleted query's objects are gone", w.noObjects)
	w.quiet(golden)
}

func TestFault33SuspendedInMidPoll(t *testing.T) {
	w := synced(t, 33, 150)
	w.cloud.Delete(region, w.cloudIDs()[0])
	before := w.catalogue(golden)
	w.midPoll(2)
	w.Patch(golden, `{"spec":{"suspend":true}}`)
	w.UntilReady(golden, "True", imagev1alpha1.ReasonSuspended)
	asked := w.asked()
	w.Until("the poll under way has ended", w.idle)
	w.kept(golden, before)
	w.Annotate(golden, imagev1alpha1.AnnotationRequestedAt, "not-now")
	w.query("beside") // the same request: the operator still polls other queries
	w.UntilSynced("beside")
	if handled := w.Query(golden).Status.LastHandledReconcileAt; handled == "not-now" {
		t.Error("a suspended query was polled")
	}
	w.kept(golden, before)
	if now := w.asked() - asked; now > 4 {
		t.Errorf("the cloud was asked %d times for a query of 2 pages beside a suspended one", now)
	}
	w.Patch(golden, `{"spec":{"suspend":false}}`)
	w.UntilSynced(golden)
	w.heals(golden)
}
