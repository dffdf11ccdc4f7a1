// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

const never = 168 * time.Hour

// byIDs makes a query request numbered images, with a long interval.
func byIDs(numbers ...int) func(*imagev1alpha1.ImageQuerySpec) {
	return func(s *imagev1alpha1.ImageQuerySpec) {
		s.Filters, s.Interval.Duration = nil, never
		for _, number := range numbers {
			s.ImageIDs = append(s.ImageIDs, imagev1alpha1.ImageID(newImage(number).ImageID))
		}
	}
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

// untilImage waits for a state of a CloudImage.
func (w *world) untilImage(name, what string, reached func(*imagev1alpha1.CloudImage) bool) *imagev1alpha1.CloudImage {
	w.Helper()
	image := &imagev1alpha1.CloudImage{}
	w.Until(what+" (CloudImage "+name+")", func(ctx context.Context) error {
		*image = imagev1alpha1.CloudImage{}
		if err := w.Client.Get(ctx, client.ObjectKey{Name: name}, image); err != nil {
			return err
		}
		if !reached(image) {
			return fmt.Errorf("it has labels %v, owners %v and lifecycle %+v", image.Labels, image.OwnerReferences, image.Lifecycle)
		}
		return nil
	})
	return image
}

func labelOf(query string) string { return imagev1alpha1.LabelQueryPrefix + query }

func TestADeletedQueryLeavesNothingOnWhatAnotherKeepsInGrace(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2)...)
	w.Create(newQuery("a", byIDs(1)), newQuery("b", byIDs(1, 2), func(s *imagev1alpha1.ImageQuerySpec) {
		s.Removal.GracePeriod = &metav1.Duration{Duration: 8760 * time.Hour}
	}))
	w.UntilSynced("a")
	w.UntilSynced("b")
	w.Patch("b", `{"spec":{"imageIDs":["`+newImage(2).ImageID+`"]}}`)
	w.UntilCurrent("b")
	w.Patch("b", `{"spec":{"suspend":true}}`)
	w.UntilReady("b", metav1.ConditionTrue, imagev1alpha1.ReasonSuspended)
	w.Delete(&imagev1alpha1.ImageQuery{ObjectMeta: named("a")})
	w.untilImage(objectName(1), "nothing of the deleted query is left", func(i *imagev1alpha1.CloudImage) bool {
		return i.Labels[labelOf("a")] == "" && i.Lifecycle.Presence == imagev1alpha1.PresenceNotMatched
	})
}

func TestAWriteThatIsInvalidIsNotTriedAllTheTime(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2)...)
	w.Create(newQuery("a", byIDs(1)), newQuery("b", byIDs(1)), newQuery("other", byIDs(2)))
	for _, name := range []string{"a", "b", "other"} {
		w.UntilSynced(name)
	}
	w.Patch("b", `{"spec":{"suspend":true}}`)
	w.UntilReady("b", metav1.ConditionTrue, imagev1alpha1.ReasonSuspended)
	write := "PUT cloudimages/" + objectName(1)
	w.meets(func(got string) *http.Response {
		if got != write {
			return nil
		}
		return refusal(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
	})
	w.writes.take()
	w.Delete(&imagev1alpha1.ImageQuery{ObjectMeta: named("a")})
	tries := 0
	count := func() {
		for _, got := range w.writes.take() {
			if got == write {
				tries++
			}
		}
	}
	w.Eventually(func() error {
		if count(); tries == 0 {
			return fmt.Errorf("nobody has tried to write")
		}
		return nil
	})
	for range 3 { // a second each
		w.Poll("other")
	}
	if count(); tries > 1 {
		t.Errorf("it was tried %d times", tries)
	}
}

// refusal returns an error response of the API server.
func refusal(code int, reason metav1.StatusReason) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code)
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

func TestAWriteThatIsGivenUpIsAFailure(t *testing.T) {
	for name, tc := range map[string]struct {
		write  string
		code   int
		reason metav1.StatusReason
	}{
		"always another was quicker": {
			write: "PUT cloudimages/" + objectName(1), code: http.StatusConflict, reason: metav1.StatusReasonConflict,
		},
		"the kind is not there": {
			write: "POST cloudimages", code: http.StatusNotFound, reason: metav1.StatusReasonNotFound,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cloud.Put(region, newImage(1), newImage(2))
			w.Create(newQuery("a", byIDs(1)))
			w.UntilSynced("a")
			w.meets(func(write string) *http.Response {
				if write != tc.write {
					return nil
				}
				return refusal(tc.code, tc.reason)
			})
			w.Create(newQuery("b", byIDs(1, 2)))
			query := w.UntilCurrent("b")
			c := kit.Ready(query)
			if c.Status != metav1.ConditionFalse || c.Reason != imagev1alpha1.ReasonWriteFailed ||
				!contains(c.Message, string(tc.reason), region+"-img-") {
				t.Errorf("Ready is %+v", c)
			}
			w.meets(nil)
			w.pass(time.Minute)
			w.UntilSynced("b")
			w.carries("b")
		})
	}
}

