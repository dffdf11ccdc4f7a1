// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
)

// The cases follow the recipes of docs/recipes*.md.
func TestSelection(t *testing.T) {
	nightly := []catalog.Image{
		catalogtest.Image("node-v1.30.4", 1), catalogtest.Image("node-v1.30.3", 30),
		catalogtest.Image("node-v1.29.9", 80), catalogtest.Image("base", 200),
	}
	both := []catalog.Image{
		catalogtest.Image("amd-2", 2), catalogtest.Image("arm-1", 1, "arm64"), catalogtest.Image("amd-3", 3),
		catalogtest.Image("arm-4", 4, "arm64"),
	}
	const version = `v(\d+\.\d+\.\d+)$`
	public := catalogtest.Image("public", 0, "undated")
	public.Type = "PUBLIC_IMAGE"
	byArchitecture := imagev1alpha1.ImageSelection{GroupBy: []imagev1alpha1.SelectionGroup{imagev1alpha1.GroupByArchitecture}}
	together := imagev1alpha1.ImageSelection{GroupBy: []imagev1alpha1.SelectionGroup{imagev1alpha1.GroupByNone}}

	for name, tc := range map[string]struct {
		selection imagev1alpha1.ImageSelection
		creators  []string
		imageIDs  []imagev1alpha1.ImageID
		members   []catalog.Image
		last      []string // names of the previous selection: members, or catalogtest.Image(name, 999)
		heldBack  []string
		absent    []string
		limit     int32

		// want are the selected names, such as "node-a node-b". wantVerdicts are the verdicts of the others.
		want         string
		wantVerdicts map[string]imagev1alpha1.SelectionVerdict
		wantStays    string
	}{
		"the newest image": {members: nightly, want: "node-v1.30.4"},
		"the newest of each architecture": {
			selection: imagev1alpha1.ImageSelection{GroupBy: []imagev1alpha1.SelectionGroup{imagev1alpha1.GroupByArchitecture}},
			members:   both, want: "amd-2 arm-1", wantVerdicts: verdicts("NotNewest", "amd-3", "arm-4"),
		},
		"the newest of each architecture, unless told otherwise": {
			members: both, want: "amd-2 arm-1", wantVerdicts: verdicts("NotNewest", "amd-3", "arm-4"),
		},
		"the newest whatever its architecture": {
			selection: together, members: both, want: "arm-1",
			wantVerdicts: verdicts("NotNewest", "amd-2", "amd-3", "arm-4"),
		},
		"soak three days": {
			selection: imagev1alpha1.ImageSelection{MinAge: metav1.Duration{Duration: 72 * time.Hour}},
			members:   nightly, want: "node-v1.29.9", wantVerdicts: verdicts("TooYoung", "node-v1.30.4", "node-v1.30.3"),
		},
		"an image is old enough at the very moment": {
			selection: imagev1alpha1.ImageSelection{MinAge: metav1.Duration{Duration: 30 * time.Hour}},
			members:   nightly, want: "node-v1.30.3",
		},
		"n-1 in production": {
			selection: imagev1alpha1.ImageSelection{Skip: 1},
			members:   nightly, want: "node-v1.30.3", wantVerdicts: verdicts("Skipped", "node-v1.30.4"),
		},
		"the last three": {
			selection: imagev1alpha1.ImageSelection{Limit: 3},
			members:   nightly, want: "node-v1.30.4 node-v1.30.3 node-v1.29.9", wantVerdicts: verdicts("NotNewest", "base"),
		},
		"the highest version, whenever it was built": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Extract: version},
			members:   []catalog.Image{catalogtest.Image("node-v1.9.0", 1), catalogtest.Image("node-v1.10.0", 9), catalogtest.Image("base", 0)},
			want:      "node-v1.10.0", wantVerdicts: map[string]imagev1alpha1.SelectionVerdict{"node-v1.9.0": "NotNewest", "base": "NoVersion"},
		},
		"the highest version in a range": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Extract: version, Range: "~1.29"},
			members:   nightly, want: "node-v1.29.9",
			wantVerdicts: map[string]imagev1alpha1.SelectionVerdict{"node-v1.30.4": "OutOfRange", "base": "NoVersion"},
		},
		"a name that is a version needs no expression": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer},
			members:   []catalog.Image{catalogtest.Image("v1.2", 1), catalogtest.Image("1.10", 2)}, want: "1.10",
		},
		"a number is no version": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer},
			members: []catalog.Image{
				catalogtest.Image("20261101", 1), catalogtest.Image("v3", 1), catalogtest.Image("2-rc.1", 1),
				catalogtest.Image("1.2", 9),
			},
			want: "1.2", wantVerdicts: verdicts("NoVersion", "20261101", "v3", "2-rc.1"),
		},
		"unless an expression takes it for one": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Extract: `-(\d+)$`},
			members:   []catalog.Image{catalogtest.Image("node-9", 1), catalogtest.Image("node-10", 2)}, want: "node-10",
		},
		"a pre-release is out of a range that has none": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Range: ">=1.30"},
			members:   []catalog.Image{catalogtest.Image("1.30.4-tke.1", 1), catalogtest.Image("1.30.3", 2)}, want: "1.30.3",
			wantVerdicts: verdicts("OutOfRange", "1.30.4-tke.1"),
		},
		"a pre-release is in a range that has one": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Range: ">=1.30.0-0"},
			members:   []catalog.Image{catalogtest.Image("1.30.4-tke.1", 1), catalogtest.Image("1.30.3", 2)}, want: "1.30.4-tke.1",
		},
		"equal versions are ordered by their time": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Extract: `v(\d+\.\d+)`},
			members:   []catalog.Image{catalogtest.Image("a-v1.2", 5), catalogtest.Image("b-v1.2", 1)}, want: "b-v1.2",
		},
		"the last by name": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderByName},
			members:   []catalog.Image{catalogtest.Image("release-20261101", 1), catalogtest.Image("release-20261120", 9)}, want: "release-20261120",
		},
		"the last by a part of the name": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderByName, Extract: `-(\d+)$`},
			members: []catalog.Image{
				catalogtest.Image("z-20261101", 1), catalogtest.Image("a-20261120", 9), catalogtest.Image("other", 0),
			},
			want: "a-20261120", wantVerdicts: verdicts("NoVersion", "other"),
		},
		"deprecated images come last": {
			members: []catalog.Image{catalogtest.Image("new", 1, "deprecated"), catalogtest.Image("old", 9)},
			want:    "old",
		},
		"but before none": {
			members: []catalog.Image{catalogtest.Image("new", 1, "deprecated"), catalogtest.Image("old", 9, "deprecated")},
			want:    "new",
		},
		"only NORMAL images": {
			members: []catalog.Image{catalogtest.Image("new", 1, "CREATING"), catalogtest.Image("old", 9)}, want: "old",
			wantVerdicts: verdicts("NotNormal", "new"),
		},
		"nothing, when nothing qualifies and nothing was": {
			members:      []catalog.Image{catalogtest.Image("new", 1, "CREATING")},
			wantVerdicts: verdicts("NotNormal", "new"),
		},
		"nobody guesses which public image is newer": {
			members: []catalog.Image{
				catalogtest.Image("b", 0, "undated"), catalogtest.Image("a", 0, "undated"),
			},
			wantVerdicts: verdicts("NoCreationTime", "a", "b"),
		},
		"nor whether it is newer than another image": {
			selection: imagev1alpha1.ImageSelection{Limit: 3},
			members:   []catalog.Image{catalogtest.Image("a", 0, "undated"), catalogtest.Image("dated", 999)}, want: "dated",
			wantVerdicts: verdicts("NoCreationTime", "a"),
		},
		"nor is one skipped": {
			selection: imagev1alpha1.ImageSelection{Skip: 1},
			members: []catalog.Image{
				catalogtest.Image("new", 1), catalogtest.Image("old", 2, "deprecated"),
				catalogtest.Image("a", 0, "undated"),
			},
			want: "old", wantVerdicts: map[string]imagev1alpha1.SelectionVerdict{"new": "Skipped", "a": "NoCreationTime"},
		},
		"the only public image of its architecture needs no time": {
			members: []catalog.Image{
				catalogtest.Image("a", 0, "undated"), catalogtest.Image("arm", 0, "undated", "arm64"),
				catalogtest.Image("coming", 0, "undated", "CREATING"),
			},
			want: "a arm", wantVerdicts: verdicts("NotNormal", "coming"),
		},
		"public images are ordered by version": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Extract: `(\d+\.\d+)`},
			members: []catalog.Image{
				catalogtest.Image("Ubuntu 9.04", 0, "undated"), catalogtest.Image("Ubuntu 24.04", 0, "undated"),
			},
			want: "Ubuntu 24.04", wantVerdicts: verdicts("NotNewest", "Ubuntu 9.04"),
		},
		"a public image that is selected stays when another comes": {
			members: []catalog.Image{catalogtest.Image("a", 0, "undated"), catalogtest.Image("b", 0, "undated")}, last: []string{"b"},
			want: "b", wantStays: "b", wantVerdicts: verdicts("NoCreationTime", "a"),
		},
		"public images never pass minAge": {
			selection: imagev1alpha1.ImageSelection{MinAge: metav1.Duration{Duration: time.Second}},
			members:   []catalog.Image{catalogtest.Image("a", 0, "undated")}, wantVerdicts: verdicts("TooYoung", "a"),
		},
		"nobody's shared image by its name alone": {
			members: []catalog.Image{catalogtest.Image("node-v1.30.9", 0, "shared"), catalogtest.Image("node-v1.30.4", 1)},
			want:    "node-v1.30.4", wantVerdicts: verdicts("UntrustedCreator", "node-v1.30.9"),
		},
		"nobody's image of a type that nobody knows": {
			members: []catalog.Image{
				catalogtest.Image("a", 0, "MARKET_IMAGE"), catalogtest.Image("b", 0, "COMMUNITY_IMAGE"),
				catalogtest.Image("c", 0, "shared_image"), catalogtest.Image("d", 0, "untyped"),
				catalogtest.Image("ours", 9),
			},
			want: "ours", wantVerdicts: verdicts("UntrustedCreator", "a", "b", "c", "d"),
		},
		"a public image needs no creator": {members: []catalog.Image{public}, want: "public"},
		"an image of a creator that selection trusts": {
			selection: imagev1alpha1.ImageSelection{TrustedCreators: []string{"7"}, Limit: 2},
			members: []catalog.Image{
				catalogtest.Image("market", 0, "MARKET_IMAGE"), catalogtest.Image("shared", 1, "shared"),
				catalogtest.Image("untyped", 0, "untyped"), catalogtest.Image("ours", 9),
			},
			want: "market shared", wantVerdicts: map[string]imagev1alpha1.SelectionVerdict{"untyped": "UntrustedCreator", "ours": "NotNewest"},
		},
		"a trusted creator's shared image": {
			creators: []string{"7"}, members: []catalog.Image{catalogtest.Image("node-v1.30.9", 0, "shared")},
			want: "node-v1.30.9",
		},
		"a shared image that is named by its id": {
			imageIDs: []imagev1alpha1.ImageID{imagev1alpha1.ImageID(catalogtest.Image("node-v1.30.9", 0).ID)},
			members:  []catalog.Image{catalogtest.Image("node-v1.30.9", 0, "shared")}, want: "node-v1.30.9",
		},

		"a selected image that is SYNCING isn't replaced by an older one": {
			members: []catalog.Image{catalogtest.Image("new", 1, "SYNCING"), catalogtest.Image("old", 9)}, last: []string{"new"}, want: "new",
			wantStays: "new",
		},
		"but by a newer one": {
			members: []catalog.Image{
				catalogtest.Image("newer", 0), catalogtest.Image("new", 1, "SYNCING"), catalogtest.Image("old", 9),
			},
			last: []string{"new"},
			want: "newer", wantVerdicts: verdicts("NotNormal", "new"),
		},
		"a selected image that is deprecated is replaced": {
			members: []catalog.Image{catalogtest.Image("new", 1, "deprecated"), catalogtest.Image("old", 9)}, last: []string{"new"}, want: "old",
		},
		"the last selection stays where no member qualifies": {
			members: []catalog.Image{catalogtest.Image("coming", 0, "CREATING")}, last: []string{"departed"},
			want: "departed", wantStays: "departed", wantVerdicts: verdicts("NotNormal", "coming"),
		},
		"it goes where one does": {members: []catalog.Image{catalogtest.Image("old", 9)}, last: []string{"departed"}, want: "old"},
		"it stays in its own group only": {
			selection: imagev1alpha1.ImageSelection{GroupBy: []imagev1alpha1.SelectionGroup{imagev1alpha1.GroupByArchitecture}},
			members:   []catalog.Image{catalogtest.Image("arm", 1, "arm64")}, last: []string{"departed"}, want: "departed arm",
			wantStays: "departed",
		},
		"groups are in the order of their architectures, however new their images": {
			selection: byArchitecture,
			members: []catalog.Image{
				catalogtest.Image("none", 0, "no architecture"), catalogtest.Image("riscv", 1, "riscv64"), catalogtest.Image("old", 2, "386"),
				catalogtest.Image("arm", 3, "arm64"), catalogtest.Image("amd", 4),
			},
			want: "amd arm old riscv none",
		},
		"a group that falls back keeps its place": {
			selection: byArchitecture,
			members: []catalog.Image{
				catalogtest.Image("amd", 1, "CREATING"), catalogtest.Image("arm", 1, "arm64"),
				catalogtest.Image("old", 1, "386"),
			},
			last: []string{"departed"},
			want: "departed arm old", wantStays: "departed", wantVerdicts: verdicts("NotNormal", "amd"),
		},
		"an image that falls back keeps its place in its group": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Extract: version, Limit: 2},
			members:   []catalog.Image{catalogtest.Image("node-v1.9.0", 1, "CREATING")}, last: []string{"b-v1.31.0", "a-v1.30.0"},
			want: "b-v1.31.0 a-v1.30.0", wantStays: "a-v1.30.0 b-v1.31.0",
		},
		"an image without a version comes after those that have one": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Extract: version, Limit: 3},
			last:      []string{"a-old", "b-v1.31.0", "c-old"},
			want:      "b-v1.31.0 a-old c-old", wantStays: "a-old b-v1.31.0 c-old",
		},
		"absent images that are selected stay, although fewer are to be selected now": {
			members: nightly, absent: []string{"node-v1.30.4", "node-v1.30.3"}, last: []string{"node-v1.30.4", "node-v1.30.3"},
			want: "node-v1.30.4 node-v1.30.3", wantStays: "node-v1.30.4 node-v1.30.3",
		},
		"nobody guesses whether a public image is newer than an absent one": {
			members: []catalog.Image{catalogtest.Image("a", 0, "undated"), catalogtest.Image("b", 1)}, absent: []string{"b"}, last: []string{"b"},
			want: "b", wantStays: "b", wantVerdicts: verdicts("NoCreationTime", "a"),
		},
		"an absent image that stays keeps its place before an older one": {
			selection: imagev1alpha1.ImageSelection{Limit: 2}, members: nightly, absent: []string{"node-v1.30.4"},
			last: []string{"node-v1.30.4", "node-v1.30.3"},
			want: "node-v1.30.4 node-v1.30.3", wantStays: "node-v1.30.4",
		},
		"a selected image that grew too young by an edit stays where nothing else qualifies": {
			selection: imagev1alpha1.ImageSelection{MinAge: metav1.Duration{Duration: 999 * time.Hour}},
			members:   nightly, last: []string{"node-v1.30.4"}, want: "node-v1.30.4", wantStays: "node-v1.30.4",
		},
		"new images are held back while removals are blocked": {
			members: nightly, heldBack: []string{"node-v1.30.4"}, want: "node-v1.30.3", wantVerdicts: verdicts("HeldBack", "node-v1.30.4"),
		},
		"an absent image that is selected stays, although an older one is there": {
			members: nightly, absent: []string{"node-v1.30.4"}, last: []string{"node-v1.30.4"}, want: "node-v1.30.4", wantStays: "node-v1.30.4",
		},
		"an absent image is never selected anew": {
			members: nightly, absent: []string{"node-v1.30.4"}, want: "node-v1.30.3", wantVerdicts: verdicts("Missing", "node-v1.30.4"),
		},
		"what the listing lacks is Missing before all else, selected or not": {
			members: []catalog.Image{catalogtest.Image("new", 1), catalogtest.Image("old", 2), catalogtest.Image("strange", 0, "shared")},
			absent:  []string{"new", "old", "strange"}, last: []string{"new"}, want: "new", wantStays: "new",
			wantVerdicts: verdicts("Missing", "new", "old", "strange"),
		},

		"a pin comes before newer images": {
			selection: pins("node-v1.29.9"), members: nightly, want: "node-v1.29.9",
			wantVerdicts: verdicts("NotNewest", "node-v1.30.4", "node-v1.30.3", "base"),
		},
		"a pin replaces what was selected": {
			selection: pins("node-v1.29.9"), members: nightly, last: []string{"node-v1.30.4"}, want: "node-v1.29.9",
		},
		"pins are in the order of the list, and count in limit": {
			selection: pins("base", "node-v1.29.9", "node-v1.30.3"), limit: 2, members: nightly, want: "base node-v1.29.9",
			wantVerdicts: verdicts("NotNewest", "node-v1.30.3"),
		},
		"a pin leaves the other places to the newest": {
			selection: pins("base"), limit: 3, members: nightly, want: "base node-v1.30.4 node-v1.30.3",
		},
		"a pin is pinned in its group only": {
			selection: pins("amd-3"), members: both, want: "amd-3 arm-1",
			wantVerdicts: verdicts("NotNewest", "amd-2", "arm-4"),
		},
		"skip, minAge, range, extract and deprecation don't hold for pins": {
			selection: imagev1alpha1.ImageSelection{
				Pin: pins("base", "old").Pin, OrderBy: imagev1alpha1.OrderBySemVer, Extract: version, Range: "~1.30", Skip: 1,
				MinAge: metav1.Duration{Duration: 9999 * time.Hour}, Limit: 2,
			},
			members: append([]catalog.Image{catalogtest.Image("old", 5, "deprecated", "undated")}, nightly...), want: "base old",
			wantVerdicts: verdicts("TooYoung", "node-v1.30.4"),
		},
		"skip counts what isn't pinned": {
			selection: imagev1alpha1.ImageSelection{Pin: pins("base").Pin, Skip: 1, Limit: 2}, members: nightly, want: "base node-v1.30.3",
			wantVerdicts: verdicts("Skipped", "node-v1.30.4"),
		},
		"a pin needs trust": {
			selection: pins("shared"),
			members: []catalog.Image{
				catalogtest.Image("shared", 1, "shared"), catalogtest.Image("ours", 2),
			},
			want: "ours", wantVerdicts: verdicts("UntrustedCreator", "shared"),
		},
		"a pin needs its state": {
			selection: pins("new"), members: []catalog.Image{catalogtest.Image("new", 1, "CREATING"), catalogtest.Image("old", 2)}, want: "old",
			wantVerdicts: verdicts("NotNormal", "new"),
		},
		"a selected pin that stopped being NORMAL stays, other pins or not": {
			selection: pins("a", "b"),
			members: []catalog.Image{
				catalogtest.Image("a", 9, "SYNCING"), catalogtest.Image("b", 3), catalogtest.Image("c", 1),
			},
			last: []string{"a"},
			want: "a", wantStays: "a", wantVerdicts: verdicts("NotNewest", "b", "c"),
		},
		"a pin that came while removals are blocked waits": {
			selection: pins("node-v1.30.3"), members: nightly, heldBack: []string{"node-v1.30.3"}, want: "node-v1.30.4",
			wantVerdicts: verdicts("HeldBack", "node-v1.30.3"),
		},
		"a pin that the listing lacks is not selected anew": {
			selection: pins("node-v1.30.3"), members: nightly, absent: []string{"node-v1.30.3"}, want: "node-v1.30.4",
			wantVerdicts: verdicts("Missing", "node-v1.30.3"),
		},
		"a pin takes the place of what only stays": {
			selection: pins("base"), members: nightly, absent: []string{"node-v1.30.4"}, last: []string{"node-v1.30.4"}, want: "base",
			wantVerdicts: verdicts("Missing", "node-v1.30.4"),
		},
		"the only image that isn't pinned needs no creation time": {
			selection: pins("a"), limit: 2,
			members: []catalog.Image{
				catalogtest.Image("a", 0, "undated"), catalogtest.Image("b", 0, "undated"),
			},
			want: "a b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.limit > 0 {
				tc.selection.Limit = tc.limit
			}
			spec := &imagev1alpha1.ImageQuerySpec{
				Selection: tc.selection, ImageIDs: tc.imageIDs, Match: imagev1alpha1.ImageMatch{Creators: tc.creators},
			}
			c, bad := NewSelector(spec)
			if bad != nil {
				t.Fatal(bad.Error())
			}
			byName := map[string]catalog.Image{}
			for _, image := range tc.members {
				byName[image.Name] = image
			}
			b := Input{Members: tc.members, Now: catalogtest.Noon, heldBack: map[string]bool{}, Missing: map[string]imagev1alpha1.SelectionVerdict{}}
			for _, name := range tc.last {
				image, member := byName[name]
				if !member {
					image = catalogtest.Image(name, 999)
				}
				b.Previous = append(b.Previous, previous{Image: image})
			}
			for _, name := range tc.heldBack {
				b.heldBack[byName[name].ID] = true
			}
			for _, name := range tc.absent {
				b.Missing[byName[name].ID] = ""
			}
			got := c.Select(b)
			if names := catalogtest.Names(got.Selected); names != tc.want {
				t.Errorf("selected %q, want %q", names, tc.want)
			}
			if names := catalogtest.Names(got.Retained); names != tc.wantStays {
				t.Errorf("%q stays, want %q", names, tc.wantStays)
			}
			for name, want := range tc.wantVerdicts {
				if verdict := got.Verdicts[byName[name].ID]; verdict != want {
					t.Errorf("%s is %s, want %s", name, verdict, want)
				}
			}
			for _, image := range got.Selected {
				want := imagev1alpha1.VerdictSelected
				if slices.Contains(tc.absent, image.Name) {
					want = imagev1alpha1.VerdictMissing
				}
				if _, member := byName[image.Name]; member && got.Verdicts[image.ID] != want {
					t.Errorf("%s is selected and %s", image.Name, got.Verdicts[image.ID])
				}
			}
			if len(got.Verdicts) != len(tc.members) {
				t.Errorf("%d verdicts for %d members", len(got.Verdicts), len(tc.members))
			}
		})
	}
}

