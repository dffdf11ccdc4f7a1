// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"slices"
)

// Verdicts on members.
const (
	Missing   = "Missing"
	Selected  = "Selected"
	HeldBack  = "HeldBack"
	Untrusted = "UntrustedCreator"
	NotNormal = "NotNormal"
	NotNewest = "NotNewest"
)

// choice selects images of each architecture.
type choice struct {
	members, previous []Image

	// missing reports whether the listing lacks a member, and heldBack whether it arrived while removals are blocked.
	// former is the verdict before.
	missing, heldBack func(id string) bool
	former            func(id string) string

	// The results.
	verdicts map[string]string
	selected []Image
	kept     bool
}

// architectures are the groups, in order.
var architectures = []string{"amd64", "arm64"}

func (c *choice) run(spec Spec) {
	c.verdicts = map[string]string{}
	for _, architecture := range architectures {
		var group []Image
		for _, i := range c.members {
			if i.Architecture != architecture {
				continue
			}
			if verdict := c.excluded(spec, i); verdict != "" {
				c.verdicts[i.ID] = verdict
				continue
			}
			group = append(group, i)
		}
		if !c.fill(spec, group) {
			c.keep(architecture)
		}
	}
	c.selected = inOrder(spec, c.selected)
}

// stays reports whether a selected image stays although the listing lacks it.
func (c *choice) stays(i Image) bool { return c.missing(i.ID) && has(c.previous, i.ID) }

// excluded returns why an image can't be selected whatever its rank, or "".
func (c *choice) excluded(spec Spec, i Image) string {
	former := c.former(i.ID)
	switch {
	case c.stays(i):
		return ""
	case c.missing(i.ID) && former != HeldBack:
		return Missing
	case c.heldBack(i.ID), c.missing(i.ID):
		return HeldBack
	case !spec.trusts(i):
		return Untrusted
	case !i.normal() && !has(c.previous, i.ID):
		return NotNormal
	}
	return ""
}

// fill selects in one group: pins, then selected images that the listing lacks, then the newest.
func (c *choice) fill(spec Spec, group []Image) bool {
	var pins, staying, rest []Image
	for _, i := range group {
		switch {
		case slices.Contains(spec.Pin, i.ID):
			pins = append(pins, i)
		case c.stays(i):
			staying = append(staying, i)
		default:
			rest = append(rest, i)
		}
	}
	slices.SortFunc(pins, func(a, b Image) int { return cmp.Compare(slices.Index(spec.Pin, a.ID), slices.Index(spec.Pin, b.ID)) })
	slices.SortFunc(staying, newestFirst)
	slices.SortFunc(rest, newestFirst)
	room, stay := spec.Limit-len(pins), len(staying)
	if len(pins) > 0 {
		stay = min(stay, max(0, room))
	}
	filled := c.take(pins, spec.Limit)
	filled = c.take(staying, stay) || filled
	return c.take(rest, room-stay) || filled
}

// take selects the first images of a list.
func (c *choice) take(list []Image, places int) bool {
	for n, i := range list {
		stays := c.stays(i)
		switch {
		case stays:
			c.verdicts[i.ID] = Missing
		case n < places:
			c.verdicts[i.ID] = Selected
		case !i.normal():
			c.verdicts[i.ID] = NotNormal
		default:
			c.verdicts[i.ID] = NotNewest
		}
		if n < places {
			c.selected = append(c.selected, i)
			c.kept = c.kept || stays || !i.normal()
		}
	}
	return len(list) > 0 && places > 0
}

// keep keeps the selection of a group in which nothing qualifies.
func (c *choice) keep(architecture string) {
	for _, i := range c.previous {
		if i.Architecture != architecture {
			continue
		}
		if now, member := find(c.members, i.ID); member {
			i = now
			c.verdicts[i.ID] = Selected
		}
		c.selected, c.kept = append(c.selected, i), true
	}
}

// inOrder orders a selection by groups, and within them by pins and age.
func inOrder(spec Spec, images []Image) []Image {
	place := func(list []string, value string) int {
		if at := slices.Index(list, value); at >= 0 {
			return at
		}
		return len(list)
	}
	out := slices.Clone(images)
	slices.SortFunc(out, func(a, b Image) int {
		return cmp.Or(
			cmp.Compare(place(architectures, a.Architecture), place(architectures, b.Architecture)),
			cmp.Compare(place(spec.Pin, a.ID), place(spec.Pin, b.ID)), newestFirst(a, b),
		)
	})
	return out
}