// carries checks that all objects of a synced query's members have its label and owner reference, except those counted
// in its message.
func (w *world) carries(name string) {
	w.Helper()
	query := w.Query(name)
	objects := w.Images("")
	for _, shown := range query.Status.Images {
		image := objects[region+"-"+shown.ImageID]
		owned := slices.ContainsFunc(image.OwnerReferences, func(ref metav1.OwnerReference) bool { return ref.UID == query.UID })
		want := imagev1alpha1.QueryMember
		if shown.Selection == imagev1alpha1.VerdictSelected {
			want = imagev1alpha1.QuerySelected
		}
		if !owned || image.Labels[labelOf(name)] != want {
			w.Errorf("%s is synced, and %s has its label %q, want %q; owned: %v", name, shown.ImageID, image.Labels[labelOf(name)], want, owned)
		}
	}
}

// rush describes queries that share images.
type rush struct {
	queries   [][]int        // the image numbers of each query
	conflicts map[int]int    // number of conflicting writes per image
	edits     []int          // queries that are edited meanwhile
	labels    map[int]string // requested labels
}

var rushes = rapid.Custom(func(t *rapid.T) rush {
	numbers := rapid.SliceOfNDistinct(rapid.IntRange(1, 4), 1, 4, rapid.ID)
	return rush{
		queries:   rapid.SliceOfN(numbers, 2, 5).Draw(t, "queries"),
		conflicts: rapid.MapOfN(rapid.IntRange(1, 4), rapid.IntRange(1, 20), 1, 4).Draw(t, "conflicts"),
		edits:     rapid.SliceOfN(rapid.IntRange(0, 4), 0, 3).Draw(t, "edits"),
		labels:    rapid.MapOfN(rapid.IntRange(0, 4), rapid.SampledFrom([]string{"infra", "web"}), 0, 3).Draw(t, "labels"),
	}
})

// A status with the reason Synced is written after the objects, even with conflicts.
func TestSyncedMeansThatEveryObjectIsWritten(t *testing.T) {
	for seed := range 6 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w, life := newWorld(t), rushes.Example(seed)
			w.cloud.Put(region, newImages(1, 2, 3, 4)...)
			w.disturb(life.conflicts)
			for i, numbers := range life.queries {
				w.Create(newQuery(fmt.Sprint("q", i), byIDs(numbers...), func(s *imagev1alpha1.ImageQuerySpec) {
					if team := life.labels[i]; team != "" {
						s.CloudImages.Labels = map[string]imagev1alpha1.LabelValue{"team": imagev1alpha1.LabelValue(team)}
					}
				}))
			}
			for _, i := range life.edits {
				if i < len(life.queries) {
					w.Patch(fmt.Sprint("q", i), `{"spec":{"selection":{"skip":1}}}`)
				}
			}
			for i := range life.queries {
				name := fmt.Sprint("q", i)
				w.UntilQuery(name, "it is synced or says what isn't written", func(q *imagev1alpha1.ImageQuery) bool {
					if q.Status.SyncedGeneration != q.Generation {
						return false
					}
					if meta.IsStatusConditionTrue(q.Status.Conditions, imagev1alpha1.ConditionReady) {
						w.carries(name)
					}
					return true
				})
			}
		})
	}
}

// Each of the queries asks for a label, which a write made for several of them must keep.
func TestQueriesOfTheSameImagesDoNotConflict(t *testing.T) {
	const queries = 4
	w := newWorld(t)
	images := cvmtest.PrivateImages(1, 40, cvmtest.DefaultCredential.UIN)
	w.cloud.Put(region, images...)
	label := func(i int) string { return fmt.Sprint("asked-by-", i) }
	for i := range queries {
		w.Create(newQuery(fmt.Sprint("q", i), rarely, func(s *imagev1alpha1.ImageQuerySpec) {
			s.CloudImages.Labels = map[string]imagev1alpha1.LabelValue{label(i): "yes"}
		}))
	}
	for i := range queries {
		w.UntilSynced(fmt.Sprint("q", i))
	}
	for i := range queries {
		if got := len(w.Images(fmt.Sprint("q", i))); got != len(images) {
			t.Errorf("q%d has %d CloudImages, want %d", i, got, len(images))
		}
	}
	for name, image := range w.Images("") {
		for i := range queries {
			if len(image.OwnerReferences) != queries || image.Labels[label(i)] != "yes" {
				t.Errorf("%s has the owners %v and the labels %v", name, image.OwnerReferences, image.Labels)
			}
		}
	}
	for series, count := range w.series("imagecatalog_cloudimage_writes_total") {
		if strings.Contains(series, `result="conflict"`) {
			t.Errorf("%s is %v", series, count)
		}
	}
}

// disturb writes numbered images just before the operator's next updates of them, so that these conflict.
func (w *world) disturb(times map[int]int) {
	var mu sync.Mutex
	left := map[string]int{}
	for number, n := range times {
		left["PUT cloudimages/"+objectName(number)] = n
	}
	w.meets(func(write string) *http.Response {
		mu.Lock()
		defer mu.Unlock()
		if left[write] > 0 {
			left[write]--
			image := &imagev1alpha1.CloudImage{ObjectMeta: named(strings.TrimPrefix(write, "PUT cloudimages/"))}
			patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"test/quicker":"%d"}}}`, left[write])
			if err := w.Client.Patch(w.Context(), image, client.RawPatch(types.MergePatchType, patch)); client.IgnoreNotFound(err) != nil {
				w.Error(err)
			}
		}
		return nil
	})
}
