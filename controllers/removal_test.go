// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// newImages returns numbered private images, oldest first.
func newImages(numbers ...int) []cvmtest.Image {
	var out []cvmtest.Image
	for _, number := range numbers {
		out = append(out, newImage(number))
	}
	return out
}

func (w *world) deleteImages(numbers ...int) {
	for _, number := range numbers {
		w.cloud.Delete(region, newImage(number).ImageID)
	}
}

// selectedNames returns the names of the selected images.
func selectedNames(q *imagev1alpha1.ImageQuery) string {
	var names []string
	for _, image := range q.Status.Selected {
		names = append(names, image.Name)
	}
	return strings.Join(names, " ")
}

// events waits until a query has the wanted number of events with a reason.
func (w *world) events(q *imagev1alpha1.ImageQuery, reason string, want int) {
	w.Helper()
	w.Eventually(func() error {
		var list corev1.EventList
		if err := w.Client.List(w.Context(), &list, client.InNamespace("default")); err != nil {
			return err
		}
		got := 0
		for _, e := range list.Items {
			if e.InvolvedObject.UID == q.UID && e.Reason == reason {
				got++
			}
		}
		if got != want {
			return fmt.Errorf("%d events %s, want %d", got, reason, want)
		}
		return nil
	})
}

// untilSelectedGone waits until the metric counts so many selected images that are gone.
func (w *world) untilSelectedGone(query string, want float64) {
	w.Helper()
	w.Eventually(func() error {
		if got, ok := w.seriesOf(query)["selected_gone"]; !ok || got != want {
			return fmt.Errorf("imagequery_selected_gone is %v, want %v", got, want)
		}
		return nil
	})
}

func TestAnImageThatLeftStaysForItsGracePeriod(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Match.NameRegex = "^node-" }))
	w.UntilSynced("golden")
	before := w.Image(objectName(1))

	// It no longer matches: the label is removed, and the object stays with the time.
	w.cloud.Update(region, newImage(1).ImageID, func(i *cvmtest.Image) { i.ImageName = "withdrawn" })
	query := w.Poll("golden")
	left := w.Image(objectName(1))
	if _, member := left.Labels[labelOf("golden")]; member || len(left.OwnerReferences) != 1 ||
		left.Lifecycle.Presence != imagev1alpha1.PresenceNotMatched || left.Labels[imagev1alpha1.LabelPresence] != "NotMatched" {
		t.Errorf("the object is %+v", left)
	}
	if len(query.Status.Removing) != 1 || len(left.Lifecycle.Leaving) != 1 {
		t.Fatalf("removing is %+v, leaving %+v", query.Status.Removing, left.Lifecycle.Leaving)
	}
	removing := query.Status.Removing[0]
	if removing.Reason != imagev1alpha1.RemovedNotMatched || removing.DeleteAfter.Sub(removing.Since.Time) != 24*time.Hour ||
		!left.Lifecycle.DeleteAfter.Equal(&removing.DeleteAfter) {
		t.Errorf("removing is %+v, the object's deleteAfter %s", removing, left.Lifecycle.DeleteAfter)
	}

	// If it matches again before the end of the grace period, it keeps its object.
	w.cloud.Update(region, newImage(1).ImageID, func(i *cvmtest.Image) { i.ImageName = newImage(1).ImageName })
	query = w.Poll("golden")
	if back := w.Image(objectName(1)); back.UID != before.UID || back.Lifecycle.Leaving != nil || back.Lifecycle.DeleteAfter != nil ||
		back.Lifecycle.Presence != imagev1alpha1.PresencePresent || len(query.Status.Removing) != 0 {
		t.Errorf("back again, the object is %+v and removing %+v", back, query.Status.Removing)
	}

	// Gone: neither a restart nor a suspension shortens the grace period, and its end deletes by itself.
	w.deleteImages(1)
	query = w.Poll("golden")
	if len(query.Status.Removing) != 1 || query.Status.Removing[0].Reason != imagev1alpha1.RemovedGone ||
		w.Image(objectName(1)).Lifecycle.Presence != imagev1alpha1.PresenceGone {
		t.Fatalf("removing is %+v", query.Status.Removing)
	}
	w.restart()
	w.pass(23 * time.Hour)
	w.Poll("golden")
	w.Patch("golden", `{"spec":{"suspend":true}}`)
	w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonSuspended)
	w.pass(2 * time.Hour)
	w.idle()
	if got := w.Image(objectName(1)); got.UID != before.UID {
		t.Errorf("the object is another one: %s", got.UID)
	}
	w.Patch("golden", `{"spec":{"suspend":false}}`)
	query = w.UntilQuery("golden", "nothing is removing", func(q *imagev1alpha1.ImageQuery) bool {
		return len(q.Status.Removing) == 0 && !q.Spec.Suspend
	})
	if diff := cmp.Diff([]string{objectName(2), objectName(3)}, w.ImageNames("")); diff != "" {
		t.Errorf("after the grace period (-want +got):\n%s\n%s", diff, kit.Describe(query))
	}
}

