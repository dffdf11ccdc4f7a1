// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"maps"
	"testing"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
)

// The last poll selected amd-1 and arm-1. Then the query is edited.
func TestWhatAnEditLeavesIsSelectedFromWhatIsKnown(t *testing.T) {
	exclude := func(names ...string) func(*imagev1alpha1.ImageQuerySpec) {
		return func(s *imagev1alpha1.ImageQuerySpec) { s.Match.ExcludeImageIDs = pins(names...).Pin }
	}
	pin := func(names ...string) func(*imagev1alpha1.ImageQuerySpec) {
		return func(s *imagev1alpha1.ImageQuerySpec) { s.Selection.Pin = pins(names...).Pin }
	}
	for name, tc := range map[string]struct {
		edit     func(*imagev1alpha1.ImageQuerySpec)
		verdicts map[string]imagev1alpha1.SelectionVerdict // by id, replacing those of the last poll
		partial  bool                                      // only status knows the members
		heldBack string
		want     string // "" if too little is known, or nothing is to be selected anew
	}{
		"nothing":                      {edit: func(*imagev1alpha1.ImageQuerySpec) {}},
		"a selected image is excluded": {edit: exclude("amd-1"), want: "amd-2 arm-1"},
		"two are":                      {edit: exclude("amd-1", "amd-2"), want: "amd-3 arm-1"},
		"all of an architecture are":   {edit: exclude("arm-1", "arm-2"), want: "amd-1"},
		"another one is excluded":      {edit: exclude("amd-2")},
		"as far as status tells":       {edit: exclude("amd-1"), partial: true, want: "amd-2 arm-1"},
		"the next one was not NORMAL":  {edit: exclude("amd-1"), partial: true, verdicts: verdicts("NotNormal", "img-amd2"), want: "amd-3 arm-1"},
		"the next one was Missing":     {edit: exclude("amd-1"), verdicts: verdicts("Missing", "img-amd2"), want: "amd-3 arm-1"},
		"the next one is held back":    {edit: exclude("amd-1"), heldBack: "img-amd2", want: "amd-3 arm-1"},
		"an older one is pinned":       {edit: pin("amd-3"), want: "amd-3 arm-1"},
		"the selected one is pinned":   {edit: pin("arm-1"), want: "amd-1 arm-1"},
		"nobody knows the pin":         {edit: pin("other")},
		"a stranger's image is pinned": {edit: pin("z"), want: "amd-1 arm-1"},
		"its creator is trusted, too": {
			edit: func(s *imagev1alpha1.ImageQuerySpec) { pin("z")(s); s.Selection.TrustedCreators = []string{"7"} },
			want: "z arm-1",
		},
		"other images are listed, too": {edit: func(s *imagev1alpha1.ImageQuerySpec) { exclude("amd-1")(s); s.InstanceType = "SA5.MEDIUM2" }},
		"the next one matches no more": {
			edit: func(s *imagev1alpha1.ImageQuerySpec) { exclude("amd-1")(s); s.Match.NameRegex = "3$" },
			want: "amd-3 arm-1",
		},
		"groups that status can't tell": {edit: func(s *imagev1alpha1.ImageQuerySpec) {
			exclude("amd-1")(s)
			s.Selection.GroupBy = []imagev1alpha1.SelectionGroup{"Platform"}
		}, partial: true},
		"an order that affects others": {
			edit: func(s *imagev1alpha1.ImageQuerySpec) { exclude("amd-1")(s); s.Selection.Skip = 1 },
			want: "amd-3 arm-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			members := []catalog.Image{
				catalogtest.Image("amd-1", 1), catalogtest.Image("amd-2", 2), catalogtest.Image("amd-3", 3),
				catalogtest.Image("arm-1", 1, "arm64"), catalogtest.Image("arm-2", 2, "arm64"), catalogtest.Image("z", 0, "shared"),
			}
			q := &imagev1alpha1.ImageQuery{}
			q.Status.ObservedQuery = ObservedQuery(q)
			k := Known{
				Request: Request(q), Members: map[string]catalog.Image{}, Partial: map[string]bool{},
				HeldBack: map[string]bool{tc.heldBack: true},
				Verdicts: verdicts("NotNewest", "img-amd2", "img-amd3", "img-arm2"),
			}
			maps.Copy(k.Verdicts, tc.verdicts)
			for _, image := range members {
				if image.Name == "amd-1" || image.Name == "arm-1" {
					q.Status.Selected = append(q.Status.Selected, imagev1alpha1.SelectedImage{
						ImageID: image.ID, Name: image.Name, Architecture: image.Architecture, Type: image.Type,
					})
				}
				if tc.partial {
					image.State, image.Platform, k.Partial[image.ID] = "", "", true
				}
				k.Members[image.ID] = image
			}
			tc.edit(&q.Spec)
			r, bad := NewRules(&q.Spec)
			if bad != nil {
				t.Fatal(bad)
			}
			got, enough := r.SelectKnown(q, k, catalogtest.Noon)
			if names := catalogtest.Names(got.Selected); names != tc.want || enough != (tc.want != "") {
				t.Errorf("selected is %q, %t, want %q", names, enough, tc.want)
			}
		})
	}
}

// What an edit rules out, and what an edit has nothing to do with.
func TestRulesOut(t *testing.T) {
	image := imagev1alpha1.SelectedImage{ImageID: "img-1", Name: "node-v1.30.4", Architecture: "amd64", Type: "SHARED_IMAGE", Creator: "7"}
	for name, tc := range map[string]struct {
		edit func(*imagev1alpha1.ImageQuerySpec)
		want bool
	}{
		"its creator is trusted":       {edit: func(*imagev1alpha1.ImageQuerySpec) {}},
		"its creator no longer is":     {edit: func(s *imagev1alpha1.ImageQuerySpec) { s.Selection.TrustedCreators = nil }, want: true},
		"another creator is asked for": {edit: func(s *imagev1alpha1.ImageQuerySpec) { s.Match.Creators = []string{"8"} }, want: true},
		"it is excluded": {
			edit: func(s *imagev1alpha1.ImageQuerySpec) { s.Match.ExcludeImageIDs = []imagev1alpha1.ImageID{"img-1"} }, want: true,
		},
		"another name is asked for": {edit: func(s *imagev1alpha1.ImageQuerySpec) { s.Match.NameRegex = "^base-" }, want: true},
		"another version is asked for": {
			edit: func(s *imagev1alpha1.ImageQuerySpec) {
				s.Selection.OrderBy, s.Selection.Extract, s.Selection.Range = imagev1alpha1.OrderBySemVer, `v(.*)`, ">=1.31"
			},
			want: true,
		},
		"a spec that can't work": {edit: func(s *imagev1alpha1.ImageQuerySpec) { s.Match.NameRegex = "(" }},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &imagev1alpha1.ImageQuerySpec{}
			spec.Selection.TrustedCreators = []string{"7"}
			tc.edit(spec)
			if got := RulesOut(spec, image); got != tc.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
