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
		"nothing":         {change: func(*catalog.Image) {}},
		"the description": {change: func(i *catalog.Image) { i.Description = "new" }},
		"the size":        {change: func(i *catalog.Image) { i.SizeGiB = 50 }, wantFacts: []string{"img-a"}},
		"the snapshots": {
			change:    func(i *catalog.Image) { i.Snapshots = []catalog.Snapshot{{ID: "snap-2"}} },
			wantFacts: []string{"img-a"},
		},
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

// Without objects, after a restart, only status has the creators of the selected images.
func TestAnotherCreatorIsKnownFromStatus(t *testing.T) {
	was, now := catalogtest.Image("a", 2), catalogtest.Image("a", 1)
	was.Creator, now.ID, now.Creator = "1", "img-b", "2"
	before := []imagev1alpha1.SelectedImage{{ImageID: was.ID, Name: was.Name, Creator: was.Creator}}
	if got := creatorChanged(before, Known{}, []catalog.Image{now}); !slices.Equal(got, []string{"img-b"}) {
		t.Errorf("creators changed of %v, want img-b", got)
	}
}

// Rule 3: a selected image that only stopped being NORMAL is not replaced by an older one, even if match.states makes
// it no member.
func TestASelectedImageThatOnlyStoppedBeingNormalStays(t *testing.T) {
	a, b := catalogtest.Image("a", 1), catalogtest.Image("b", 2)
	exporting := catalogtest.Image("a", 1, "EXPORTING")
	renamed := exporting
	renamed.Name = "other"
	for name, tc := range map[string]struct {
		known     []catalog.Image
		listed    []catalog.Image
		pin       catalog.Image
		want      string
		wantStays string
	}{
		"it is EXPORTING":           {known: []catalog.Image{a, b}, listed: []catalog.Image{exporting, b}, want: "a", wantStays: "a"},
		"it was no member any more": {known: []catalog.Image{b}, listed: []catalog.Image{exporting, b}, want: "a", wantStays: "a"},
		"it is NORMAL again":        {known: []catalog.Image{b}, listed: []catalog.Image{a, b}, want: "a"},
		"a newer one replaces it": {
			known: []catalog.Image{a, b}, listed: []catalog.Image{catalogtest.Image("a-new", 0), exporting, b},
			want: "a-new",
		},
		"another one is pinned":               {known: []catalog.Image{a, b}, listed: []catalog.Image{exporting, b}, pin: b, want: "b"},
		"it is EXPORTING and matches no more": {known: []catalog.Image{a, b}, listed: []catalog.Image{renamed, b}, want: "b"},
		"the listing lacks it":                {known: []catalog.Image{a, b}, listed: []catalog.Image{b}, want: "b"},
	} {
		t.Run(name, func(t *testing.T) {
			q := &imagev1alpha1.ImageQuery{}
			q.Spec.Match = imagev1alpha1.ImageMatch{NameRegex: "^[ab]", States: []imagev1alpha1.ImageState{imagev1alpha1.ImageStateNormal}}
			if tc.pin.ID != "" {
				q.Spec.Selection.Pin = []imagev1alpha1.ImageID{imagev1alpha1.ImageID(tc.pin.ID)}
			}
			q.Status.ObservedQuery = ObservedQuery(q)
			q.Status.Selected = []imagev1alpha1.SelectedImage{{ImageID: a.ID, Name: a.Name, Architecture: a.Architecture, Type: a.Type}}
			r, bad := NewRules(&q.Spec)
			if bad != nil {
				t.Fatal(bad)
			}
			v := Observation{
				Listing: catalog.Listing{Images: tc.listed}, Matching: r.Matcher.Members(tc.listed),
				Missing: map[string]imagev1alpha1.RemovalReason{},
			}
			for _, image := range tc.known {
				if !IDsOf(v.Matching)[image.ID] {
					v.Missing[image.ID] = imagev1alpha1.RemovedNotMatched
				}
			}
			got := r.Decide(q, Known{Members: ByID(tc.known)}, v, catalogtest.Noon).Selection
			if catalogtest.Names(got.Selected) != tc.want || catalogtest.Names(got.Retained) != tc.wantStays {
				t.Errorf("selected is %q and %q stays, want %q and %q", catalogtest.Names(got.Selected), catalogtest.Names(got.Retained), tc.want,
					tc.wantStays)
			}
			if _, member := got.Verdicts[a.ID]; member != IDsOf(v.Matching)[a.ID] {
				t.Errorf("it has a verdict: %t", member)
			}
		})
	}
}

// Only the verdict shows that an image arrived while removals were blocked. If a listing lacks it for a while, it must
// stay held back.
func TestWhatIsHeldBackStaysSoWhileTheListingLacksIt(t *testing.T) {
	old, came := catalogtest.Image("old", 9), catalogtest.Image("came", 1)
	q := &imagev1alpha1.ImageQuery{}
	q.Status.ObservedQuery = ObservedQuery(q)
	r, _ := NewRules(&q.Spec)
	k := Known{
		Members: ByID([]catalog.Image{old, came}), HeldBack: map[string]bool{came.ID: true},
		Verdicts: verdicts(imagev1alpha1.VerdictHeldBack, came.ID),
	}
	for name, missing := range map[string]imagev1alpha1.RemovalReason{"inconsistent": "", "blocked": imagev1alpha1.RemovedGone} {
		v := Observation{Missing: map[string]imagev1alpha1.RemovalReason{came.ID: missing, old.ID: missing}}
		got := r.Decide(q, k, v, catalogtest.Noon).Selection.Verdicts
		if got[came.ID] != imagev1alpha1.VerdictHeldBack || got[old.ID] != imagev1alpha1.VerdictMissing {
			t.Errorf("%s: the verdicts are %v, want HeldBack of %s", name, got, came.ID)
		}
	}
}