func TestTheEndOfAGracePeriodIsADueTimeOfItsOwn(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) {
		s.Interval.Duration = 168 * time.Hour
		s.Removal.GracePeriod = &metav1.Duration{Duration: time.Hour}
	}))
	w.UntilSynced("golden")
	w.deleteImages(1)
	w.Poll("golden")
	// A failed listing deletes nothing. The next complete one does.
	w.cloud.Inject(cvmtest.Fault{Code: "InternalError", Times: 1})
	w.pass(time.Hour + time.Minute)
	w.UntilQuery("golden", "the poll at the end has failed", func(q *imagev1alpha1.ImageQuery) bool {
		return strings.Contains(kit.Ready(q).Message, "InternalError")
	})
	if n := len(w.Images("")); n != 3 {
		t.Errorf("%d CloudImages after a failed listing, want 3", n)
	}
	w.pass(time.Minute)
	w.UntilQuery("golden", "nothing is removing", func(q *imagev1alpha1.ImageQuery) bool { return len(q.Status.Removing) == 0 })
	if n := len(w.Images("")); n != 2 {
		t.Errorf("%d CloudImages after the grace period, want 2", n)
	}
}

// Objects are written before the status. What only a poll wrote that ended in between has not arrived yet.
func TestACrashEstablishesNothingThatArrivesWhileRemovalsAreBlocked(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3, 4, 5, 6, 7, 8)...)
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	w.deleteImages(2, 3, 4, 5, 6, 7, 8)
	w.cloud.Put(region, newImages(9, 10)...)
	w.meets(func(write string) *http.Response {
		if !strings.Contains(write, "imagequeries/golden/status") {
			return nil
		}
		return refusal(http.StatusConflict, metav1.StatusReasonConflict)
	})
	w.RequestPoll("golden", "interrupted")
	w.untilObjects(10)
	w.restart(func() { w.meets(nil) })
	query := w.Poll("golden")
	if kit.Ready(query).Reason != imagev1alpha1.ReasonRemovalBlocked {
		t.Fatalf("removals are not blocked: %s", kit.Describe(query))
	}
	for _, image := range query.Status.Images {
		arrived := image.ImageID == newImage(9).ImageID || image.ImageID == newImage(10).ImageID
		if held := image.Selection == imagev1alpha1.VerdictHeldBack; held != arrived {
			t.Errorf("%s is %s", image.Name, image.Selection)
		}
	}
}

