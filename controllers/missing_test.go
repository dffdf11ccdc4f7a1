// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

func rarely(s *imagev1alpha1.ImageQuerySpec) { s.Interval.Duration = never }

// untilObjects waits for a number of CloudImages.
func (w *world) untilObjects(want int) {
	w.Helper()
	w.Eventually(func() error {
		if got := len(w.Images("")); got != want {
			return fmt.Errorf("%d CloudImages, want %d", got, want)
		}
		return nil
	})
}

func contains(s string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(s, part) })
}

func (w *world) deleteObjects() {
	w.Helper()
	if err := w.Client.DeleteAllOf(w.Context(), &imagev1alpha1.CloudImage{}); err != nil {
		w.Fatal(err)
	}
}

func TestADeletedCloudImageIsMadeAnewLongBeforeTheInterval(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("golden", rarely))
	w.UntilSynced("golden")
	w.pass(time.Minute)
	w.idle()
	uid := w.Image(objectName(2)).UID
	w.Delete(&imagev1alpha1.CloudImage{ObjectMeta: named(objectName(2))})
	w.untilImage(objectName(2), "it is another object", func(i *imagev1alpha1.CloudImage) bool { return i.UID != uid })
}

func TestAStartFindsThatCloudImagesAreMissing(t *testing.T) {
	for name, lose := range map[string]func(*world){
		"all are deleted": (*world).deleteObjects,
		"one has lost its owner": func(w *world) {
			image := w.Image(objectName(2))
			image.OwnerReferences, image.Labels = nil, nil
			if err := w.Client.Update(w.Context(), &image); err != nil {
				w.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cloud.Put(region, newImages(1, 2, 3)...)
			w.Create(newQuery("golden", rarely), newQuery("none", rarely, withoutObjects))
			w.UntilSynced("golden")
			none := w.UntilSynced("none")
			w.restart(func() { lose(w) })
			w.pass(time.Minute) // the longest spread
			w.untilObjects(3)
			w.untilImage(objectName(2), "it has its owner", func(i *imagev1alpha1.CloudImage) bool { return len(i.OwnerReferences) == 1 })
			w.idle()
			if got := w.Query("none"); got.ResourceVersion != none.ResourceVersion {
				t.Error("a query that wants no objects was polled")
			}
		})
	}
}

// The operator's own deletions, and objects left to the garbage collector, aren't missing.
func TestOwnDeletionsMakeNothingDue(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("golden", rarely), newQuery("deleted", rarely, func(s *imagev1alpha1.ImageQuerySpec) { s.Region = "ap-shanghai" }))
	w.cloud.Put("ap-shanghai", newImage(4))
	w.UntilSynced("golden")
	w.Poll("deleted")
	w.Patch("golden", `{"spec":{"cloudImages":{"policy":"Selected"}}}`)
	w.UntilCurrent("golden")
	w.untilObjects(2)
	w.Delete(&imagev1alpha1.ImageQuery{ObjectMeta: named("deleted")})
	w.Delete(&imagev1alpha1.CloudImage{ObjectMeta: named("ap-shanghai-" + newImage(4).ImageID)})
	w.idle()
	w.cloud.ResetRequests()
	w.pass(time.Minute)
	// If anything had become due, it would have been polled before a later query is synced.
	w.Create(newQuery("later", byIDs(3)))
	w.UntilSynced("later")
	w.idle()
	if listings, _ := w.listings(); listings > 0 {
		t.Errorf("%d listings, and nothing was due", listings)
	}
}

func TestAJobThatDeletesAllTheTimeDrivesFewPolls(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("golden", rarely))
	w.UntilSynced("golden")
	w.cloud.ResetRequests()
	// The objects are deleted each time they are back: after 5, 15 and 35 s, and not before 75 s.
	for second := range 70 {
		w.deleteObjects()
		w.pass(time.Second)
		if second%5 == 0 {
			w.idle()
		}
	}
	w.idle()
	if listings, _ := w.listings(); listings < 2 || listings > 5 {
		t.Errorf("%d listings in 70 s, want one after 5, 15 and 35 s", listings)
	}
}

