// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// longest returns images with the longest texts that the schema admits, of the characters with the longest encoding.
func longest(n int) []catalog.Image {
	out := make([]catalog.Image, n)
	for i := range out {
		out[i] = catalog.Image{
			ID: fmt.Sprintf("img-%032d", i), Name: strings.Repeat("<", 255), Architecture: strings.Repeat("&", 64),
			CreatedTime: time.Date(2026, 8, 20, 8, 0, 0, 0, time.UTC),
		}
	}
	return out
}

func TestAStatusFitsWhateverIsInIt(t *testing.T) {
	for _, n := range []int{0, 1, 200, 2000} {
		c := selection.Selection{Selected: longest(n), Verdicts: map[string]imagev1alpha1.SelectionVerdict{}}
		for _, image := range c.Selected {
			c.Verdicts[image.ID] = imagev1alpha1.VerdictSelected
		}
		boundSelection(&c)
		s := imagev1alpha1.ImageQueryStatus{
			Selected: selectedImages(c.Selected), Images: summaries(longest(n), c.Verdicts),
			Conditions: slices.Repeat([]metav1.Condition{{Message: shorten(strings.Repeat("<", 40_000))}}, 4),
		}
		truncateToSize(&imagev1alpha1.ImageQuery{}, &s)
		if size := encodedSize(&s); size > maxStatusBytes {
			t.Errorf("with %d images the status has %d bytes", n, size)
		}
		if len(s.Selected)+c.Omitted != n || n > 0 && (len(s.Selected) < min(n, 200) || len(s.Images) < min(n, 200)) {
			t.Errorf("of %d images %d are selected, %d omitted and %d shown", n, len(s.Selected), c.Omitted, len(s.Images))
		}
		if cut := s.ImagesTruncated != nil && *s.ImagesTruncated; cut != (len(s.Images) < n) {
			t.Errorf("of %d images %d are shown, and imagesTruncated is %t", n, len(s.Images), cut)
		}
		for id, verdict := range c.Verdicts {
			selected := slices.ContainsFunc(s.Selected, func(i imagev1alpha1.SelectedImage) bool { return i.ImageID == id })
			if selected != (verdict == imagev1alpha1.VerdictSelected) {
				t.Fatalf("%s is %s, and is selected: %t", id, verdict, selected)
			}
		}
	}
}