// pins returns a selection that pins images by name.
func pins(names ...string) imagev1alpha1.ImageSelection {
	var out imagev1alpha1.ImageSelection
	for _, name := range names {
		out.Pin = append(out.Pin, imagev1alpha1.ImageID(catalogtest.Image(name, 0).ID))
	}
	return out
}

func verdicts(verdict imagev1alpha1.SelectionVerdict, names ...string) map[string]imagev1alpha1.SelectionVerdict {
	out := map[string]imagev1alpha1.SelectionVerdict{}
	for _, name := range names {
		out[name] = verdict
	}
	return out
}

func TestASelectionThatCannotWorkIsTheQuerysFault(t *testing.T) {
	for name, tc := range map[string]struct {
		selection imagev1alpha1.ImageSelection
		want      string
	}{
		"a range that is none": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Range: "latest"},
			want:      "write one such as >=1.30 <1.32",
		},
		"an expression that is none": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderByName, Extract: "("},
			want:      "correct it",
		},
		"an expression without a group": {
			selection: imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderByName, Extract: `v\(\d+\)`},
			want:      "put parentheses around the version",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, bad := NewRules(&imagev1alpha1.ImageQuerySpec{Selection: tc.selection})
			if bad == nil || !strings.Contains(bad.Error(), tc.want) {
				t.Errorf("%+v, want InvalidQuery that says %q", bad, tc.want)
			}
		})
	}
}

