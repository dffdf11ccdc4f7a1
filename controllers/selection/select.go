// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Selector applies spec.selection.
type Selector struct {
	Spec    *imagev1alpha1.ImageQuerySpec
	extract *regexp.Regexp
	within  *semver.Constraints
}

// NewSelector returns an error if spec.selection.range or extract can't work.
func NewSelector(spec *imagev1alpha1.ImageQuerySpec) (Selector, error) {
	c := Selector{Spec: spec}
	s := &spec.Selection
	var err error
	if s.Extract != "" {
		if c.extract, err = regexp.Compile(s.Extract); err != nil {
			return Selector{}, fmt.Errorf("spec.selection.extract is no regular expression in RE2 syntax: %w; correct it", err)
		}
		if c.extract.NumSubexp() == 0 {
			return Selector{}, errors.New(`spec.selection.extract has no group to capture; put parentheses around the version, such as v(\d+\.\d+\.\d+)`)
		}
	}
	if s.Range != "" {
		if c.within, err = semver.NewConstraint(s.Range); err != nil {
			return Selector{}, errors.New("spec.selection.range is no range of versions; write one such as >=1.30 <1.32, ~1.30 or ^1.30")
		}
	}
	return c, nil
}

// Input is the input of Selector.Select.
type Input struct {
	Members []catalog.Image
	Now     time.Time

	// heldBack holds members that arrived while removals were blocked.
	heldBack map[string]bool

	// Missing holds members that this listing lacks but that don't leave, with their previous verdict. They are never
	// newly selected, since they may not exist. Selected ones stay.
	Missing map[string]imagev1alpha1.SelectionVerdict

	// Previous are the selected images that may stay if nothing qualifies: they still exist, and no edit excluded them.
	Previous []previous
}

// previous is an image that was selected. If it is partial, only the fields in status are known.
type previous struct {
	catalog.Image

	Partial bool

	// onlyNotNormal is set if the image is not a member only because it is no longer NORMAL and match.states requires
	// that.
	onlyNotNormal bool
}

// Selection is the result of Selector.Select.
type Selection struct {
	// Selected are the selected images, group by group, in the order of each group.
	Selected []catalog.Image

	// Verdicts has one verdict for each member, by id.
	Verdicts map[string]imagev1alpha1.SelectionVerdict

	// Omitted is the number of images that qualify but don't fit into status.selected.
	Omitted int

	// Retained are the images of Selected that don't qualify but that nothing replaces.
	Retained []catalog.Image

	// Next is when the next member reaches minAge, or zero.
	Next time.Time
}

// IDs returns the ids of the selected images, in order.
func (c Selection) IDs() []string {
	out := make([]string, len(c.Selected))
	for i, image := range c.Selected {
		out[i] = image.ID
	}
	return out
}

// Select selects images in each group. The result doesn't depend on the order of the input.
func (s Selector) Select(in Input) Selection {
	out := Selection{Verdicts: make(map[string]imagev1alpha1.SelectionVerdict, len(in.Members))}
	groups := map[string][]candidate{}
	for _, one := range s.candidates(in) {
		if verdict := s.evaluate(&one, in); verdict != "" {
			out.ruleOut(&one, verdict, s.Spec.Selection.MinAge.Duration)
			continue
		}
		key := s.group(*one.image)
		groups[key] = append(groups[key], one)
	}
	filled := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		filled[key] = s.fillGroup(&out, in, groups[key])
	}
	s.retainPrevious(&out, in.Previous, filled)
	s.Arrange(out.Selected, in.Previous)
	return out
}

// candidates returns the members, and selected images that are not members only because they are no longer NORMAL.
func (s Selector) candidates(in Input) []candidate {
	was := make(map[string]bool, len(in.Previous))
	for i := range in.Previous {
		was[in.Previous[i].ID] = true
	}
	out := make([]candidate, len(in.Members), len(in.Members)+len(in.Previous))
	for i := range in.Members {
		image := &in.Members[i]
		_, missing := in.Missing[image.ID]
		out[i] = candidate{image: image, pin: s.pinOf(image.ID), wasSelected: was[image.ID], retained: missing && was[image.ID]}
	}
	for i := range in.Previous {
		if last := &in.Previous[i]; last.onlyNotNormal {
			out = append(out, candidate{image: &last.Image, pin: s.pinOf(last.ID), wasSelected: true, outside: true})
		}
	}
	return out
}

