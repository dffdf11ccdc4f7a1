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

func TestAnObjectCountsMoreThanMemory(t *testing.T) {
	member, object, remembered := catalogtest.Image("member", 1), catalogtest.Image("a", 2), catalogtest.Image("a", 2)
	remembered.Description = "as it was"
	k := Known{Members: ByID([]catalog.Image{member}), InGrace: map[string]Departed{object.ID: {Image: object}}}
	other := catalogtest.Image("other", 3)
	k.Remember(map[string]Departed{member.ID: {Image: member}, remembered.ID: {Image: remembered}, other.ID: {Image: other}})
	want := map[string]Departed{object.ID: {Image: object}, other.ID: {Image: other}}
	if diff := cmp.Diff(want, k.InGrace); diff != "" {
		t.Errorf("in grace (-want +got):\n%s", diff)
	}
}

func TestWhatWasSelectedHasAllFieldsThatAreKnown(t *testing.T) {
	member, partial, departed := catalogtest.Image("member", 1), catalogtest.Image("partial", 2), catalogtest.Image("departed", 3)
	k := Known{
		Members: ByID([]catalog.Image{member, partial}), Partial: map[string]bool{partial.ID: true},
		InGrace: map[string]Departed{departed.ID: {Image: departed}},
	}
	shown := selectedOf(member, partial, departed, catalogtest.Image("unknown", 4))
	want := []catalog.Image{member, FromSelected(shown[1]), departed, FromSelected(shown[3])}
	if diff := cmp.Diff(want, k.SelectedOf(shown)); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

// What is observed is shared with others: a poll that leaves images out must not change it.
func TestAnObservationWithoutSomeImages(t *testing.T) {
	a, b, c := catalogtest.Image("a", 1), catalogtest.Image("b", 2), catalogtest.Image("c", 3)
	observed := func() Observation {
		return Observation{
			Matching: []catalog.Image{a, b}, Missing: map[string]imagev1alpha1.RemovalReason{c.ID: ""}, FoundByID: ByID([]catalog.Image{c}),
		}
	}
	o := observed()
	got := o.without(map[string]bool{a.ID: true, c.ID: true})
	want := Observation{
		Matching: []catalog.Image{b}, FoundByID: map[string]catalog.Image{},
		Missing: map[string]imagev1alpha1.RemovalReason{a.ID: imagev1alpha1.RemovedNotMatched, c.ID: imagev1alpha1.RemovedNotMatched},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("without (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(observed(), o); diff != "" {
		t.Errorf("what was observed has changed (-want +got):\n%s", diff)
	}
	got = Observation{Matching: []catalog.Image{a}}.without(map[string]bool{a.ID: true})
	if len(got.Matching) > 0 || got.Missing[a.ID] != imagev1alpha1.RemovedNotMatched {
		t.Errorf("nothing was missing before: %+v", got)
	}
}

func TestWhichMembersHaveObjects(t *testing.T) {
	a, b, c := catalogtest.Image("a", 1), catalogtest.Image("b", 2), catalogtest.Image("c", 3)
	d := Decision{Members: []catalog.Image{a, b, c}, Selection: Selection{Selected: []catalog.Image{b}}}
	for policy, want := range map[imagev1alpha1.CloudImageScope]string{
		imagev1alpha1.CloudImagesAll: "a b c", imagev1alpha1.CloudImagesSelected: "b", imagev1alpha1.CloudImagesNone: "",
	} {
		if got := catalogtest.Names(d.WithObjects(policy)); got != want {
			t.Errorf("%s: %q, want %q", policy, got, want)
		}
	}
	d.WithoutObject = map[string]bool{c.ID: true}
	if got := catalogtest.Names(d.WithObjects(imagev1alpha1.CloudImagesAll)); got != "a b" {
		t.Errorf("with too many: %q", got)
	}
}
