// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
)

func TestTheBreakerTripsWhenManyLeave(t *testing.T) {
	for name, tc := range map[string]struct {
		members, staying int
		private, public  balance
		heldBackUnknown  bool
		percent          int
		want             bool
	}{
		"nobody leaves":           {members: 10, staying: 10, percent: 0},
		"half of them":            {members: 10, staying: 5, private: balance{leaving: 5}, percent: 50},
		"more than half of them":  {members: 10, staying: 4, private: balance{leaving: 6}, percent: 50, want: true},
		"more than half, but few": {members: 5, staying: 1, private: balance{leaving: 4}, percent: 50},
		"all of few":              {members: 1, private: balance{leaving: 1}, percent: 50, want: true},
		"all of few, one of which an image comes for": {members: 3, private: balance{leaving: 3, arriving: 1}, percent: 50},
		"all of few, but an image of another class comes": {
			members: 3, private: balance{leaving: 3}, public: balance{arriving: 3}, percent: 50, want: true,
		},
		"all of many, whatever the percentage below 100": {members: 10, private: balance{leaving: 10}, percent: 99, want: true},
		"all of them, but it is switched off":            {members: 10, private: balance{leaving: 10}, percent: 100},
		"any five at 0":                                  {members: 1000, staying: 995, private: balance{leaving: 5}, percent: 0, want: true},
		"any five at 0, one of which an image comes for": {members: 1000, staying: 995, private: balance{leaving: 5, arriving: 1}, percent: 0},
		"a few more each poll: those in grace count": {
			members: 7, staying: 4, private: balance{leaving: 3, inGrace: 3}, percent: 50, want: true,
		},
		"those in grace count among all, too": {members: 7, staying: 5, private: balance{leaving: 2, inGrace: 3}, percent: 50},
		"many come of another class": {
			members: 10, staying: 4, private: balance{leaving: 6}, public: balance{arriving: 60}, percent: 50, want: true,
		},
		"each class has a part": {
			members: 10, staying: 3, private: balance{leaving: 4, arriving: 1}, public: balance{leaving: 3}, percent: 50, want: true,
		},
		"one of the last two is replaced": {
			members: 2, private: balance{leaving: 1, inGrace: 1, arriving: 1}, public: balance{leaving: 1}, percent: 50,
		},
		"what is in grace holds up no replacement": {members: 1, private: balance{leaving: 1, inGrace: 19, arriving: 1}, percent: 50},
		"status can't tell who came while blocked": {
			members: 1000, staying: 995, heldBackUnknown: true, private: balance{leaving: 5}, percent: 50, want: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := RemovalBatch{
				Members: tc.members, staying: tc.staying, HeldBackUnknown: tc.heldBackUnknown,
				balances: map[class]*balance{{typePrivate, "1"}: &tc.private, {imageType: typePublic}: &tc.public},
			}
			if got := d.trips(tc.percent); got != tc.want {
				t.Errorf("trips() = %t, want %t", got, tc.want)
			}
		})
	}
}