// evaluate returns the verdict that excludes a candidate regardless of its rank, or "".
func (s Selector) evaluate(one *candidate, in Input) imagev1alpha1.SelectionVerdict {
	if one.retained {
		return ""
	}
	return s.firstFailed(memberChecks, in, one)
}

// ruleOut records the verdict of a candidate, and when minAge stops excluding it.
func (c *Selection) ruleOut(one *candidate, verdict imagev1alpha1.SelectionVerdict, minAge time.Duration) {
	if one.outside {
		return
	}
	c.Verdicts[one.image.ID] = verdict
	if verdict == imagev1alpha1.VerdictTooYoung && !one.image.CreatedTime.IsZero() {
		c.Next = Earlier(c.Next, one.image.CreatedTime.Add(minAge))
	}
}

// fillGroup selects images in one group and reports whether it selected any.
func (s Selector) fillGroup(out *Selection, in Input, group []candidate) bool {
	slices.SortFunc(group, s.compare)
	s.rank(group)
	filled := false
	for i := range group {
		one := &group[i]
		verdict := s.verdictByRank(in, one)
		if !one.outside {
			out.Verdicts[one.image.ID] = cmp.Or(verdict, one.verdictIfSelected())
		}
		if verdict != "" {
			continue
		}
		out.Selected, filled = append(out.Selected, *one.image), true
		if one.retained || !one.normal() {
			out.Retained = append(out.Retained, *one.image)
		}
	}
	return filled
}

// rank sets the rank of each candidate in a sorted group. Staying images keep their place regardless of limit, unless
// pins use it up.
func (s Selector) rank(group []candidate) {
	var counts, places, ranks [tiers]int
	for i := range group {
		counts[group[i].tier()]++
	}
	limit := s.Spec.Selection.GetLimit()
	places[pinned], places[staying] = limit, counts[staying]
	if counts[pinned] > 0 {
		places[staying] = min(counts[staying], max(0, limit-counts[pinned]))
	}
	places[ordered] = max(0, limit-counts[pinned]-places[staying])
	for i := range group {
		one := &group[i]
		k := one.tier()
		one.rank, one.places = ranks[k], places[k]
		if k == ordered {
			one.skip, one.rivals = int(s.Spec.Selection.Skip), counts[ordered]+counts[staying]-1
		}
		if !isWithoutOrder(s, Input{}, one) {
			ranks[k]++
		}
	}
}

// verdictByRank returns the verdict of a ranked candidate, or "" if it is selected.
func (s Selector) verdictByRank(in Input, one *candidate) imagev1alpha1.SelectionVerdict {
	verdict := s.firstFailed(rankChecks, in, one)
	switch {
	case verdict == "":
		return ""
	case one.retained:
		return imagev1alpha1.VerdictMissing
	case !one.normal():
		return imagev1alpha1.VerdictNotNormal
	}
	return verdict
}

// retainPrevious keeps the previous selection in groups where nothing is selected, since the cloud alone never empties
// a selection. Of a partial image only the architecture is known, not the group.
func (s Selector) retainPrevious(out *Selection, last []previous, filled map[string]bool) {
	architectures := map[string]bool{}
	for _, image := range out.Selected {
		architectures[image.Architecture] = true
	}
	selected := IDsOf(out.Selected)
	inOrder := slices.SortedFunc(slices.Values(last), func(a, b previous) int { return NewestFirst(a.Image, b.Image) })
	for _, one := range inOrder {
		covered := filled[s.group(one.Image)]
		if one.Partial && len(s.Spec.Selection.GetGroupBy()) > 0 {
			covered = architectures[one.Architecture]
		}
		if covered || selected[one.ID] {
			continue
		}
		out.Selected, out.Retained = append(out.Selected, one.Image), append(out.Retained, one.Image)
		if _, member := out.Verdicts[one.ID]; member {
			out.Verdicts[one.ID] = imagev1alpha1.VerdictSelected
		}
	}
}
