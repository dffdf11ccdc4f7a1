// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

func TestTheNewestImageOfEachArchitectureIsSelected(t *testing.T) {
	w := newWorld(t)
	arm := newImage(2)
	arm.Architecture = "arm"
	w.cloud.Put(region, newImage(1), arm, newImage(3))
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) {
		s.Selection.GroupBy = []imagev1alpha1.SelectionGroup{imagev1alpha1.GroupByArchitecture}
	}))
	query := w.UntilSynced("golden")
	if selectedNames(query) != "node-3 node-2" || query.Status.SelectedSummary != "node-3 (+1)" {
		t.Errorf("selected is %q, in short %q", selectedNames(query), query.Status.SelectedSummary)
	}
	labels := map[string]string{}
	for name, image := range w.Images("") {
		labels[name] = image.Labels["query.imagecatalog.dev/golden"]
	}
	want := map[string]string{objectName(1): "member", objectName(2): "selected", objectName(3): "selected"}
	kit.Equal(w, "labels", want, labels)
	w.events(query, imagev1alpha1.EventSelectionChanged, 1)
}

// The clock alone changes a selection, once, at the right time, with one status write.
func TestAnImageIsSelectedAtTheMomentItIsOldEnough(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	young, old := newImage(2), newImage(1)
	young.CreatedTime = new(now.Add(-71 * time.Hour).UTC().Format(time.RFC3339))
	old.CreatedTime = new(now.Add(-500 * time.Hour).UTC().Format(time.RFC3339))
	w.cloud.Put(region, young, old)
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) {
		s.Interval.Duration, s.Selection.MinAge.Duration = 168*time.Hour, 72*time.Hour
	}))
	query := w.UntilSynced("golden")
	if selectedNames(query) != "node-1" || query.Status.Images[0].Selection != imagev1alpha1.VerdictTooYoung {
		t.Fatalf("selected is %q, and the young one is %s", selectedNames(query), query.Status.Images[0].Selection)
	}
	w.idle()
	w.writes.take()
	w.pass(55 * time.Minute)
	w.idle()
	if writes := w.writes.take(); len(writes) > 0 {
		t.Errorf("before its time it wrote %v", writes)
	}
	w.pass(6 * time.Minute)
	query = w.UntilQuery("golden", "the young image is selected", func(q *imagev1alpha1.ImageQuery) bool {
		return selectedNames(q) == "node-2"
	})
	if history := query.Status.SelectedHistory; history[0].Reason != imagev1alpha1.SelectedAged {
		t.Errorf("the history is %+v", history)
	}
	w.pass(24 * time.Hour)
	w.idle()
	want := []string{"PUT cloudimages/" + objectName(1), "PUT cloudimages/" + objectName(2), "PUT imagequeries/golden/status"}
	kit.Equal(w, "writes", want, slices.Sorted(slices.Values(w.writes.take())))
}

func TestWhichPublicImageIsNewerNobodyGuessesAndTheMessageSaysSo(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, cvmtest.PublicImages()...)
	w.Create(newQuery("ubuntu", func(s *imagev1alpha1.ImageQuerySpec) {
		s.Filters = []imagev1alpha1.Filter{{Name: "image-type", Values: []string{"PUBLIC_IMAGE"}}}
		s.Match.Platforms = []string{"Ubuntu"}
	}))
	query := w.UntilSynced("ubuntu")
	if message := kit.Ready(query).Message; !strings.Contains(message, "no creation time") || selectedNames(query) != "" {
		t.Errorf("selected is %q, and the message %q", selectedNames(query), message)
	}
	w.Patch("ubuntu", `{"spec":{"selection":{"orderBy":"SemVer","extract":"(\\d+\\.\\d+)"}}}`)
	w.UntilQuery("ubuntu", "the newest of each architecture is selected", func(q *imagev1alpha1.ImageQuery) bool {
		return selectedNames(q) == "Ubuntu Server 24.04 LTS 64bit Ubuntu 20.04(arm64) Ubuntu Server 16.04 LTS 32bit"
	})
}

func TestABadRangeIsToldWithoutAskingTheCloud(t *testing.T) {
	w := newWorld(t)
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) {
		s.Selection.OrderBy, s.Selection.Range = imagev1alpha1.OrderBySemVer, ">=1x30" // CEL can't check this
	}))
	query := w.UntilReady("golden", metav1.ConditionFalse, imagev1alpha1.ReasonInvalidQuery)
	if !meta.IsStatusConditionTrue(query.Status.Conditions, imagev1alpha1.ConditionStalled) || len(w.cloud.Requests()) != 0 {
		t.Errorf("%d requests: %s", len(w.cloud.Requests()), kit.Describe(query))
	}
}

func TestAnEditActsOnWhatIsSelectedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2)...)
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")

	// With the cloud out of reach, too.
	w.cloud.Inject(cvmtest.Fault{Code: "InternalError"})
	w.Patch("golden", `{"spec":{"match":{"excludeImageIDs":["`+newImage(2).ImageID+`"]}}}`)
	query := w.UntilReady("golden", metav1.ConditionFalse, imagev1alpha1.ReasonUnavailable)
	if selectedNames(query) != "node-1" || verdictOf(query, 1) != imagev1alpha1.VerdictSelected {
		t.Errorf("selected is %q after another one was excluded", selectedNames(query))
	}
	w.cloud.Heal()
	query = w.Poll("golden")
	if selectedNames(query) != "node-1" || query.Status.SelectedHistory[0].Reason != imagev1alpha1.SelectedSpecChanged {
		t.Errorf("selected is %q, because of %+v", selectedNames(query), query.Status.SelectedHistory)
	}
	w.cloud.Inject(cvmtest.Fault{Code: "InternalError"})
	w.Patch("golden", `{"spec":{"region":"ap-shanghai"}}`)
	query = w.UntilReady("golden", metav1.ConditionFalse, imagev1alpha1.ReasonUnavailable)
	if len(query.Status.Selected)+len(query.Status.Images) != 0 {
		t.Errorf("another region has %d selected of %d images of the former", len(query.Status.Selected), len(query.Status.Images))
	}
}

// The known images suffice for an edit that excludes an image, and for a pin, without asking the cloud.
func TestAnEditOfASuspendedQuerySelectsFromWhatIsKnown(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	w.Patch("golden", `{"spec":{"suspend":true,"match":{"excludeImageIDs":["`+newImage(3).ImageID+`"]}}}`)
	query := w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonSuspended)
	if selectedNames(query) != "node-2" || query.Status.SelectedHistory[0].Reason != imagev1alpha1.SelectedSpecChanged ||
		verdictOf(query, 2) != imagev1alpha1.VerdictSelected {
		t.Errorf("selected is %q: %s", selectedNames(query), kit.Describe(query))
	}
	w.Patch("golden", `{"spec":{"selection":{"pin":["`+newImage(1).ImageID+`"]}}}`)
	query = w.UntilQuery("golden", "the pin is selected", func(q *imagev1alpha1.ImageQuery) bool { return selectedNames(q) == "node-1" })
	if query.Status.SelectedHistory[0].Reason != imagev1alpha1.SelectedPinned || verdictOf(query, 2) != imagev1alpha1.VerdictNotNewest {
		t.Errorf("it is selected because of %+v: %s", query.Status.SelectedHistory[0], kit.Describe(query))
	}
}

// A suspended query polls nothing, and consumers may read labels instead of status.
func TestLabelsFollowAnEditOfASuspendedQuery(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	listings, _ := w.listings()
	w.Patch("golden", `{"spec":{"suspend":true,"match":{"excludeImageIDs":["`+newImage(3).ImageID+`"]},
		"selection":{"pin":["`+newImage(1).ImageID+`","img-none"]},"cloudImages":{"labels":{"team":"infra"}}}}`)
	query := w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonSuspended)
	if message := kit.Ready(query).Message; !strings.Contains(message, "selection.pin names what is not selected: img-none (no known member)") {
		t.Errorf("Ready doesn't explain the other pin: %s", message)
	}
	w.Eventually(func() error {
		want := map[string]string{objectName(1): "selected infra Present", objectName(2): "member infra Present", objectName(3): "  NotMatched"}
		got := map[string]string{}
		for name, image := range w.Images("") {
			got[name] = strings.Join([]string{
				image.Labels[imagev1alpha1.LabelQueryPrefix+"golden"], image.Labels["team"], string(image.Lifecycle.Presence),
			}, " ")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return errors.New("labels (-want +got):\n" + diff)
		}
		return nil
	})
	w.events(query, imagev1alpha1.EventSelectionChanged, 2)
	if again, _ := w.listings(); again != listings {
		t.Errorf("a suspended query asked the cloud %d times", again-listings)
	}

	// The next poll starts the grace period of the excluded image: the edit approved that.
	w.Patch("golden", `{"spec":{"suspend":false}}`)
	query = w.UntilSynced("golden")
	if len(query.Status.Removing) != 1 || query.Status.Removing[0].ImageID != newImage(3).ImageID || selectedNames(query) != "node-1" {
		t.Errorf("%+v are leaving: %s", query.Status.Removing, kit.Describe(query))
	}
	w.events(query, imagev1alpha1.EventSelectionChanged, 2)
}