// drawImage draws from few values, so that many images differ only in the id.
func drawImage(t *rapid.T, i int) catalog.Image {
	image := catalog.Image{
		ID: fmt.Sprintf("img-%04d", i), Type: rapid.SampledFrom([]string{"PRIVATE_IMAGE", "PUBLIC_IMAGE", "SHARED_IMAGE", "MARKET_IMAGE",
			""}).Draw(t, "type"),
		Name:         rapid.SampledFrom([]string{"node-v1.0.0", "node-v1.0.1", "node-v2.0.0", "base"}).Draw(t, "name"),
		State:        rapid.SampledFrom([]string{"NORMAL", "NORMAL", "NORMAL", "SYNCING"}).Draw(t, "state"),
		Architecture: rapid.SampledFrom([]string{"amd64", "arm64"}).Draw(t, "architecture"),
		Creator:      rapid.SampledFrom([]string{"1", "2"}).Draw(t, "creator"),
		Deprecated:   rapid.Bool().Draw(t, "deprecated"),
	}
	if hours := rapid.IntRange(-1, 5).Draw(t, "hours"); hours >= 0 {
		image.CreatedTime = catalogtest.Noon.Add(-time.Duration(hours) * time.Hour)
	}
	return image
}

func drawSpec(t *rapid.T) *imagev1alpha1.ImageQuerySpec {
	spec := &imagev1alpha1.ImageQuerySpec{Selection: imagev1alpha1.ImageSelection{
		OrderBy: rapid.SampledFrom([]imagev1alpha1.SelectionOrder{"", imagev1alpha1.OrderByName, imagev1alpha1.OrderBySemVer}).Draw(t, "orderBy"),
		Limit:   rapid.Int32Range(1, 3).Draw(t, "limit"), Skip: rapid.Int32Range(0, 2).Draw(t, "skip"),
		MinAge:  metav1.Duration{Duration: time.Duration(rapid.IntRange(0, 3).Draw(t, "minAge")) * time.Hour},
		GroupBy: rapid.SampledFrom([][]imagev1alpha1.SelectionGroup{nil, {imagev1alpha1.GroupByNone}}).Draw(t, "groupBy"),
	}}
	if spec.Selection.OrderBy != "" {
		spec.Selection.Extract = `v(\d+\.\d+\.\d+)$`
	}
	if rapid.Bool().Draw(t, "pinning") {
		spec.Selection.Pin = []imagev1alpha1.ImageID{"img-0003", "img-0001"}
	}
	if rapid.Bool().Draw(t, "trusting") {
		spec.Match.Creators = []string{"1", "2"}
	}
	return spec
}

