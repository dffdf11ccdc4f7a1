// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"testing"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
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