// At any time during a change of the policy, selected images have objects if either policy gives them one.
func TestAPolicyMovesCleanlyToAnother(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	for _, step := range []struct {
		policy string
		want   []string
	}{
		{"Selected", []string{objectName(3)}},
		{"None", nil},
		{"Selected", []string{objectName(3)}},
		{"All", []string{objectName(1), objectName(2), objectName(3)}},
		{"None", nil},
	} {
		w.Patch("golden", `{"spec":{"cloudImages":{"policy":"`+step.policy+`","maxImages":100}}}`)
		query := w.UntilCurrent("golden")
		if diff := cmp.Diff(step.want, w.ImageNames("")); diff != "" {
			t.Errorf("with policy %s (-want +got):\n%s", step.policy, diff)
		}
		if len(query.Status.Images) != 3 || selectedNames(query) != "node-3" {
			t.Errorf("with policy %s %d images are shown and %q is selected", step.policy, len(query.Status.Images), selectedNames(query))
		}
	}

	// Without objects, removals are confirmed, too, and everything else is the same.
	w.deleteImages(3)
	if query := w.Poll("golden"); selectedNames(query) != "node-2" || len(query.Status.Images) != 2 {
		t.Errorf("selected is %q of %d images", selectedNames(query), len(query.Status.Images))
	}
	w.restart()
	w.deleteImages(1, 2)
	foreign := newImage(4) // another creator, so it replaces no image
	foreign.ImageCreator = new(stranger)
	w.cloud.Put(region, foreign)
	if query := w.Poll("golden"); selectedNames(query) != "node-2" || kit.Ready(query).Reason != imagev1alpha1.ReasonRemovalBlocked {
		t.Errorf("selected is %q: %s", selectedNames(query), kit.Describe(query))
	}
}

func TestASelectionThatMovesOnTakesItsObjectAlong(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.CloudImages.Policy = imagev1alpha1.CloudImagesSelected }))
	w.UntilSynced("golden")
	w.writes.take()
	w.cloud.Put(region, newImage(2))
	w.Poll("golden")
	want := []string{"POST cloudimages", "DELETE cloudimages/" + objectName(1), "PUT imagequeries/golden/status"}
	kit.Equal(w, "writes", want, w.writes.take())
}

func TestTooManyImagesPublishesNothing(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.CloudImages.MaxImages = 2 }))
	query := w.UntilReady("golden", metav1.ConditionFalse, imagev1alpha1.ReasonTooManyImages)
	stalled := meta.IsStatusConditionTrue(query.Status.Conditions, imagev1alpha1.ConditionStalled)
	if len(query.Status.Images)+len(w.Images("")) != 0 || !stalled {
		t.Errorf("%d images and %d CloudImages: %s", len(query.Status.Images), len(w.Images("")), kit.Describe(query))
	}
	w.Patch("golden", `{"spec":{"cloudImages":{"maxImages":3}}}`)
	w.UntilSynced("golden")
}

func TestWhatChangesUnderTheSameIDIsAnEvent(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2)...)
	w.Create(newQuery("golden"))
	before := w.UntilSynced("golden")
	object := w.Image(objectName(2))
	w.cloud.Update(region, newImage(2).ImageID, func(i *cvmtest.Image) { i.ImageSize, i.ImageCreator = 99, new("100000000666") })
	query := w.Poll("golden")
	after := w.Image(objectName(2))
	if after.UID != object.UID || after.Image.SizeGiB != 99 || query.Status.Revision == before.Status.Revision {
		t.Errorf("the object is %+v, revision %s after %s", after.Image, query.Status.Revision, before.Status.Revision)
	}
	w.Poll("golden")
	w.events(query, imagev1alpha1.EventImageFactsChanged, 1)
	w.events(query, imagev1alpha1.EventCreatorChanged, 1)
}