// The order of the input doesn't matter, and every selection keeps the invariants.
func TestASelectionDependsOnNoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		c, bad := NewSelector(spec)
		if bad != nil {
			t.Fatal(bad.Error())
		}
		b := Input{Now: catalogtest.Noon, heldBack: map[string]bool{}, Missing: map[string]imagev1alpha1.SelectionVerdict{}}
		last := map[string]bool{}
		for i := range rapid.IntRange(0, 12).Draw(t, "members") {
			image := drawImage(t, i)
			b.Members = append(b.Members, image)
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				b.heldBack[image.ID] = true
			case 1:
				b.Missing[image.ID] = ""
			case 2:
				if c.trusts(image) {
					b.Previous, last[image.ID] = append(b.Previous, previous{Image: image}), true
				}
			}
		}
		got := c.Select(b)

		shuffled := b
		shuffled.Members, shuffled.Previous = slices.Clone(b.Members), slices.Clone(b.Previous)
		seed := rapid.Uint64().Draw(t, "seed")
		source := rand.New(rand.NewPCG(seed, 1))
		source.Shuffle(len(b.Members), func(i, j int) {
			shuffled.Members[i], shuffled.Members[j] = shuffled.Members[j], shuffled.Members[i]
		})
		source.Shuffle(len(b.Previous), func(i, j int) {
			shuffled.Previous[i], shuffled.Previous[j] = shuffled.Previous[j], shuffled.Previous[i]
		})
		again := c.Select(shuffled)
		if diff := cmp.Diff(got.IDs(), again.IDs()); diff != "" {
			t.Fatalf("another order, another selection:\n%s", diff)
		}
		if diff := cmp.Diff(got.Verdicts, again.Verdicts); diff != "" {
			t.Fatalf("another order, other verdicts:\n%s", diff)
		}
		for _, image := range got.Selected {
			if last[image.ID] {
				continue
			}
			if image.State != "NORMAL" || b.heldBack[image.ID] || !c.trusts(image) {
				t.Fatalf("%+v was newly selected", image)
			}
			if _, absent := b.Missing[image.ID]; absent {
				t.Fatalf("%s was newly selected, which the listing lacks", image.ID)
			}
		}
		if len(got.Selected) == 0 && len(b.Previous) > 0 {
			t.Fatalf("nothing is selected any more, after %v", slices.Sorted(maps.Keys(last)))
		}
		if len(got.Verdicts) != len(b.Members) {
			t.Fatalf("%d verdicts for %d members", len(got.Verdicts), len(b.Members))
		}
	})
}