func TestTwoOwnersLetGoEachInItsOwnTime(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(
		newQuery("hasty", func(s *imagev1alpha1.ImageQuerySpec) { s.Removal.GracePeriod = &metav1.Duration{Duration: time.Hour} }),
		// It has another request, so it doesn't share the first one's listings.
		newQuery("slow", func(s *imagev1alpha1.ImageQuerySpec) { s.Interval.Duration, s.Filters = 100*time.Hour, nil }),
	)
	w.UntilSynced("hasty")
	w.UntilSynced("slow")

	// What one has found to be gone makes the other look, long before its interval ends.
	w.deleteImages(1)
	w.Poll("hasty")
	w.UntilQuery("slow", "it knows that the image is gone", func(q *imagev1alpha1.ImageQuery) bool { return len(q.Status.Removing) == 1 })
	shared := w.Image(objectName(1))
	if len(shared.Lifecycle.Leaving) != 2 || len(shared.OwnerReferences) != 2 ||
		shared.Lifecycle.DeleteAfter.Sub(shared.Lifecycle.Leaving[0].DeleteAfter.Time) < 22*time.Hour {
		t.Errorf("the shared object is %+v", shared)
	}
	w.pass(2 * time.Hour)
	w.UntilQuery("hasty", "it has let go", func(q *imagev1alpha1.ImageQuery) bool { return len(q.Status.Removing) == 0 })
	shared = w.Image(objectName(1))
	if len(shared.OwnerReferences) != 1 || shared.OwnerReferences[0].Name != "slow" || len(shared.Lifecycle.Leaving) != 1 {
		t.Errorf("after one has let go: %+v", shared)
	}
	w.pass(23 * time.Hour)
	w.UntilQuery("slow", "it has let go", func(q *imagev1alpha1.ImageQuery) bool { return len(q.Status.Removing) == 0 })
	if n := len(w.Images("")); n != 2 {
		t.Errorf("%d CloudImages are left, want 2", n)
	}
}

func TestARemovalOfManyWaitsForItsApproval(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3, 4, 5, 6, 7, 8, 9)...)
	w.Create(newQuery("golden", withoutGrace))
	w.UntilSynced("golden")

	w.deleteImages(3, 4, 5, 6, 7, 8, 9)
	w.cloud.Put(region, newImage(10))
	query := w.Poll("golden")
	blocked := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked)
	if blocked == nil || kit.Ready(query).Reason != imagev1alpha1.ReasonRemovalBlocked || kit.Ready(query).Status != metav1.ConditionTrue {
		t.Fatalf("the removal isn't blocked: %s", kit.Describe(query))
	}
	if n := len(w.Images("")); n != 10 || selectedNames(query) != "node-9" {
		t.Errorf("%d CloudImages, selected is %q; want 10, and node-9, although it is gone", n, selectedNames(query))
	}
	if newest := query.Status.Images[0]; newest.Name != "node-a" || newest.Selection != imagev1alpha1.VerdictHeldBack {
		t.Errorf("what came meanwhile is %+v", newest)
	}
	w.events(query, imagev1alpha1.ReasonRemovalBlocked, 1)
	w.untilSelectedGone("golden", 1)

	// It stays so, over polls and restarts, and writes nothing.
	w.writes.take()
	w.restart()
	query = w.Poll("golden")
	if writes := w.writes.take(); len(writes) != 1 || selectedNames(query) != "node-9" { // lastHandledReconcileAt
		t.Errorf("polled again, selected is %q, and it wrote %v", selectedNames(query), writes)
	}

	// Another token approves nothing. The command in the condition does, at once.
	annotation, token, found := strings.Cut(strings.Fields(kit.Condition(query, imagev1alpha1.ConditionRemovalBlocked).Message)[4], "=")
	if !found || annotation != imagev1alpha1.AnnotationApproveRemoval ||
		!strings.HasPrefix(blocked.Message, "kubectl annotate imagequery golden ") || !strings.HasSuffix(blocked.Message, " --overwrite") {
		t.Fatalf("the condition's message is %q", blocked.Message)
	}
	w.Patch("golden", `{"metadata":{"annotations":{"`+annotation+`":"0123456789ab"}}}`)
	w.Poll("golden")
	if n := len(w.Images("")); n != 10 {
		t.Errorf("%d CloudImages after a wrong token, want 10", n)
	}
	w.Poll("golden")
	w.events(query, imagev1alpha1.EventApprovalRefused, 1)
	w.Patch("golden", `{"metadata":{"annotations":{"`+annotation+`":"`+token+`"}}}`)
	query = w.UntilSynced("golden")
	w.untilSelectedGone("golden", 0)
	kit.Equal(t, "CloudImages after the approval", []string{objectName(1), objectName(2), objectName(10)}, w.ImageNames(""))
	kit.Equal(t, "selected after the approval", "node-a", selectedNames(query))
	if history := query.Status.SelectedHistory; history[0].Reason != imagev1alpha1.SelectedGone || history[1].ReplacedTime == nil {
		t.Errorf("the history is %+v", history)
	}
}