// What the spec excludes leaves by a person's edit: it needs no approval, but it doesn't stay, either.
func TestWhatTheSpecExcludesNeedsNoApproval(t *testing.T) {
	image := func(id string) catalog.Image { return catalog.Image{ID: id, Type: typePrivate, Creator: "1"} }
	for name, tc := range map[string]struct {
		known, heldBack, gone []string
		want                  bool
	}{
		"the other one is gone":                          {known: []string{"a", "excluded"}, gone: []string{"a"}, want: true},
		"one of two others is gone":                      {known: []string{"a", "b", "excluded"}, gone: []string{"a"}},
		"it came while removals were blocked":            {known: []string{"a", "b", "excluded"}, heldBack: []string{"excluded"}, gone: []string{"a"}},
		"nothing else leaves":                            {known: []string{"a", "excluded"}},
		"it is the only one":                             {known: []string{"excluded"}},
		"it is gone, and so is the only other one there": {known: []string{"a", "excluded"}, gone: []string{"a", "excluded"}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			spec := imagev1alpha1.ImageQuerySpec{}
			spec.Match.ExcludeImageIDs = []imagev1alpha1.ImageID{"excluded"}
			rules, err := NewRules(&spec)
			if err != nil {
				t.Fatal(err)
			}
			k := Known{Members: map[string]catalog.Image{}, HeldBack: map[string]bool{}}
			v := Observation{
				Missing: map[string]imagev1alpha1.RemovalReason{"excluded": imagev1alpha1.RemovedNotMatched},
				// The cloud reports another owner, which makes it no turned member.
				FoundByID: map[string]catalog.Image{"excluded": {ID: "excluded", Type: typePrivate, Creator: "2"}},
			}
			for _, id := range tc.known {
				k.Members[id] = image(id)
				if !slices.Contains(tc.gone, id) && id != "excluded" {
					v.Matching = append(v.Matching, image(id))
				}
			}
			for _, id := range tc.heldBack {
				k.HeldBack[id] = true
			}
			for _, id := range tc.gone {
				v.Missing[id] = imagev1alpha1.RemovedGone
			}
			d := rules.removalBatch(&imagev1alpha1.ImageQuery{Spec: spec}, k, v)
			if got := d.trips(50); got != tc.want || d.Leaving["excluded"] != "" {
				t.Errorf("trips() = %t, want %t, and %v would leave", got, tc.want, d.Leaving)
			}
		})
	}
}

func TestATokenApprovesOneRemovalOnly(t *testing.T) {
	one := RemovalBatch{Leaving: map[string]imagev1alpha1.RemovalReason{"img-1": "Gone", "img-2": "Gone"}}
	if a, b := one.Token("revision"), one.Token("revision"); a != b {
		t.Errorf("the tokens of one removal are %s and %s", a, b)
	}
	other := RemovalBatch{Leaving: map[string]imagev1alpha1.RemovalReason{"img-1": "Gone"}}
	if one.Token("revision") == one.Token("another") || one.Token("revision") == other.Token("revision") {
		t.Error("a token fits another removal")
	}
}

// Members turn if the cloud reports them with another owner, as another account behind the same Secret does.
func TestWhichMembersTurn(t *testing.T) {
	was := catalogtest.Image("a", 1)
	was.Creator = "1"
	for name, tc := range map[string]struct {
		was      func(*catalog.Image)
		now      string // its creator
		heldBack bool
		byID     bool
		want     bool
	}{
		"the same owner":             {now: "1"},
		"another owner":              {now: "2", want: true},
		"another owner, found by id": {now: "2", byID: true, want: true},
		"it came while blocked":      {now: "2", heldBack: true},
		"its type isn't known":       {now: "2", was: func(i *catalog.Image) { i.Type = "" }},
		"it had no creator":          {now: "2", was: func(i *catalog.Image) { i.Creator = "" }},
		"it wasn't trusted":          {now: "2", was: func(i *catalog.Image) { i.Type, i.Creator = "SHARED_IMAGE", "9" }},
		"it is new":                  {now: "2", was: func(i *catalog.Image) { i.ID = "img-other" }},
	} {
		t.Run(name, func(t *testing.T) {
			was, now := was, was
			now.Creator = tc.now
			if tc.was != nil {
				tc.was(&was)
			}
			spec := &imagev1alpha1.ImageQuerySpec{Selection: imagev1alpha1.ImageSelection{TrustedCreators: []string{"1"}}}
			r := Rules{Matcher: Matcher{Match: &spec.Match}, Selector: Selector{Spec: spec}}
			v := Observation{Matching: []catalog.Image{now}}
			if tc.byID {
				v = Observation{FoundByID: ByID(v.Matching)}
			}
			got := r.turned(Known{Members: ByID([]catalog.Image{was}), HeldBack: map[string]bool{was.ID: tc.heldBack}}, v)
			if len(got) > 1 || got[now.ID] != tc.want {
				t.Errorf("turned: %v, want it to be %t", got, tc.want)
			}
		})
	}
}