// Of a partial image, status has the architecture only.
func TestWhatIsSelectedInsteadOfAPartialImage(t *testing.T) {
	const (
		architecture = imagev1alpha1.GroupByArchitecture
		platform     = imagev1alpha1.GroupByPlatform
		none         = imagev1alpha1.GroupByNone
	)
	for name, tc := range map[string]struct {
		groupBy []imagev1alpha1.SelectionGroup
		member  catalog.Image
		partial bool
		want    string
	}{
		"one of its architecture": {[]imagev1alpha1.SelectionGroup{architecture, platform}, catalogtest.Image("new", 1), true, "new"},
		"none of another architecture": {[]imagev1alpha1.SelectionGroup{architecture, platform}, catalogtest.Image("new", 1, "arm64"),
			true, "old new"},
		"any, if all are one group":        {[]imagev1alpha1.SelectionGroup{none}, catalogtest.Image("new", 1, "arm64"), true, "new"},
		"none of another known platform":   {[]imagev1alpha1.SelectionGroup{platform}, catalogtest.Image("new", 1), false, "new old"},
		"none of another operating system": {[]imagev1alpha1.SelectionGroup{"OSName"}, catalogtest.Image("new", 1), false, "new old"},
		"none of another family":           {[]imagev1alpha1.SelectionGroup{"ImageFamily"}, catalogtest.Image("new", 1), false, "new old"},
	} {
		t.Run(name, func(t *testing.T) {
			s := Selector{Spec: &imagev1alpha1.ImageQuerySpec{Selection: imagev1alpha1.ImageSelection{GroupBy: tc.groupBy}}}
			old := catalogtest.Image("old", 9)
			old.Platform = ""
			if !tc.partial {
				old.Platform, old.OSName, old.Family = "Ubuntu", "Ubuntu 24.04", "ubuntu"
				tc.member.OSName, tc.member.Family = "TencentOS 4", "tencentos"
			}
			got := s.Select(Input{Members: []catalog.Image{tc.member}, Previous: []previous{{Image: old, Partial: tc.partial}},
				Now: catalogtest.Noon})
			if names := catalogtest.Names(got.Selected); names != tc.want {
				t.Errorf("selected is %q, want %q", names, tc.want)
			}
		})
	}
}

