// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import "slices"

// Member is a member with its verdict. Object is set if the query has a CloudImage of it.
type Member struct {
	Image

	Verdict string
	Object  bool
}

// Departed is an image that left the query and whose grace period has not ended.
type Departed struct {
	Image

	Reason string

	// Replaced is set if another image of the same kind came for it. Object is as for a Member.
	Replaced, Object bool
}

// State is what is published of one query.
type State struct {
	Spec Spec

	// Observed, Asked and Scope are those of the last listing that was published.
	Observed, Asked string
	Scope           [2]string

	// Synced is set if the state answers the current spec.
	Synced bool

	Members  []Member
	Selected []Image
	Leaving  []Departed

	// Removing is what the last poll showed of Leaving.
	Removing []string

	// Kept is set if something is selected that doesn't qualify.
	Kept bool

	// Pending are the images that would leave while removals are blocked. Approved is the approval of a removal.
	Blocked  bool
	Pending  []string
	Approved string

	// Unlabelled are objects without the query's label, but with its owner reference: an edit excluded them, and no poll
	// followed. Former are objects of the account and region before an edit.
	Unlabelled []Image
	Former     []Claim

	// Record is what the ConfigMap was made from.
	Record Record
}

// NewState returns the state of a new query.
func NewState(spec Spec, record Record) State { return State{Spec: spec, Record: record} }

// images returns the members without their verdicts.
func (s State) images() []Image {
	out := make([]Image, 0, len(s.Members))
	for _, m := range s.Members {
		out = append(out, m.Image)
	}
	return out
}

// verdict returns the verdict of a member, or "" for other images.
func (s State) verdict(id string) string {
	for _, m := range s.Members {
		if m.ID == id {
			return m.Verdict
		}
	}
	return ""
}

// Edit changes the spec. What it rules out goes at once, before any poll.
func (s State) Edit(spec Spec) State {
	before := s.Spec
	s.Spec, s.Synced = spec, s.Synced && key(before) == key(spec)
	if before.Suspend != spec.Suspend {
		same := before
		same.Suspend = spec.Suspend
		if key(same) == key(spec) {
			s.Synced = false
			return s
		}
	}
	switch {
	case s.Observed == "" || key(before) == key(spec):
		return s
	case s.Scope != spec.scope():
		s.Former = append(slices.Clone(s.Former), s.claims()...)
		s.Members, s.Selected, s.Leaving, s.Removing, s.Unlabelled, s.Kept = nil, nil, nil, nil, nil, false
		s.Blocked, s.Pending = false, nil
		return s.publish()
	}
	s.Blocked, s.Pending = s.Blocked && spec.Suspend, s.pendingIf(spec.Suspend)
	out := s.ruleOut()
	out.Kept = s.Kept && key(out.Selected) == key(s.Selected)
	return out.publish()
}

func (s State) pendingIf(keep bool) []string {
	if keep {
		return s.Pending
	}
	return nil
}

// ruleOut drops what the spec excludes, and selects others from the known members in the groups that lost an image, and
// in those of pins.
func (s State) ruleOut() State {
	excluded := func(id string) bool { return slices.Contains(s.Spec.Exclude, id) }
	var members []Member
	for _, m := range s.Members {
		switch {
		case !excluded(m.ID):
			members = append(members, m)
		case m.Object:
			s.Unlabelled = append(slices.Clone(s.Unlabelled), m.Image)
		}
	}
	groups := map[string]bool{}
	var kept []Image
	for _, i := range s.Selected {
		if excluded(i.ID) || !s.Spec.trusts(i) {
			groups[i.Architecture] = true
			continue
		}
		kept = append(kept, i)
	}
	s.Members = members
	for _, m := range s.Members {
		if slices.Contains(s.Spec.Pin, m.ID) {
			groups[m.Architecture] = true
		}
	}
	if s.Asked != s.Spec.asks() || len(groups) == 0 {
		s.Selected = kept
		return s
	}
	s.Selected = kept
	return s.selectKnown(groups)
}

// selectKnown selects among the known members of some groups.
func (s State) selectKnown(groups map[string]bool) State {
	var c choice
	var others []Image
	for _, m := range s.Members {
		if groups[m.Architecture] && (s.Spec.matches(m.Image) || has(s.Selected, m.ID)) {
			c.members = append(c.members, m.Image)
		}
	}
	for _, i := range s.Selected {
		if groups[i.Architecture] {
			c.previous = append(c.previous, i)
		} else {
			others = append(others, i)
		}
	}
	c.former = s.verdict
	c.missing = func(id string) bool { return s.verdict(id) == Missing }
	c.heldBack = func(id string) bool { return s.verdict(id) == HeldBack }
	c.run(s.Spec)
	s.Members = slices.Clone(s.Members)
	for i, m := range s.Members {
		if verdict := c.verdicts[m.ID]; verdict != "" {
			s.Members[i].Verdict = verdict
		}
	}
	s.Selected = inOrder(s.Spec, append(others, c.selected...))
	return s
}

// Approve approves the removal that is blocked, and no other.
func (s State) Approve() State {
	if s.Blocked {
		s.Approved = s.token(s.Pending)
	}
	return s
}

// token identifies a removal: what is published, and what would leave.
func (s State) token(leaving []string) string { return key(s.images(), s.Selected, leaving) }

// WithObjects is the state with other objects of images that the cloud doesn't have any more. A query also has an object of such
// an image if others do, since that has its record. It lacks one if the API server refused to create it while the image existed, or
// if somebody took the query off it, or deleted it; then nothing is left of an image in its grace period.
func (s State) WithObjects(others, lacking func(id string) bool) State {
	s.Members = slices.Clone(s.Members)
	for i, m := range s.Members {
		wanted := s.Spec.Policy == "All" || s.Spec.Policy == "Selected" && has(s.Selected, m.ID)
		if m.Verdict == Missing || m.Verdict == HeldBack || has(s.Selected, m.ID) {
			s.Members[i].Object = wanted && (m.Object && !lacking(m.ID) || others(m.ID))
		}
	}
	s.Leaving = slices.DeleteFunc(slices.Clone(s.Leaving), func(d Departed) bool { return d.Object && lacking(d.ID) })
	s.Removing = slices.DeleteFunc(slices.Clone(s.Removing), lacking)
	return s
}

// Restarted forgets what only the process remembers.
func (s State) Restarted() State {
	s.Leaving = slices.DeleteFunc(slices.Clone(s.Leaving), func(d Departed) bool { return !d.Object })
	return s
}

// ObjectsDeleted is the state after another client deleted all CloudImages. Records of images that the cloud doesn't have any
// more are lost.
func (s State) ObjectsDeleted() State {
	s.Members, s.Leaving = slices.Clone(s.Members), slices.Clone(s.Leaving)
	for i := range s.Members {
		s.Members[i].Object = false
	}
	s.Leaving = slices.DeleteFunc(s.Leaving, func(d Departed) bool { return d.Object })
	s.Unlabelled, s.Former = nil, nil
	return s
}