// A single golden image with a tag: between two polls the old one is deleted and the new one built.
func TestTheOnlyGoldenImageIsReplacedByItself(t *testing.T) {
	w := newWorld(t)
	golden := func(number int) cvmtest.Image {
		image := newImage(number)
		image.Tags = []cvmtest.Tag{{Key: "role", Value: "web"}}
		return image
	}
	w.cloud.Put(region, golden(1), newImage(9))
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) {
		s.Filters = []imagev1alpha1.Filter{{Name: "tag:role", Values: []string{"web"}}}
	}))
	if query := w.UntilSynced("golden"); selectedNames(query) != "node-1" {
		t.Fatalf("selected is %q", selectedNames(query))
	}
	for number := 2; number <= 4; number++ {
		w.deleteImages(number - 1)
		w.cloud.Put(region, golden(number))
		query := w.Poll("golden")
		if want := newImage(number).ImageName; kit.Ready(query).Reason != imagev1alpha1.ReasonSynced || selectedNames(query) != want {
			t.Fatalf("selected is %q, want %s: %s", selectedNames(query), want, kit.Describe(query))
		}
		left := w.Image(objectName(number - 1))
		if left.Lifecycle.Presence != imagev1alpha1.PresenceGone || len(left.Lifecycle.Leaving) != 1 || !left.Lifecycle.Leaving[0].Replaced {
			t.Errorf("the replaced image's object is %+v", left.Lifecycle)
		}
		w.restart()
	}

	// An image without a replacement stays until there is one.
	w.deleteImages(4)
	w.cloud.Inject(cvmtest.Fault{Listing: true, Code: "InvalidParameterValue.TagKeyNotFound"})
	w.Patch("golden", `{"spec":{"minImages":0}}`)
	query := w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonRemovalBlocked)
	kit.Equal(t, "pending", []imagev1alpha1.PendingRemoval{{ImageID: newImage(4).ImageID, Name: "node-4", Reason: imagev1alpha1.RemovedGone}},
		query.Status.PendingRemoval)
	w.cloud.Heal()
	w.cloud.Put(region, golden(5))
	query = w.Poll("golden")
	if kit.Ready(query).Reason != imagev1alpha1.ReasonSynced || selectedNames(query) != "node-5" || len(query.Status.PendingRemoval) > 0 {
		t.Errorf("selected is %q: %s", selectedNames(query), kit.Describe(query))
	}
}

// Keys of an account with which our images are shared list all of them with another owner.
func TestKeysOfAnAccountThatImagesAreSharedWithAreHeldBack(t *testing.T) {
	w := newWorld(t)
	other := cvmtest.Credential{SecretID: "AKIDother", SecretKey: "other-key", UIN: "100000000002"}
	w.cloud.SetCredential(other)
	for _, image := range newImages(1, 2) {
		image.SharedWith = []string{other.UIN}
		w.cloud.Put(region, image)
	}
	w.Create(newQuery("golden", allNodes))
	w.UntilSynced("golden")
	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, other)
	query := w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonRemovalBlocked)
	if selectedNames(query) != "node-2" || len(query.Status.PendingRemoval) != 2 {
		t.Errorf("selected is %q: %s", selectedNames(query), kit.Describe(query))
	}
	if object := w.Image(objectName(2)); object.Image.Type != "PRIVATE_IMAGE" {
		t.Errorf("the object says that it is a %s", object.Image.Type)
	}
	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, cvmtest.DefaultCredential)
	if query = w.UntilSynced("golden"); selectedNames(query) != "node-2" {
		t.Errorf("with the right keys again, selected is %q", selectedNames(query))
	}
}

