// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"fmt"
	"testing"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

func TestTheBreakerTripsWhenManyLeave(t *testing.T) {
	gone := func(n int) map[string]imagev1alpha1.RemovalReason {
		out := map[string]imagev1alpha1.RemovalReason{}
		for i := range n {
			out[fmt.Sprintf("img-%d", i)] = imagev1alpha1.RemovedGone
		}
		return out
	}
	notMatched := func(n int) map[string]imagev1alpha1.RemovalReason {
		out := gone(n)
		for id := range out {
			out[id] = imagev1alpha1.RemovedNotMatched
		}
		return out
	}
	for name, tc := range map[string]struct {
		departure RemovalBatch
		percent   int
		want      bool
	}{
		"nobody leaves":           {departure: RemovalBatch{Members: 10}, percent: 0},
		"half of them":            {departure: RemovalBatch{Members: 10, Leaving: gone(5)}, percent: 50},
		"more than half of them":  {departure: RemovalBatch{Members: 10, Leaving: gone(6)}, percent: 50, want: true},
		"more than half, but few": {departure: RemovalBatch{Members: 5, Leaving: gone(4)}, percent: 50},
		"all of few":              {departure: RemovalBatch{Members: 1, Leaving: gone(1)}, percent: 50, want: true},
		"all of many, whatever the percentage below 100": {departure: RemovalBatch{Members: 10, Leaving: gone(10)}, percent: 99, want: true},
		"all of them, but it is switched off":            {departure: RemovalBatch{Members: 10, Leaving: gone(10)}, percent: 100},
		"any five at 0":                                  {departure: RemovalBatch{Members: 1000, Leaving: gone(5)}, percent: 0, want: true},
		"a few more each poll: those in grace count":     {departure: RemovalBatch{Members: 7, inGrace: 3, Leaving: gone(3)}, percent: 50, want: true},
		"an edit approves what matches no more":          {departure: RemovalBatch{Members: 10, edited: true, Leaving: notMatched(10)}, percent: 50},
		"an edit does not approve what is gone":          {departure: RemovalBatch{Members: 10, edited: true, Leaving: gone(10)}, percent: 50, want: true},
		"status can't tell who came while blocked":       {departure: RemovalBatch{Members: 1000, HeldBackUnknown: true, Leaving: gone(5)}, percent: 50, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.departure.trips(tc.percent); got != tc.want {
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
