// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
)

// selectedOf returns images as status.selected has them.
func selectedOf(images ...catalog.Image) []imagev1alpha1.SelectedImage {
	var out []imagev1alpha1.SelectedImage
	for _, image := range images {
		out = append(out, imagev1alpha1.SelectedImage{ImageID: image.ID, Name: image.Name, Architecture: image.Architecture, Type: image.Type})
	}
	return out
}

// Each case replaces old by a; other was selected before, and is still.
func TestWhyASelectionReplacesTheOneBefore(t *testing.T) {
	old, a, other := catalogtest.Image("old", 9), catalogtest.Image("a", 1), catalogtest.Image("other", 5, "SYNCING")
	exporting, deprecated := catalogtest.Image("old", 9, "EXPORTING"), catalogtest.Image("old", 9, "deprecated")
	for name, tc := range map[string]struct {
		member  *catalog.Image // old, as it is now
		gone    bool
		pin     bool
		young   string // the id of an image that was TooYoung
		edited  bool
		want    imagev1alpha1.SelectionReason
		waiting bool // old is selected still
	}{
		"a new image":                        {member: &old, want: imagev1alpha1.SelectedNewImage},
		"it is gone":                         {gone: true, want: imagev1alpha1.SelectedGone},
		"it matches no more":                 {want: imagev1alpha1.SelectedNotMatched},
		"it isn't NORMAL":                    {member: &exporting, want: imagev1alpha1.SelectedNotNormal},
		"it is deprecated":                   {member: &deprecated, want: imagev1alpha1.SelectedDeprecated},
		"another one is pinned":              {member: &old, pin: true, want: imagev1alpha1.SelectedPinned},
		"a young one is old enough":          {member: &old, young: a.ID, want: imagev1alpha1.SelectedAged},
		"another one is too young":           {member: &old, young: "img-b", want: imagev1alpha1.SelectedNewImage},
		"gone counts more than a pin":        {gone: true, pin: true, want: imagev1alpha1.SelectedGone},
		"an edit":                            {member: &old, edited: true, want: imagev1alpha1.SelectedSpecChanged},
		"an edit that pins":                  {member: &old, edited: true, pin: true, want: imagev1alpha1.SelectedPinned},
		"what stays selected has no reasons": {member: &exporting, waiting: true, want: imagev1alpha1.SelectedNewImage},
	} {
		t.Run(name, func(t *testing.T) {
			q := &imagev1alpha1.ImageQuery{}
			q.Status.Selected = selectedOf(old, other)
			q.Status.Images = []imagev1alpha1.ImageSummary{{ImageID: tc.young, Selection: imagev1alpha1.VerdictTooYoung}, {ImageID: a.ID}}
			if tc.pin {
				q.Spec.Selection.Pin = []imagev1alpha1.ImageID{imagev1alpha1.ImageID(a.ID)}
			}
			if tc.edited {
				q.Generation = 1
			}
			d := Decision{Members: []catalog.Image{a, other}, Gone: map[string]bool{old.ID: tc.gone},
				Selection: Selection{Selected: []catalog.Image{a, other}}}
			if tc.member != nil {
				d.Members = append(d.Members, *tc.member)
			}
			if tc.waiting {
				d.Selection.Selected = append(d.Selection.Selected, old)
			}
			if got := Reason(q, d); got != tc.want {
				t.Errorf("the reason is %s, want %s", got, tc.want)
			}
		})
	}
}

// A pin of one group is no reason for another one to change.
func TestEachGroupChangesForItsOwnReason(t *testing.T) {
	amd, arm := catalogtest.Image("amd", 9), catalogtest.Image("arm", 9, "arm64")
	newAMD, newARM := catalogtest.Image("amd-new", 1), catalogtest.Image("arm-new", 1, "arm64")
	q := &imagev1alpha1.ImageQuery{}
	q.Spec.Selection.Pin = []imagev1alpha1.ImageID{imagev1alpha1.ImageID(newARM.ID)}
	q.Status.Selected, q.Status.SelectedHistory = selectedOf(amd, arm), []imagev1alpha1.SelectionRecord{{}}
	d := Decision{
		Members:     []catalog.Image{amd, arm, newAMD, newARM},
		Selection:   Selection{Selected: []catalog.Image{newAMD, newARM}},
		WasSelected: []catalog.Image{amd, arm},
	}
	got := map[string]imagev1alpha1.SelectionReason{}
	for _, change := range Changes(q, d) {
		got[change.Group] = change.Reason
	}
	want := map[string]imagev1alpha1.SelectionReason{"amd64": imagev1alpha1.SelectedNewImage, "arm64": imagev1alpha1.SelectedPinned}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}
