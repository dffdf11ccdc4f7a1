// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"maps"
	"slices"
	"strings"
)

// Claim is what one query has of a CloudImage. Label is member, selected or "". Leaving is set in the grace period.
type Claim struct {
	Name, ID, Label string

	Leaving bool
}

// Object is a CloudImage: what each of its owners has of it.
type Object struct {
	Labels  map[string]string
	Owners  []string
	Leaving []string

	// Present is set if any query has the image as a member.
	Present bool
}

// claims returns the CloudImages of a query.
func (s State) claims() []Claim {
	prefix := s.Spec.Region + "-"
	if s.Spec.Account != "" {
		prefix = s.Spec.Account + "." + prefix
	}
	if s.Observed != "" && s.Scope != s.Spec.scope() {
		return s.Former
	}
	out := slices.Clone(s.Former)
	for _, m := range s.Members {
		label := "member"
		if has(s.Selected, m.ID) {
			label = "selected"
		}
		if m.Object {
			out = append(out, Claim{Name: prefix + m.ID, ID: m.ID, Label: label})
		}
	}
	for _, d := range s.Leaving {
		if d.Object {
			out = append(out, Claim{Name: prefix + d.ID, ID: d.ID, Leaving: true})
		}
	}
	for _, i := range s.Unlabelled {
		out = append(out, Claim{Name: prefix + i.ID, ID: i.ID})
	}
	return out
}

// Objects returns the CloudImages of all queries, by name.
func Objects(queries map[string]State) map[string]Object {
	out := map[string]Object{}
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		for _, c := range queries[name].claims() {
			o := out[c.Name]
			if o.Labels == nil {
				o.Labels = map[string]string{}
			}
			o.Owners = append(o.Owners, name)
			if c.Label != "" {
				o.Labels[name], o.Present = c.Label, true
			}
			if c.Leaving {
				o.Leaving = append(o.Leaving, name)
			}
			out[c.Name] = o
		}
	}
	return out
}

// Status is what a query's status shows at rest. Images are "id verdict".
type Status struct {
	Images, Selected, Removing, Pending []string
	Ready, SelectedReason               string
	Blocked                             bool
}

// Status returns what status shows.
func (s State) Status() Status {
	out := Status{Blocked: s.Blocked, Pending: s.Pending, Removing: s.Removing, Ready: s.ready(), SelectedReason: "Selected"}
	for _, m := range s.Members {
		out.Images = append(out.Images, m.ID+" "+m.Verdict)
	}
	for _, i := range s.Selected {
		out.Selected = append(out.Selected, i.ID)
	}
	switch {
	case len(s.Selected) == 0 && !s.Synced:
		out.SelectedReason = "Progressing"
	case len(s.Selected) == 0:
		out.SelectedReason = "NothingSelected"
	case s.Kept:
		out.SelectedReason = "Kept"
	}
	return out
}

func (s State) ready() string {
	switch {
	case s.Spec.Suspend:
		return "Suspended"
	case !s.Synced:
		return "Progressing"
	case s.Blocked:
		return "RemovalBlocked"
	case len(s.Members) == 0:
		return "NoImagesMatched"
	}
	return "Synced"
}

// String formats a status for test failures.
func (s Status) String() string {
	return strings.Join([]string{
		"Ready " + s.Ready, "Selected " + s.SelectedReason, "images " + strings.Join(s.Images, ", "),
		"selected " + strings.Join(s.Selected, ", "), "removing " + strings.Join(s.Removing, ", "),
		"pending " + strings.Join(s.Pending, ", "),
	}, "; ")
}