// Each image that arrives replaces the one that left first, and what is a member again is in no grace period.
func TestTheOldestIsReplacedFirst(t *testing.T) {
	at := func(hour int) time.Time { return catalogtest.Noon.Add(time.Duration(hour) * time.Hour) }
	image := func(name string, hours int) catalog.Image {
		i := catalogtest.Image(name, hours)
		i.Creator = "1"
		return i
	}
	for name, tc := range map[string]struct {
		inGrace  []Departed
		listed   []catalog.Image
		blocked  bool
		want     []string // what is replaced
		balances int      // inGrace as the breaker counts it
	}{
		"the one that left first": {
			inGrace: []Departed{{Image: image("late", 9), Since: at(-1)}, {Image: image("early", 1), Since: at(-2)}},
			listed:  []catalog.Image{image("new", 0)}, want: []string{"img-early"}, balances: 2,
		},
		"together, the older one": {
			inGrace: []Departed{{Image: image("a", 1), Since: at(-1)}, {Image: image("b", 9), Since: at(-1)}},
			listed:  []catalog.Image{image("new", 0)}, want: []string{"img-b"}, balances: 2,
		},
		"of one age, by id": {
			inGrace: []Departed{{Image: image("b", 9), Since: at(-1)}, {Image: image("a", 9), Since: at(-1)}, {Image: image("c", 9), Since: at(-1)}},
			listed:  []catalog.Image{image("new", 0)}, want: []string{"img-a"}, balances: 3,
		},
		"one is a member again": {
			inGrace: []Departed{{Image: image("a", 9), Since: at(-2)}, {Image: image("b", 8), Since: at(-1)}},
			listed:  []catalog.Image{image("a", 9)}, want: []string{"img-b"}, balances: 1,
		},
		"none while removals are blocked": {
			inGrace: []Departed{{Image: image("a", 9), Since: at(-2)}}, listed: []catalog.Image{image("new", 0)}, blocked: true, balances: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &imagev1alpha1.ImageQuerySpec{}
			r := Rules{Matcher: Matcher{Match: &spec.Match}, Selector: Selector{Spec: spec}}
			k, v := Known{InGrace: map[string]Departed{}}, Observation{Matching: tc.listed}
			for _, d := range tc.inGrace {
				k.InGrace[d.Image.ID] = d
			}
			batch, out := r.removalBatch(&imagev1alpha1.ImageQuery{}, k, v), Decision{}
			if got := batch.balances[classOf(image("new", 0))].inGrace; got != tc.balances {
				t.Errorf("the breaker counts %d in grace, want %d", got, tc.balances)
			}
			if tc.blocked {
				out.Blocked = &batch
			}
			var replaced []string
			for id, d := range r.departed(k, v, out, batch, catalogtest.Noon) {
				if slices.ContainsFunc(tc.listed, func(i catalog.Image) bool { return i.ID == id }) {
					t.Errorf("%s is a member and in its grace period", id)
				}
				if d.Replaced {
					replaced = append(replaced, id)
				}
			}
			if diff := cmp.Diff(tc.want, replaced); diff != "" {
				t.Errorf("replaced (-want +got):\n%s", diff)
			}
		})
	}
}

// If status can't tell which members came while removals were blocked, only what is selected is not held back.
func TestWhatIsHeldBack(t *testing.T) {
	a, b, c := catalogtest.Image("a", 1), catalogtest.Image("b", 2), catalogtest.Image("c", 3)
	v, last := Observation{Matching: []catalog.Image{a, b, c}}, []previous{{Image: a}}
	for name, tc := range map[string]struct {
		known Known
		want  map[string]bool
	}{
		"status tells": {
			known: Known{Members: ByID([]catalog.Image{a, b}), HeldBack: map[string]bool{b.ID: true}},
			want:  map[string]bool{a.ID: false, b.ID: true, c.ID: true},
		},
		"it doesn't": {
			known: Known{Members: ByID([]catalog.Image{a, b, c}), HeldBackUnknown: true},
			want:  map[string]bool{a.ID: false, b.ID: true, c.ID: true},
		},
	} {
		if diff := cmp.Diff(tc.want, heldBack(tc.known, v, last)); diff != "" {
			t.Errorf("%s: held back (-want +got):\n%s", name, diff)
		}
	}
}
