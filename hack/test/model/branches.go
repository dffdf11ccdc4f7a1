// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import "slices"

// Branches are the possible states of a query. When the operator polls on its own account isn't known, nor what came of
// a poll while something failed; so an event may leave several.
type Branches []State

// Each applies an event to every branch.
func (b Branches) Each(event func(State) State) Branches {
	var out Branches
	for _, s := range b {
		out = append(out, event(s))
	}
	return out.distinct()
}

// Maybe adds the branches on which an event happened.
func (b Branches) Maybe(event func(State) State) Branches {
	return append(slices.Clip(b), b.Each(event)...).distinct()
}

// Rest polls every branch until nothing changes any more.
func (b Branches) Rest(l Listing) Branches {
	for range 4 {
		b = b.Each(func(s State) State { return s.Poll(l) })
	}
	return b
}

func (b Branches) distinct() Branches {
	seen := map[string]bool{}
	var out Branches
	for _, s := range b {
		if k := key(s); !seen[k] {
			seen[k] = true
			out = append(out, s)
		}
	}
	return out
}