func TestAnotherAccountBehindTheSecretIsHeldBack(t *testing.T) {
	w := newWorld(t)
	other := cvmtest.Credential{SecretID: "AKIDother", SecretKey: "other-key", UIN: "100000000002"}
	w.cloud.SetCredential(other)
	w.cloud.Put(region, newImages(1, 2)...)
	for _, foreign := range newImages(3, 4) { // the same number
		foreign.Owner, foreign.ImageCreator = other.UIN, new(other.UIN)
		w.cloud.Put(region, foreign)
	}
	w.Create(newQuery("golden"))
	if query := w.UntilSynced("golden"); selectedNames(query) != "node-2" {
		t.Fatalf("selected is %q", selectedNames(query))
	}
	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, other)
	query := w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonRemovalBlocked)
	if selectedNames(query) != "node-2" || len(w.Images("")) != 4 {
		t.Errorf("selected is %q among %d CloudImages, want node-2 as before", selectedNames(query), len(w.Images("")))
	}
	// The correct keys restore the previous state.
	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, cvmtest.DefaultCredential)
	if query = w.UntilSynced("golden"); selectedNames(query) != "node-2" {
		t.Errorf("selected is %q", selectedNames(query))
	}
}

func TestTooFewImagesMovesNothingAndNamesWhatIsGone(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2)...)
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.MinImages = new(int32(2)) }))
	w.UntilSynced("golden")
	w.deleteImages(2)
	query := w.Poll("golden")
	if selectedNames(query) != "node-2" || len(query.Status.Images) != 2 || len(w.Images("")) != 2 {
		t.Errorf("something moved: %s", kit.Describe(query))
	}
	if message := kit.Ready(query).Message; !strings.Contains(message, "TooFewImages") || !strings.Contains(message, newImage(2).ImageID) ||
		!strings.Contains(message, "1 listed, 1 matches; nothing of this listing is published, since spec.minImages is 2") || *query.Status.ListedCount != 1 {
		t.Errorf("the message does not say how many are listed, or which selected image is gone: %s", message)
	}
}

// The cloud may reject a whole request because of one id in it. The other images are members nevertheless.
func TestAnIDThatTheCloudRefusesIsNoMember(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("golden", withoutGrace, func(s *imagev1alpha1.ImageQuerySpec) {
		s.Filters, s.ImageIDs = nil, nil
		for _, image := range newImages(1, 2, 3) {
			s.ImageIDs = append(s.ImageIDs, imagev1alpha1.ImageID(image.ImageID))
		}
	}))
	if query := w.UntilSynced("golden"); selectedNames(query) != "node-3" {
		t.Fatalf("selected is %q", selectedNames(query))
	}
	w.deleteImages(3)
	w.cloud.Inject(cvmtest.Fault{ImageID: newImage(3).ImageID, Code: "InvalidImageId.NotFound"})
	query := w.Poll("golden")
	if kit.Ready(query).Reason != imagev1alpha1.ReasonSynced || selectedNames(query) != "node-2" || len(w.Images("")) != 2 {
		t.Errorf("selected is %q among %d CloudImages: %s", selectedNames(query), len(w.Images("")), kit.Describe(query))
	}
	// If none is left, the reason is TooFewImages and not InvalidQuery.
	for number := 1; number <= 2; number++ {
		w.cloud.Inject(cvmtest.Fault{ImageID: newImage(number).ImageID, Code: "InvalidImageId.NotFound"})
	}
	query = w.Poll("golden")
	if !strings.Contains(kit.Ready(query).Message, imagev1alpha1.ReasonTooFewImages) ||
		selectedNames(query) != "node-2" || len(w.Images("")) != 2 {
		t.Errorf("selected is %q among %d CloudImages: %s", selectedNames(query), len(w.Images("")), kit.Describe(query))
	}
}