// If the selection is the same, and status doesn't show the groups of all images, its order stays.
func TestTheOrderOfPartialImagesStays(t *testing.T) {
	older, newer := catalogtest.Image("older", 9), catalogtest.Image("newer", 1)
	other := catalogtest.Image("other", 5)
	for name, tc := range map[string]struct {
		groupBy  imagev1alpha1.SelectionGroup
		partial  bool
		selected []catalog.Image
		want     string
	}{
		"as it was":               {imagev1alpha1.GroupByPlatform, true, []catalog.Image{newer, older}, "older newer"},
		"the groups are known":    {imagev1alpha1.GroupByPlatform, false, []catalog.Image{newer, older}, "newer older"},
		"status has their groups": {imagev1alpha1.GroupByArchitecture, true, []catalog.Image{newer, older}, "newer older"},
		"another is selected":     {imagev1alpha1.GroupByPlatform, true, []catalog.Image{older, other}, "other older"},
		"one more is selected":    {imagev1alpha1.GroupByPlatform, true, []catalog.Image{other, older, newer}, "newer other older"},
	} {
		t.Run(name, func(t *testing.T) {
			s := Selector{Spec: &imagev1alpha1.ImageQuerySpec{Selection: imagev1alpha1.ImageSelection{
				GroupBy: []imagev1alpha1.SelectionGroup{tc.groupBy},
			}}}
			s.Arrange(tc.selected, []previous{{Image: older, Partial: tc.partial}, {Image: newer, Partial: tc.partial}})
			if names := catalogtest.Names(tc.selected); names != tc.want {
				t.Errorf("the order is %q, want %q", names, tc.want)
			}
		})
	}
}

// Only an image with a creation time that is too young passes minAge one day.
func TestWhenTheNextImageIsOldEnough(t *testing.T) {
	s := Selector{Spec: &imagev1alpha1.ImageQuerySpec{Selection: imagev1alpha1.ImageSelection{MinAge: metav1.Duration{Duration: 3 * time.Hour}}}}
	for name, tc := range map[string]struct {
		members []catalog.Image
		want    time.Time
	}{
		"the first of two":        {[]catalog.Image{catalogtest.Image("a", 1), catalogtest.Image("b", 2)}, catalogtest.Noon.Add(time.Hour)},
		"a public image":          {[]catalog.Image{catalogtest.Image("a", 0, "undated")}, time.Time{}},
		"one that is coming":      {[]catalog.Image{catalogtest.Image("a", 1, "CREATING")}, time.Time{}},
		"one that is old already": {[]catalog.Image{catalogtest.Image("a", 4)}, time.Time{}},
	} {
		if got := s.Select(Input{Members: tc.members, Now: catalogtest.Noon}).Next; !got.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
