// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"slices"
)

// The breaker ignores fewer removals than this, unless nothing would be left.
const least = 5

// class is a set of images that can replace each other.
type class struct{ imageType, creator string }

func classOf(i Image) class {
	if i.Type == "PUBLIC_IMAGE" {
		return class{imageType: i.Type}
	}
	return class{i.Type, i.Creator}
}

// poll is one poll of a query.
type poll struct {
	before   State
	listing  Listing
	matching []Image

	// leaving are the members that would leave, with the reason. unsure are those that a listing lacks that contradicts
	// itself.
	leaving map[string]string
	unsure  map[string]bool
	edited  bool
}

// Poll returns the state after a complete listing.
func (s State) Poll(l Listing) State {
	if s.Spec.Suspend {
		return s
	}
	if s.Scope != s.Spec.scope() {
		s.Members, s.Selected, s.Leaving, s.Unlabelled = nil, nil, nil, nil
	}
	p := poll{before: s, listing: l, leaving: map[string]string{}, unsure: map[string]bool{}, edited: s.Observed != s.Spec.observed()}
	for _, i := range l.Shown {
		if s.Spec.matches(i) {
			p.matching = append(p.matching, i)
		}
	}
	for _, m := range s.Members {
		switch {
		case has(p.matching, m.ID):
		case l.Unsettled:
			p.unsure[m.ID] = true
		case has(l.Exist, m.ID):
			p.leaving[m.ID] = "NotMatched"
		default:
			p.leaving[m.ID] = "Gone"
		}
	}
	return p.decide()
}