func TestATagKeyThatNobodyHasAndATypeThatIsSoldOutRemoveNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		fault      string
		wantReason string
	}{
		"the tag key is unknown": {"InvalidParameterValue.TagKeyNotFound", imagev1alpha1.ReasonRemovalBlocked},
		"the type is sold out":   {"ResourcesSoldOut.SpecifiedInstanceType", imagev1alpha1.ReasonRetrying},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cloud.Put(region, newImages(1, 2)...)
			w.Create(newQuery("golden", withoutGrace, func(s *imagev1alpha1.ImageQuerySpec) { s.MinImages = new(int32(0)) }))
			w.UntilSynced("golden")
			w.cloud.Inject(cvmtest.Fault{Code: tc.fault, Listing: true})
			query := w.Poll("golden")
			if kit.Ready(query).Reason != tc.wantReason || selectedNames(query) != "node-2" || len(w.Images("")) != 2 {
				t.Errorf("selected is %q among %d CloudImages: %s", selectedNames(query), len(w.Images("")), kit.Describe(query))
			}
		})
	}
}

func TestMoreThanAHundredLeaveAtOnce(t *testing.T) {
	w := newWorld(t)
	images := cvmtest.PrivateImages(5, 130, cvmtest.DefaultCredential.UIN)
	w.cloud.Put(region, images...)
	w.Create(newQuery("golden", withoutBreaker))
	w.UntilSynced("golden")
	for _, image := range images[:120] {
		w.cloud.Delete(region, image.ImageID)
	}
	w.cloud.ResetRequests()
	query := w.Poll("golden")
	if _, byID := w.listings(); byID != 2 {
		t.Errorf("%d requests by id for 120 images, want 2", byID)
	}
	inGrace := 0
	for _, image := range w.Images("") {
		inGrace += len(image.Lifecycle.Leaving)
	}
	if len(query.Status.Removing) != 100 || inGrace != 120 || ptr.Deref(query.Status.ImageCount, 0) != 10 {
		t.Errorf("status shows %d of %d images in grace, and %d members",
			len(query.Status.Removing), inGrace, ptr.Deref(query.Status.ImageCount, 0))
	}
}

// An edit excludes the only image that is left while the removal of all others is blocked. A person's edit needs no approval.
func TestAnEditExcludesAnImageWhileRemovalsAreBlocked(t *testing.T) {
	w := newWorld(t)
	inventory := cvmtest.PrivateImages(7, 8, cvmtest.DefaultCredential.UIN)
	w.cloud.Put(region, inventory...)
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.MinImages = ptr.To[int32](0) }))
	w.UntilSynced("golden")
	left := inventory[0].ImageID
	w.cloud.Clear(region)
	w.cloud.Put(region, inventory[0])
	w.Poll("golden")
	w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonRemovalBlocked)
	w.Patch("golden", `{"spec":{"match":{"excludeImageIDs":["`+left+`"]}}}`)
	w.cloud.Put(region, newImage(1))
	query := w.Poll("golden")
	for _, image := range query.Status.Images {
		if image.ImageID == left {
			t.Errorf("the excluded image is a member: %s", kit.Describe(query))
		}
	}
	if got := w.Images("")[region+"-"+left].Labels; got[imagev1alpha1.LabelQueryPrefix+"golden"] != "" {
		t.Errorf("its object has the labels %v", got)
	}
	if slices.ContainsFunc(query.Status.PendingRemoval, func(i imagev1alpha1.PendingRemoval) bool { return i.ImageID == left }) {
		t.Error("its removal waits for an approval")
	}
}
