// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
	"unicode/utf8"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// build returns an image of an architecture and an age in hours.
func build(name string, hours int, architecture string) catalog.Image {
	image := catalogtest.Image(name, hours)
	image.ID, image.Architecture = "img-"+name, architecture
	return image
}

// on returns an image with another platform.
func on(image catalog.Image, platform string) catalog.Image {
	image.Platform = platform
	return image
}

func TestAnEventNamesEachGroupThatChanged(t *testing.T) {
	a1, a2, b1, b2 := build("a1", 4, "amd64"), build("a2", 2, "amd64"), build("b1", 4, "arm64"), build("b2", 2, "arm64")
	both := []catalog.Image{a1, b1}
	for name, tc := range map[string]struct {
		known, listed []catalog.Image
		groupBy       []imagev1alpha1.SelectionGroup
		first, edited bool
		want          string
	}{
		"nothing": {known: both, listed: both},
		"the first": {
			listed: both, first: true,
			want: "amd64: nothing → img-a1 (a1): the first selection; arm64: nothing → img-b1 (b1): the first selection",
		},
		"a newer one": {
			known: both, listed: []catalog.Image{a1, a2, b1},
			want: "amd64: img-a1 (a1) → img-a2 (a2): another image comes first now",
		},
		"one was deleted": {
			known: both, listed: []catalog.Image{a1, b2},
			want: "arm64: img-b1 (b1) → img-b2 (b2): the old image is no longer visible to these credentials",
		},
		"each for its own": {
			known: both, listed: []catalog.Image{a1, a2, b2},
			want: "amd64: img-a1 (a1) → img-a2 (a2): another image comes first now; arm64: img-b1 (b1) → img-b2 (b2): the old image is no longer visible to these credentials",
		},
		"nothing replaces it": {known: both, listed: []catalog.Image{a1}, want: "arm64: img-b1 (b1) → nothing: the old image is no longer visible to these credentials"},
		"the spec was changed": {
			known: both, listed: []catalog.Image{a1, a2, b1}, edited: true,
			want: "amd64: img-a1 (a1) → img-a2 (a2): the spec was changed",
		},
		"one group over all": {
			known: []catalog.Image{a1}, listed: []catalog.Image{a1, b2}, groupBy: []imagev1alpha1.SelectionGroup{imagev1alpha1.GroupByNone},
			want: "img-a1 (a1) → img-b2 (b2): another image comes first now",
		},
		"groups by platform, which status doesn't have": {
			known: []catalog.Image{on(a1, "Ubuntu"), on(b1, "TencentOS")}, listed: []catalog.Image{on(a2, "Ubuntu"), on(b1, "TencentOS")},
			groupBy: []imagev1alpha1.SelectionGroup{imagev1alpha1.GroupByPlatform, imagev1alpha1.GroupByArchitecture},
			want:    "Ubuntu, amd64: img-a1 (a1) → img-a2 (a2): the old image is no longer visible to these credentials",
		},
		"an image without a family": {
			known: []catalog.Image{a1}, listed: []catalog.Image{a1, a2}, groupBy: []imagev1alpha1.SelectionGroup{imagev1alpha1.GroupByImageFamily},
			want: "unknown family: img-a1 (a1) → img-a2 (a2): another image comes first now",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var selected []string
			for _, image := range tc.known {
				selected = append(selected, image.Name)
			}
			q, k := remembered(tc.known, selected...)
			q.Spec.Removal.MaxRemovedPercent = new(int32(100))
			q.Spec.Selection.GroupBy = tc.groupBy
			if tc.groupBy == nil {
				q.Spec.Selection.GroupBy = []imagev1alpha1.SelectionGroup{imagev1alpha1.GroupByArchitecture}
			}
			if tc.first {
				q.Status.SelectedHistory = nil
			}
			if tc.edited {
				q.Generation++
			}
			r, err := selection.NewRules(&q.Spec)
			if err != nil {
				t.Fatal(err)
			}
			v := selection.Observation{Matching: tc.listed, Missing: map[string]imagev1alpha1.RemovalReason{}, Gone: map[string]bool{}}
			there := selection.IDsOf(tc.listed)
			for _, image := range tc.known {
				if !there[image.ID] {
					v.Missing[image.ID], v.Gone[image.ID] = imagev1alpha1.RemovedGone, true
				}
			}
			if got := selectionChange(selection.Changes(q, r.Decide(q, k, v, catalogtest.Noon))); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestEveryReasonOfASelectionHasWords(t *testing.T) {
	for _, reason := range []imagev1alpha1.SelectionReason{
		imagev1alpha1.SelectedFirst, imagev1alpha1.SelectedNewImage, imagev1alpha1.SelectedGone, imagev1alpha1.SelectedNotMatched,
		imagev1alpha1.SelectedNotNormal,
		imagev1alpha1.SelectedDeprecated, imagev1alpha1.SelectedSpecChanged, imagev1alpha1.SelectedAged, imagev1alpha1.SelectedPinned,
	} {
		if reasonWords[reason] == "" {
			t.Errorf("%s has no words", reason)
		}
	}
}

// Kubernetes rejects events with longer messages, in bytes.
func TestAMessageIsCutBetweenLetters(t *testing.T) {
	for _, given := range []string{strings.Repeat("图", 400), "a" + strings.Repeat("图", 400), strings.Repeat("x", 1025)} {
		if got := shorten(given); len(got) > maxMessage || len(got) < maxMessage-5 || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("%d bytes became %d: %q", len(given), len(got), got[len(got)-8:])
		}
	}
	if got := shorten(strings.Repeat("x", maxMessage)); len(got) != maxMessage || strings.HasSuffix(got, "…") {
		t.Errorf("what fits was cut to %d bytes", len(got))
	}
}
