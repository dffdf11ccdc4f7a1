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
		"groups that objects tell": {
			edit: func(s *imagev1alpha1.ImageQuerySpec) {
				exclude("amd-1")(s)
				s.Selection.GroupBy = []imagev1alpha1.SelectionGroup{"Architecture", "Platform"}
			},
			want: "amd-2 arm-1",
		},
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

// amd-1, amd-2 and arm-1 were selected; then an edit excludes amd-1.
func TestWhatStaysSelectedAfterAnEdit(t *testing.T) {
	for name, tc := range map[string]struct {
		change       func(q *imagev1alpha1.ImageQuery, k Known)
		want, stays  string
		tooLittleYet bool
	}{
		"what was selected":              {change: func(*imagev1alpha1.ImageQuery, Known) {}, want: "amd-2 arm-1"},
		"and isn't NORMAL, not an older": {change: setState("img-amd2", "EXPORTING"), want: "amd-2 arm-1", stays: "amd-2"},
		"under the name it had": {
			change: func(_ *imagev1alpha1.ImageQuery, k Known) {
				image := k.Members["img-arm1"]
				image.Name = "renamed"
				k.Members[image.ID] = image
			},
			want: "amd-2 arm-1",
		},
		"nothing, if an owner isn't known": {
			change: func(q *imagev1alpha1.ImageQuery, k Known) {
				q.Status.Selected[2].Type = ""
				k.Members["img-arm1"] = catalog.Image{ID: "img-arm1", Name: "arm-1", Architecture: "arm64"}
			},
			tooLittleYet: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			amd1, amd2, amd3 := catalogtest.Image("amd-1", 1), catalogtest.Image("amd-2", 2), catalogtest.Image("amd-3", 3)
			arm1 := catalogtest.Image("arm-1", 1, "arm64")
			q := &imagev1alpha1.ImageQuery{}
			q.Status.ObservedQuery, q.Status.Selected = ObservedQuery(q), selectedOf(amd1, amd2, arm1)
			k := Known{Request: Request(q), Members: ByID([]catalog.Image{amd1, amd2, amd3, arm1})}
			q.Spec.Match.ExcludeImageIDs = []imagev1alpha1.ImageID{imagev1alpha1.ImageID(amd1.ID)}
			tc.change(q, k)
			r, _ := NewRules(&q.Spec)
			got, enough := r.SelectKnown(q, k, catalogtest.Noon)
			if catalogtest.Names(got.Selected) != tc.want || catalogtest.Names(got.Retained) != tc.stays || enough == tc.tooLittleYet {
				t.Errorf("selected is %q, %q stays, enough is known: %t", catalogtest.Names(got.Selected), catalogtest.Names(got.Retained), enough)
			}
		})
	}
}

func setState(id, state string) func(*imagev1alpha1.ImageQuery, Known) {
	return func(_ *imagev1alpha1.ImageQuery, k Known) {
		image := k.Members[id]
		image.State = state
		k.Members[id] = image
	}
}

// If status can't tell which members came while removals were blocked, only what is selected is not held back.
func TestAfterAnEditNothingHeldBackIsSelected(t *testing.T) {
	amd1, amd3 := catalogtest.Image("amd-1", 1), catalogtest.Image("amd-3", 3)
	q := &imagev1alpha1.ImageQuery{}
	q.Status.ObservedQuery, q.Status.Selected = ObservedQuery(q), selectedOf(amd1)
	q.Spec.Selection.Pin = []imagev1alpha1.ImageID{imagev1alpha1.ImageID(amd3.ID)}
	r, _ := NewRules(&q.Spec)
	got, _ := r.SelectKnown(q, Known{Members: ByID([]catalog.Image{amd1, amd3}), HeldBackUnknown: true}, catalogtest.Noon)
	if catalogtest.Names(got.Selected) != "amd-1" || len(got.Retained) > 0 {
		t.Errorf("selected is %q, and %q stays", catalogtest.Names(got.Selected), catalogtest.Names(got.Retained))
	}
}
