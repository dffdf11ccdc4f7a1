// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

func TestASentenceKeepsNamesAsTheyAreWritten(t *testing.T) {
	for given, want := range map[string]string{
		"":                        "",
		"the cloud is not asked":  "The cloud is not asked.",
		"spec.suspend is true":    "spec.suspend is true.",
		"arm64: img-1 → img-2":    "arm64: img-1 → img-2.",
		"img-mmytdhbn → nothing":  "img-mmytdhbn → nothing.",
		"2 of 3 listed match.":    "2 of 3 listed match.",
		"über allem steht nichts": "Über allem steht nichts.",
	} {
		if got := sentence(given); got != want {
			t.Errorf("%q became %q, want %q", given, got, want)
		}
	}
}

func TestWhatIsKnownAfterAFailure(t *testing.T) {
	for name, tc := range map[string]struct {
		images    int32
		published bool
		success   time.Time
		want      string
	}{
		"nothing ever":       {want: "No images are known yet."},
		"an empty catalogue": {success: catalogtest.Noon, want: "No images are known."},
		"one": {
			images: 1, success: catalogtest.Noon,
			want: "The 1 image of " + catalogtest.Noon.Format(time.RFC3339) + " is kept.",
		},
		"two": {
			images: 2, success: catalogtest.Noon,
			want: "The 2 images of " + catalogtest.Noon.Format(time.RFC3339) + " are kept.",
		},
		"two, and only their objects are not":  {images: 2, published: true, want: "The 2 images of this listing are in status."},
		"two, from an unknown time":            {images: 2, want: "The 2 known images are kept."},
		"none, and an object was not released": {published: true, want: "No images are known."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := knownStill(&imagev1alpha1.ImageQueryStatus{ImageCount: &tc.images}, &pollResult{published: tc.published},
				tc.success); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOnlyGoneImagesCountAsSelectedAndGone(t *testing.T) {
	status := &imagev1alpha1.ImageQueryStatus{
		Selected: []imagev1alpha1.SelectedImage{{ImageID: "img-a"}, {ImageID: "img-b"}, {ImageID: "img-c"}},
		PendingRemoval: []imagev1alpha1.PendingRemoval{
			{ImageID: "img-a", Reason: imagev1alpha1.RemovedGone}, {ImageID: "img-b", Reason: imagev1alpha1.RemovedNotMatched},
			{ImageID: "img-z", Reason: imagev1alpha1.RemovedGone},
		},
	}
	if got := selectedGone(status); got != 1 {
		t.Errorf("%d selected images are gone, want 1", got)
	}
}

// Without a new listing, Selected describes the current selection.
func TestSelectedWithoutANewListing(t *testing.T) {
	a := catalogtest.Image("a", 1)
	kept := metav1.Condition{
		Type: imagev1alpha1.ConditionSelected, Status: metav1.ConditionTrue, Reason: imagev1alpha1.ReasonKept,
		Message: "Why.",
	}
	for name, tc := range map[string]struct {
		selected []string
		before   []metav1.Condition
		edit     func(*imagev1alpha1.ImageQuery)
		want     string
	}{
		"nothing is selected, by a status of old": {want: "False NothingSelected: No member qualifies to be selected: 1 TooYoung."},
		"it is selected, by a status of old":      {selected: []string{"a"}, want: "True Selected: 1 image is selected: a (amd64)."},
		"it was kept":                             {selected: []string{"a"}, before: []metav1.Condition{kept}, want: "True Kept: Why."},
		"an edit that isn't synced": {
			selected: []string{"a"}, edit: only("x"), want: "True Selected: 1 image is selected: a (amd64).",
		},
		"an edit that isn't synced, nothing is selected": {
			edit: only("x"),
			want: "Unknown Progressing: This generation of the spec has not been synced yet, and nothing is selected.",
		},
		"an edit takes out what was kept": {
			selected: []string{"a"}, before: []metav1.Condition{kept}, edit: excluding(a),
			want: "Unknown Progressing: This generation of the spec has not been synced yet, and nothing is selected.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			q, k := remembered(nil, tc.selected...)
			if tc.selected != nil {
				q.Status.Selected = []imagev1alpha1.SelectedImage{{ImageID: a.ID, Name: a.Name, Architecture: a.Architecture}}
			} else {
				q.Status.Images = []imagev1alpha1.ImageSummary{{ImageID: a.ID, Selection: imagev1alpha1.VerdictTooYoung}}
			}
			q.Status.Conditions = tc.before
			if tc.edit != nil {
				q.Generation++
				tc.edit(q)
			}
			matcher := selection.Matcher{Match: &q.Spec.Match}
			for step, status := range map[string]*imagev1alpha1.ImageQueryStatus{
				"progressing": progressing(q, matcher, k, catalogtest.Noon), "suspended": suspended(q, matcher, k, catalogtest.Noon),
			} {
				c := meta.FindStatusCondition(status.Conditions, imagev1alpha1.ConditionSelected)
				if c == nil || string(c.Status)+" "+c.Reason+": "+c.Message != tc.want || c.ObservedGeneration != q.Generation {
					t.Errorf("%s: Selected is %+v, want %s", step, c, tc.want)
				}
			}
		})
	}
}

// A failed poll changes Ready's reason at once, but Ready stays True while the data is fresh.
func TestReadyIsRetryingWhileTheDataIsFresh(t *testing.T) {
	for name, tc := range map[string]struct {
		stalled bool
		edited  bool
		age     time.Duration
		want    string
	}{
		"fresh":                       {age: time.Minute, want: "True Retrying"},
		"fresh, a person must act":    {age: time.Minute, stalled: true, want: "True Retrying"},
		"not fresh":                   {age: time.Hour, want: "False Throttled"},
		"fresh of another generation": {age: time.Minute, edited: true, want: "False Throttled"},
	} {
		t.Run(name, func(t *testing.T) {
			q, _ := remembered(nil)
			q.Spec.Interval.Duration = time.Minute
			q.Status.LastSyncTime = new(metav1.NewTime(catalogtest.Noon.Add(-tc.age)))
			if tc.edited {
				q.Generation++
			}
			o := &pollResult{failure: &failure{reason: imagev1alpha1.ReasonThrottled, message: "too much", stalled: tc.stalled}}
			ready := statusAfterPoll(q, o, &pollState{}, 500, catalogtest.Noon).Conditions[0]
			if got := string(ready.Status) + " " + ready.Reason; got != tc.want || !strings.Contains(ready.Message, "oo much") {
				t.Errorf("Ready is %s (%s), want %s", got, ready.Message, tc.want)
			}
		})
	}
}
