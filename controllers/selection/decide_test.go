// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
)

func TestWhatChangedUnderTheSameID(t *testing.T) {
	was := catalogtest.Image("a", 1)
	was.Creator, was.SizeGiB, was.Snapshots = "1", 20, []catalog.Snapshot{{ID: "snap-1"}}
	selected := []imagev1alpha1.SelectedImage{{ImageID: was.ID, Name: was.Name}}
	k := Known{Members: ByID([]catalog.Image{was})}
	for name, tc := range map[string]struct {
		change                 func(*catalog.Image)
		wantFacts, wantCreator []string
	}{
		"nothing":               {change: func(*catalog.Image) {}},
		"the description":       {change: func(i *catalog.Image) { i.Description = "new" }},
		"the size":              {change: func(i *catalog.Image) { i.SizeGiB = 50 }, wantFacts: []string{"img-a"}},
		"the snapshots":         {change: func(i *catalog.Image) { i.Snapshots = []catalog.Snapshot{{ID: "snap-2"}} }, wantFacts: []string{"img-a"}},
		"the operating system":  {change: func(i *catalog.Image) { i.OSName = "TencentOS 4" }, wantFacts: []string{"img-a"}},
		"the creation time":     {change: func(i *catalog.Image) { i.CreatedTime = catalogtest.Noon }, wantFacts: []string{"img-a"}},
		"the creator":           {change: func(i *catalog.Image) { i.Creator = "2" }, wantCreator: []string{"img-a"}},
		"another by that name":  {change: func(i *catalog.Image) { i.ID, i.Creator = "img-b", "2" }, wantCreator: []string{"img-b"}},
		"its owner's next":      {change: func(i *catalog.Image) { i.ID = "img-b" }},
		"another by another":    {change: func(i *catalog.Image) { i.ID, i.Name, i.Creator = "img-b", "b", "2" }},
		"a creator it had none": {change: func(i *catalog.Image) { i.Creator = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			now := was
			tc.change(&now)
			if diff := cmp.Diff(tc.wantFacts, factsChanged(k, []catalog.Image{now})); diff != "" {
				t.Errorf("facts changed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantCreator, creatorChanged(selected, k, []catalog.Image{now})); diff != "" {
				t.Errorf("creator changed (-want +got):\n%s", diff)
			}
		})
	}
}

// Without objects, after a restart, status alone tells who made the images that were selected.
func TestAnotherCreatorIsKnownFromStatus(t *testing.T) {
	was, now := catalogtest.Image("a", 2), catalogtest.Image("a", 1)
	was.Creator, now.ID, now.Creator = "1", "img-b", "2"
	if got := creatorChanged([]imagev1alpha1.SelectedImage{{ImageID: was.ID, Name: was.Name, Creator: was.Creator}}, Known{}, []catalog.Image{now}); !slices.Equal(got, []string{"img-b"}) {
		t.Errorf("creators changed of %v, want img-b", got)
	}
}
