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

// What a decision says besides the selection.
func TestADecisionCountsWhatItIsAbout(t *testing.T) {
	ours, theirs := catalogtest.Image("ours", 1), catalogtest.Image("theirs", 2, "shared")
	was, absent := ours, catalogtest.Image("absent", 3)
	was.SizeGiB, was.Creator = 10, "1"
	now := ours
	now.SizeGiB, now.Creator = 20, "2"
	q := &imagev1alpha1.ImageQuery{}
	q.Status.ObservedQuery, q.Status.Selected = ObservedQuery(q), selectedOf(ours)
	q.Spec.CloudImages.MaxImages = 2
	r, _ := NewRules(&q.Spec)
	v := Observation{
		Listing: catalog.Listing{Images: []catalog.Image{now, theirs}}, Matching: []catalog.Image{now, theirs},
		Missing: map[string]imagev1alpha1.RemovalReason{absent.ID: ""},
	}
	got := r.Decide(q, Known{Members: ByID([]catalog.Image{was, absent, theirs}), Partial: map[string]bool{}}, v, catalogtest.Noon)
	for name, diff := range map[string]string{
		"missing":         cmp.Diff(1, got.MissingCount),
		"untrusted":       cmp.Diff(map[string]bool{theirs.ID: true}, got.Untrusted),
		"without object":  cmp.Diff(map[string]bool{theirs.ID: true}, got.WithoutObject),
		"facts changed":   cmp.Diff([]string{ours.ID}, got.FactsChanged),
		"creator changed": cmp.Diff([]string{ours.ID}, got.CreatorChanged),
	} {
		if diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestUntrustedMembersGetTheObjectsThatAreLeft(t *testing.T) {
	a, b, c := catalogtest.Image("a", 1, "shared"), catalogtest.Image("b", 2, "shared"), catalogtest.Image("c", 3, "shared")
	ours := catalogtest.Image("ours", 4)
	members := []catalog.Image{a, b, c, ours}
	untrusted := map[string]bool{a.ID: true, b.ID: true, c.ID: true}
	for name, tc := range map[string]struct {
		maxImages  int32
		withObject string
		policy     imagev1alpha1.CloudImageScope
		want       map[string]bool
	}{
		"all have room":           {maxImages: 4},
		"one hasn't":              {maxImages: 3, want: map[string]bool{c.ID: true}},
		"who has one keeps it":    {maxImages: 2, withObject: c.ID, want: map[string]bool{a.ID: true, b.ID: true}},
		"there is no room":        {maxImages: 1, want: untrusted},
		"another policy has none": {maxImages: 1, policy: imagev1alpha1.CloudImagesSelected},
	} {
		t.Run(name, func(t *testing.T) {
			q := &imagev1alpha1.ImageQuery{}
			q.Spec.CloudImages.MaxImages, q.Spec.CloudImages.Policy = tc.maxImages, tc.policy
			got := withoutObject(q, Known{WithObject: map[string]bool{tc.withObject: true}}, Decision{Members: members, Untrusted: untrusted})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("without object (-want +got):\n%s", diff)
			}
		})
	}
}

// What may stay selected has the facts of today and the name under which it was selected; a later edit is judged by that name.
func TestWhatMayStaySelected(t *testing.T) {
	a := catalogtest.Image("a", 1)
	renamed := a
	renamed.Name, renamed.Description = "renamed", "new"
	q := &imagev1alpha1.ImageQuery{}
	q.Status.ObservedQuery, q.Status.Selected = ObservedQuery(q), selectedOf(a)
	r, _ := NewRules(&q.Spec)
	stored := renamed
	stored.Description = "stored"
	for name, tc := range map[string]struct {
		k           Known
		v           Observation
		members     []catalog.Image
		wantPartial bool
		description string
	}{
		"it is listed": {v: Observation{Matching: []catalog.Image{renamed}}, members: []catalog.Image{renamed}, description: "new"},
		"it is missing, and was found by id": {
			v: Observation{
				FoundByID: ByID([]catalog.Image{renamed}), Missing: map[string]imagev1alpha1.RemovalReason{a.ID: ""},
			},
			members: []catalog.Image{stored}, description: "new",
		},
		"it left before": {k: Known{InGrace: map[string]Departed{a.ID: {Image: stored}}}, description: "stored"},
		"only status":    {wantPartial: true},
	} {
		t.Run(name, func(t *testing.T) {
			got := r.previous(q, tc.k, tc.v, Decision{Members: tc.members})
			if len(got) != 1 || got[0].Name != a.Name || got[0].Partial != tc.wantPartial || got[0].Description != tc.description {
				t.Errorf("%+v, want %s, partial %t, with the description %q", got, a.Name, tc.wantPartial, tc.description)
			}
		})
	}
}

func TestWhatChangedIsNamedOnceAndInOrder(t *testing.T) {
	a, b := catalogtest.Image("a", 1), catalogtest.Image("b", 2)
	newA, newB := a, b
	newA.SizeGiB, newB.SizeGiB, newA.Creator = 1, 1, "2"
	if got := factsChanged(Known{Members: ByID([]catalog.Image{a, b})}, []catalog.Image{newB, newA}); !slices.Equal(got, []string{a.ID,
		b.ID}) {
		t.Errorf("facts changed of %v", got)
	}
	before := selectedOf(a, a)
	before[0].Creator, before[1].Creator, before[1].ImageID = "1", "1", "img-before"
	if got := creatorChanged(before, Known{}, []catalog.Image{newA}); !slices.Equal(got, []string{a.ID}) {
		t.Errorf("creators changed of %v", got)
	}
}
