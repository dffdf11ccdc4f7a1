// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"fmt"
	"testing"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// named returns images with these names, each newer than the previous one.
func named(names ...string) []catalog.Image {
	out := make([]catalog.Image, len(names))
	for i, name := range names {
		out[i] = catalog.Image{
			ID: fmt.Sprintf("img-%08d", i), Name: name, State: "NORMAL", Architecture: "amd64",
			CreatedTime: time.Date(2026, 1, 1, i, 0, 0, 0, time.UTC),
		}
	}
	return out
}

// undated returns images without a creation time, such as public ones.
func undated(names ...string) []catalog.Image {
	out := named(names...)
	for i := range out {
		out[i].CreatedTime = time.Time{}
	}
	return out
}

func TestTheFunnelSaysWhatTurnedImagesAway(t *testing.T) {
	golden := named("golden-node-v1.36.0", "golden-node-v1.37.2", "golden-web-1")
	creating := named("golden-node-v1.38.0")
	creating[0].State = "CREATING"
	for name, tc := range map[string]struct {
		match         imagev1alpha1.ImageMatch
		images        []catalog.Image
		skipped       int
		want, nearest string
	}{
		"nothing is listed": {want: "0 listed, 0 match"},
		"all match":         {images: golden, want: "3 listed, 3 match"},
		"one matches": {
			images: golden, match: imagev1alpha1.ImageMatch{NameRegex: "web"},
			want: "3 listed, 1 matches: match.nameRegex turns 2 away",
		},
		"an entry was skipped": {images: golden, skipped: 1, want: "4 listed, 3 match"},
		"another version": {
			images: golden, match: imagev1alpha1.ImageMatch{NameRegex: `^golden-node-v1\.38`},
			want: "3 listed, 0 match: match.nameRegex turns 3 away", nearest: "golden-node-v1.37.2",
		},
		"another case": {
			images: golden, match: imagev1alpha1.ImageMatch{NameRegex: `^Golden-Web-\d$`},
			want: "3 listed, 0 match: match.nameRegex turns 3 away", nearest: "golden-web-1",
		},
		"in a group to capture": {
			images: golden, match: imagev1alpha1.ImageMatch{NameRegex: `^(golden-web-)2`},
			want: "3 listed, 0 match: match.nameRegex turns 3 away", nearest: "golden-web-1",
		},
		"in the middle": {
			images: golden, match: imagev1alpha1.ImageMatch{NameRegex: `node-v1\.35`},
			want: "3 listed, 0 match: match.nameRegex turns 3 away", nearest: "golden-node-v1.37.2",
		},
		"as near as an older one": {
			images: named("golden-web-1", "golden-web-2", "golden-ui"), match: imagev1alpha1.ImageMatch{NameRegex: `^golden-web-9`},
			want: "3 listed, 0 match: match.nameRegex turns 3 away", nearest: "golden-web-2",
		},
		"an older one is nearer": {
			images: named("golden-web-1", "golden-node-2"), match: imagev1alpha1.ImageMatch{NameRegex: `^golden-web-9`},
			want: "2 listed, 0 match: match.nameRegex turns 2 away", nearest: "golden-web-1",
		},
		"the newest comes first in the listing": {
			images: []catalog.Image{golden[2], golden[1]}, match: imagev1alpha1.ImageMatch{NameRegex: `^golden-9`},
			want: "2 listed, 0 match: match.nameRegex turns 2 away", nearest: "golden-web-1",
		},
		"a public image, by three letters": {
			images: undated("Ubuntu"), match: imagev1alpha1.ImageMatch{NameRegex: `^ubu-2404`},
			want: "1 listed, 0 match: match.nameRegex turns 1 away", nearest: "Ubuntu",
		},
		"all of a long text, but for its case": {
			images: named("golden-node-of-thirty-two-lette-1"), match: imagev1alpha1.ImageMatch{NameRegex: `^Golden-Node-Of-Thirty-Two-Lette-\d`},
			want: "1 listed, 0 match: match.nameRegex turns 1 away", nearest: "golden-node-of-thirty-two-lette-1",
		},
		"an anchor alone": {images: golden, match: imagev1alpha1.ImageMatch{NameRegex: `^`}, want: "3 listed, 3 match"},
		"nothing comes near": {
			images: golden, match: imagev1alpha1.ImageMatch{NameRegex: `^gateway`},
			want: "3 listed, 0 match: match.nameRegex turns 3 away",
		},
		"no plain text": {
			images: golden, match: imagev1alpha1.ImageMatch{NameRegex: `^[a-z]$`},
			want: "3 listed, 0 match: match.nameRegex turns 3 away",
		},
		"several fields": {
			images: append(creating, golden...),
			match: imagev1alpha1.ImageMatch{
				NameRegex: "node", States: []imagev1alpha1.ImageState{"NORMAL"},
				ExcludeImageIDs: []imagev1alpha1.ImageID{"img-00000001"},
			},
			want: "4 listed, 1 matches: match.nameRegex turns 1 away, match.states turns 1 away, match.excludeImageIDs turns 1 away",
		},
		"the first field counts": {
			images: creating,
			match:  imagev1alpha1.ImageMatch{Architectures: []imagev1alpha1.Architecture{"arm64"}, States: []imagev1alpha1.ImageState{"NORMAL"}},
			want:   "1 listed, 0 match: match.states turns 1 away",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := NewMatcher(&tc.match)
			if err != nil {
				t.Fatal(err)
			}
			members, got := m.Split(catalog.Listing{Images: tc.images, Skipped: tc.skipped})
			if len(members) != got.Matching || len(members) != len(m.Members(tc.images)) {
				t.Errorf("%d members, but %d match", len(members), got.Matching)
			}
			if got.String() != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if nearest := m.Nearest(tc.images); tc.nearest != nearest && (tc.nearest != "" || got.Matching == 0) {
				t.Errorf("the nearest name is %q, want %q", nearest, tc.nearest)
			}
		})
	}
}
