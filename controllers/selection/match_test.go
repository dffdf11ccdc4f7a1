// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

func TestMatchDecidesMembership(t *testing.T) {
	image := catalog.Image{
		ID: "img-00000001", Name: "node-v1.30.4", State: "NORMAL", Architecture: "amd64", Platform: "TencentOS",
		Family: "node-base", Creator: "1",
	}
	for name, tc := range map[string]struct {
		match imagev1alpha1.ImageMatch
		want  bool
	}{
		"an empty match admits every image":             {want: true},
		"the expression may match anywhere in the name": {match: imagev1alpha1.ImageMatch{NameRegex: `v1\.30`}, want: true},
		"the expression does not match":                 {match: imagev1alpha1.ImageMatch{NameRegex: `^v1\.30`}},
		"the state is among those asked for": {
			match: imagev1alpha1.ImageMatch{States: []imagev1alpha1.ImageState{"SYNCING", "NORMAL"}}, want: true,
		},
		"the state is another":                        {match: imagev1alpha1.ImageMatch{States: []imagev1alpha1.ImageState{"SYNCING"}}},
		"the architecture is another":                 {match: imagev1alpha1.ImageMatch{Architectures: []imagev1alpha1.Architecture{"arm64"}}},
		"a part of the platform's name is not enough": {match: imagev1alpha1.ImageMatch{Platforms: []string{"Tencent"}}},
		"the family is among those asked for":         {match: imagev1alpha1.ImageMatch{Families: []string{"gpu-base", "node-base"}}, want: true},
		"a part of the family's name is not enough":   {match: imagev1alpha1.ImageMatch{Families: []string{"node"}}},
		"the creator is not among those asked for":    {match: imagev1alpha1.ImageMatch{Creators: []string{"2"}}},
		"the image is excluded": {
			match: imagev1alpha1.ImageMatch{ExcludeImageIDs: []imagev1alpha1.ImageID{"img-00000001"}},
		},
		"every condition must hold": {match: imagev1alpha1.ImageMatch{NameRegex: "node", Creators: []string{"2"}}},
		"another image is excluded": {
			match: imagev1alpha1.ImageMatch{ExcludeImageIDs: []imagev1alpha1.ImageID{"img-00000002"}}, want: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, bad := NewMatcher(&tc.match)
			if bad != nil {
				t.Fatal(bad.Error())
			}
			if got := m.refusedBy(&image) == ""; got != tc.want {
				t.Errorf("member is %v, want %v", got, tc.want)
			}
		})
	}
}

// The order in which docs/imagequery.md says that they are checked.
func TestTheFieldsOfMatchAreCheckedInOrder(t *testing.T) {
	want := []string{"nameRegex", "states", "architectures", "platforms", "families", "creators", "excludeImageIDs"}
	if diff := cmp.Diff(want, MatchFields()); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestAnExpressionThatCannotBeCompiledIsTheQuerysFault(t *testing.T) {
	_, bad := NewMatcher(&imagev1alpha1.ImageMatch{NameRegex: "("})
	if bad == nil || !strings.Contains(bad.Error(), "spec.match.nameRegex") {
		t.Errorf("got %v", bad)
	}
}

func TestMembersHaveATotalOrder(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	want := []catalog.Image{
		{ID: "img-3", CreatedTime: day(3)},
		{ID: "img-1", Name: "a", CreatedTime: day(2)},
		{ID: "img-0", Name: "b", CreatedTime: day(2)},
		{ID: "img-2", Name: "b", CreatedTime: day(2)},
		{ID: "img-9", Name: "Ubuntu 20"}, // public images have no time
		{ID: "img-8", Name: "Ubuntu 22"},
	}
	for range 50 {
		shuffled := slices.Clone(want)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(want, (Matcher{Match: &imagev1alpha1.ImageMatch{}}).Members(shuffled)); diff != "" {
			t.Fatalf("order (-want +got):\n%s", diff)
		}
	}
}