// counted are the trusted images that would leave.
func (p poll) counted() []string {
	var ids []string
	for _, m := range p.before.Members {
		if p.leaving[m.ID] != "" && p.before.Spec.trusts(m.Image) {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// arriving are the images that can replace others, by class.
func (p poll) arriving() map[class]int {
	out := map[class]int{}
	for _, i := range p.matching {
		verdict := p.before.verdict(i.ID)
		known := has(p.before.images(), i.ID) && verdict != HeldBack
		if !known && i.normal() && p.before.Spec.trusts(i) && (i.Creator != "" || i.Type == "PUBLIC_IMAGE") {
			out[classOf(i)]++
		}
	}
	return out
}

// trips reports whether so many images would leave, on balance, that a person must approve.
func (p poll) trips() bool {
	arriving, now, grace := p.arriving(), map[class]int{}, map[class]int{}
	members, staying := 0, 0
	for _, m := range p.before.Members {
		if m.Verdict == HeldBack || !p.before.Spec.trusts(m.Image) {
			continue
		}
		members++
		switch reason := p.leaving[m.ID]; {
		case reason == "":
			staying++
		case !p.edited || reason == "Gone":
			now[classOf(m.Image)]++
		}
	}
	for _, d := range p.before.Leaving {
		if !d.Replaced && p.before.Spec.trusts(d.Image) && !has(p.matching, d.ID) {
			grace[classOf(d.Image)]++
		}
	}
	lost, total, inGrace, replaced := 0, 0, 0, false
	classes := map[class]bool{}
	for _, counts := range []map[class]int{arriving, now, grace} {
		for c := range counts {
			classes[c] = true
		}
	}
	for c := range classes {
		lost += max(0, now[c]-arriving[c])
		total += max(0, now[c]+grace[c]-arriving[c])
		inGrace += grace[c]
		replaced = replaced || arriving[c] > 0 && now[c]+grace[c] > 0
	}
	switch {
	case lost == 0 || p.before.Spec.MaxRemovedPercent >= 100:
		return false
	case staying == 0 && !replaced:
		return true
	}
	return total >= least && total*100 > p.before.Spec.MaxRemovedPercent*(members+inGrace)
}

// decide returns the state after the poll.
func (p poll) decide() State {
	s := p.before
	pending := p.counted()
	s.Blocked = p.trips() && s.Approved != s.token(pending)
	s.Pending = nil
	if s.Blocked {
		s.Pending = pending
	}
	stays := func(m Member) bool { return p.unsure[m.ID] || s.Blocked && p.leaving[m.ID] != "" }
	images := slices.Clone(p.matching)
	for _, m := range p.before.Members {
		if !stays(m) {
			continue
		}
		i := m.Image
		if now, exists := find(p.listing.Exist, m.ID); exists && !p.listing.Unsettled {
			i = now
		}
		images = append(images, i)
	}
	slices.SortFunc(images, newestFirst)
	c := choice{members: images, previous: p.previous(images), former: p.before.verdict}
	c.missing = func(id string) bool { return !has(p.matching, id) }
	c.heldBack = func(id string) bool {
		known := has(p.before.images(), id) && p.before.verdict(id) != HeldBack
		return has(p.matching, id) && s.Blocked && !known
	}
	c.run(s.Spec)
	s.Selected, s.Kept = c.selected, c.kept
	s.Leaving = p.departed(s)
	s.Members = p.members(images, c)
	s.Removing = nil
	for _, d := range s.Leaving {
		if d.Object {
			s.Removing = append(s.Removing, d.ID)
		}
	}
	slices.Sort(s.Removing)
	s.Observed, s.Asked, s.Scope, s.Synced = s.Spec.observed(), s.Spec.asks(), s.Spec.scope(), true
	s.Unlabelled, s.Former = nil, nil
	return s.publish()
}

// members returns the members with their verdicts. No object is made of an image that only status knows.
func (p poll) members(images []Image, c choice) []Member {
	var out []Member
	for _, i := range images {
		m := Member{Image: i, Verdict: c.verdicts[i.ID]}
		wanted := p.before.Spec.Policy == "All" || p.before.Spec.Policy == "Selected" && has(c.selected, i.ID)
		m.Object = wanted && (has(p.matching, i.ID) || has(p.listing.Exist, i.ID) && !p.listing.Unsettled || p.hadObject(i.ID))
		out = append(out, m)
	}
	return out
}

func (p poll) hadObject(id string) bool {
	return slices.ContainsFunc(p.before.Members, func(m Member) bool { return m.ID == id && m.Object })
}

// previous are the selected images that may stay selected: no edit ruled them out, and they are not gone.
func (p poll) previous(members []Image) []Image {
	s := p.before
	var out []Image
	for _, i := range s.Selected {
		member, exists := has(members, i.ID), has(p.listing.Exist, i.ID) || p.listing.Unsettled
		switch {
		case !member && (!exists || p.edited):
		case !s.Synced && (slices.Contains(s.Spec.Exclude, i.ID) || !s.Spec.names(i)):
		case !s.Spec.trusts(i):
		default:
			out = append(out, i)
		}
	}
	return out
}

// departed returns the images in their grace period after the poll.
func (p poll) departed(s State) []Departed {
	var all []Departed
	for _, d := range p.before.Leaving {
		if !has(p.matching, d.ID) {
			all = append(all, d)
		}
	}
	for _, i := range p.before.Unlabelled {
		if !has(p.matching, i.ID) {
			all = append(all, Departed{Image: i, Reason: "NotMatched", Object: true})
		}
	}
	var left []Departed
	if !s.Blocked {
		for _, m := range p.before.Members {
			if reason := p.leaving[m.ID]; reason != "" {
				left = append(left, Departed{Image: m.Image, Reason: reason, Replaced: m.Verdict == HeldBack, Object: m.Object})
			}
		}
		slices.SortFunc(left, func(a, b Departed) int { return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.ID, b.ID)) })
	}
	all = append(all, left...)
	if !s.Blocked {
		arriving := p.arriving()
		for i, d := range all {
			if c := classOf(d.Image); arriving[c] > 0 && !d.Replaced && s.Spec.trusts(d.Image) {
				arriving[c]--
				all[i].Replaced = true
			}
		}
	}
	return slices.DeleteFunc(all, func(d Departed) bool { return !s.keeps(d) })
}

// keeps reports whether an image that left stays in its grace period.
func (s State) keeps(d Departed) bool {
	if d.Object && s.Spec.Policy == "None" {
		return false
	}
	if !d.Object && s.Spec.Policy == "All" {
		return false
	}
	return s.Spec.Grace || s.Blocked || d.Object && has(s.Selected, d.ID)
}