func TestAnObjectWithoutOwnersGoesAfterADayUnlessAQueryTakesItUp(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2)...)
	w.Create(newQuery("golden", byIDs(1, 2)))
	w.UntilSynced("golden")
	// Like kubectl delete --cascade=orphan, where the garbage collector removes the owner references.
	orphan := func(number int) {
		image := &imagev1alpha1.CloudImage{ObjectMeta: named(objectName(number))}
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"ownerReferences":null}}`))
		if err := w.Client.Patch(w.Context(), image, patch); err != nil {
			w.Fatal(err)
		}
	}
	w.Delete(&imagev1alpha1.ImageQuery{ObjectMeta: named("golden")})
	for _, number := range []int{1, 2} {
		orphan(number)
		image := w.untilImage(objectName(number), "it is marked", func(i *imagev1alpha1.CloudImage) bool {
			return i.Lifecycle.DeleteAfter != nil && i.Labels[labelOf("golden")] == ""
		})
		if l := image.Lifecycle; l.Presence != imagev1alpha1.PresenceNotMatched || len(l.Leaving) > 0 ||
			l.DeleteAfter.Sub(w.clock.Now()).Round(time.Hour) != 24*time.Hour || image.Labels[imagev1alpha1.LabelPresence] != "NotMatched" {
			t.Errorf("it is %+v with %v", l, image.Labels)
		}
	}
	// A query adopts one of them.
	w.Create(newQuery("taker", byIDs(2)))
	w.UntilSynced("taker")
	if image := w.Image(objectName(2)); image.Lifecycle.Presence != imagev1alpha1.PresencePresent || image.Lifecycle.DeleteAfter != nil {
		t.Errorf("taken up, it is %+v", image.Lifecycle)
	}
	// A start checks all of them.
	w.restart(func() { w.clock.offset.Add(int64(23 * time.Hour)) })
	w.idle()
	if got := len(w.Images("")); got != 2 {
		t.Errorf("%d CloudImages after 23 hours, want 2", got)
	}
	w.restart(func() { w.clock.offset.Add(int64(2 * time.Hour)) })
	w.untilObjects(1)
	if image := w.Image(objectName(2)); len(image.OwnerReferences) != 1 {
		t.Errorf("it has owners %v", image.OwnerReferences)
	}
}

// A backup is restored beside a query that has the image as a member.
func TestAQueryTakesUpWhatLostItsOwner(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2)...)
	query := newQuery("golden", rarely)
	w.Create(query)
	w.UntilSynced("golden")
	w.pass(time.Minute)
	image := w.Image(objectName(1))
	image.OwnerReferences = nil
	if err := w.Client.Update(w.Context(), &image); err != nil {
		t.Fatal(err)
	}
	w.untilImage(objectName(1), "it is the query's again", func(i *imagev1alpha1.CloudImage) bool {
		return len(i.OwnerReferences) == 1 && i.OwnerReferences[0].UID == query.UID && i.Labels[labelOf("golden")] != "" &&
			i.Lifecycle.Presence == imagev1alpha1.PresencePresent && i.Lifecycle.DeleteAfter == nil
	})
}

// An incomplete record must not look complete.
func TestAnImageThatOnlyStatusTellsOfGetsNoRecord(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3, 4, 5, 6)...)
	w.Create(newQuery("golden", withoutObjects))
	w.UntilSynced("golden")
	w.restart() // the in-memory state is lost
	w.deleteImages(2, 3, 4, 5, 6)
	w.Poll("golden")
	w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonRemovalBlocked)
	w.Patch("golden", `{"spec":{"cloudImages":{"policy":"All"}}}`)
	w.UntilCurrent("golden")
	w.Poll("golden")
	for name, image := range w.Images("") {
		if image.Image.State == "" || image.Image.Type == "" || image.Image.SizeGiB == 0 {
			t.Errorf("%s has the record %+v", name, image.Image)
		}
	}
	if got := len(w.Images("")); got != 1 {
		t.Errorf("%d CloudImages, want that of the image that is there", got)
	}
}

func TestTheSixtyFifthQueryOfAnImageIsLeftOutAndToldSo(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	labels := func(s *imagev1alpha1.ImageQuerySpec) {
		s.CloudImages.Labels = map[string]imagev1alpha1.LabelValue{"team": "infra"}
	}
	w.Create(newQuery("z-first", byIDs(1), labels))
	w.UntilSynced("z-first")
	for i := range 63 {
		w.Create(newQuery(fmt.Sprintf("q%02d", i), byIDs(1)))
	}
	for i := range 63 {
		w.UntilSynced(fmt.Sprintf("q%02d", i))
		w.carries(fmt.Sprintf("q%02d", i))
	}
	w.Create(newQuery("late", byIDs(1), labels))
	query := w.UntilSynced("late")
	if got := kit.Ready(query).Message; !contains(got, "64 other queries", objectName(1)) || selectedNames(query) != "node-1" {
		t.Errorf("selected is %q, and Ready says %q", selectedNames(query), got)
	}
	image := w.Image(objectName(1))
	if len(image.OwnerReferences) != 64 || image.Labels[labelOf("late")] != "" || image.Labels["team"] != "infra" {
		t.Errorf("%d owners, labels %v", len(image.OwnerReferences), image.Labels)
	}
	// A place becomes free when another query leaves.
	w.Patch("q00", `{"spec":{"cloudImages":{"policy":"None"}}}`)
	w.UntilCurrent("q00")
	w.Poll("late")
	w.carries("late")
}

func TestTheOlderQuerysLabelStaysAndTheNewerIsToldSo(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	approved := func(value string) func(*imagev1alpha1.ImageQuerySpec) {
		return func(s *imagev1alpha1.ImageQuerySpec) {
			s.CloudImages.Labels = map[string]imagev1alpha1.LabelValue{"approved": imagev1alpha1.LabelValue(value)}
		}
	}
	older := newQuery("zz", byIDs(1), approved("yes"))
	w.Create(older)
	w.UntilSynced("zz")
	w.Eventually(func() error { // creation times have seconds
		if time.Since(older.CreationTimestamp.Time) < time.Second {
			return fmt.Errorf("the next query would be as old")
		}
		return nil
	})
	w.Create(newQuery("0", byIDs(1), approved("no")))
	query := w.UntilSynced("0")
	if got := w.Image(objectName(1)).Labels["approved"]; got != "yes" || !contains(kit.Ready(query).Message, "approved") {
		t.Errorf("the label is %q, and the newer query's Ready says %q", got, kit.Ready(query).Message)
	}
}

// The watch may report a write before its answer is there. What is remembered of that write must not stand for the object.
func TestAnObjectThatIsDeletedAgainAndAgainComesBack(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, cvmtest.PrivateImages(1, 3, cvmtest.DefaultCredential.UIN)...)
	w.Create(newQuery("golden", rarely))
	w.UntilSynced("golden")
	names := w.ImageNames("golden")
	for range 15 {
		for _, name := range names {
			w.Delete(&imagev1alpha1.CloudImage{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
		w.Poll("golden")
		w.untilObjects(len(names)) // the poll may be too early to find that they are missing
	}
}
