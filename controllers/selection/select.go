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

// NewSelector fails where spec.selection.range or extract can't work.
func NewSelector(spec *imagev1alpha1.ImageQuerySpec) (Selector, error) {
	c := Selector{Spec: spec}
	s := &spec.Selection
	var err error
	if s.Extract != "" {
		if c.extract, err = regexp.Compile(s.Extract); err != nil {
			return c, fmt.Errorf("spec.selection.extract is no regular expression in RE2 syntax: %w; correct it", err)
		}
		if c.extract.NumSubexp() == 0 {
			return c, errors.New(`spec.selection.extract has no group to capture; put parentheses around the version, such as v(\d+\.\d+\.\d+)`)
		}
	}
	if s.Range != "" {
		if c.within, err = semver.NewConstraint(s.Range); err != nil {
			return c, errors.New("spec.selection.range is no range of versions; write one such as >=1.30 <1.32, ~1.30 or ^1.30")
		}
	}
	return c, nil
}

// Input is what Selector.Select decides from.
type Input struct {
	Members []catalog.Image
	Now     time.Time

	// heldBack are members that came while removals are blocked.
	heldBack map[string]bool

	// Missing are members that this listing doesn't show, but that don't leave: by their former verdict. They are never
	// selected anew, since they may not exist; those that are selected stay.
	Missing map[string]imagev1alpha1.SelectionVerdict

	// Previous is what was selected and may stay where nothing qualifies: it still exists, and no edit ruled it out.
	Previous []previous
}

// previous is an image that was selected. Of a partial one only what status tells is known.
type previous struct {
	catalog.Image

	Partial bool

	// onlyNotNormal says that the image is no member only because it stopped being NORMAL, which is what match.states asks for.
	onlyNotNormal bool
}

// Selection is the result of selecting among members.
type Selection struct {
	// Selected are the images, group by group, the newest of a group first, whatever made them selected.
	Selected []catalog.Image

	// Verdicts has one for each member, by id.
	Verdicts map[string]imagev1alpha1.SelectionVerdict

	// Omitted counts those that qualify but find no room in status.selected.
	Omitted int

	// Retained are those of Selected that do not qualify, but that nothing replaces.
	Retained []catalog.Image

	// Next is when the next member passes minAge; zero if none will.
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

// candidate is a member that may be selected, with what orders it.
type candidate struct {
	image   *catalog.Image
	text    string
	version *semver.Version

	// wasSelected says that it was selected and may stay so. It is retained if the listing lacks it, too: it keeps its place
	// without comparison.
	wasSelected, retained bool

	// outside says that it is no member, so that it has no verdict.
	outside bool

	// pin is its place in selection.pin, from 1; 0 if that doesn't name it.
	pin int

	// rank is its place in its tier of its group, from 0: skip are left out, and places selected. rivals is how many others are
	// ordered with it.
	rank, skip, places, rivals int
}

func (c *candidate) normal() bool { return c.image.State == string(imagev1alpha1.ImageStateNormal) }

// tier is one of those in which the candidates of a group are ranked, each by itself.
type tier int

// What is pinned comes before all others; what the listing lacks stays without comparison.
const (
	pinned tier = iota
	staying
	ordered
	tiers
)

func (c *candidate) tier() tier {
	switch {
	case c.pin > 0:
		return pinned
	case c.retained:
		return staying
	}
	return ordered
}

// Select selects in each group. Equal input in any order gives equal output.
func (c Selector) Select(b Input) Selection {
	out := Selection{Verdicts: make(map[string]imagev1alpha1.SelectionVerdict, len(b.Members))}
	groups := map[string][]candidate{}
	for _, one := range c.candidates(b) {
		if verdict := c.evaluate(&one, b); verdict != "" {
			out.ruleOut(&one, verdict, c.Spec.Selection.MinAge.Duration)
			continue
		}
		key := c.group(*one.image)
		groups[key] = append(groups[key], one)
	}
	filled := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		filled[key] = c.fillGroup(&out, b, groups[key])
	}
	c.retainPrevious(&out, b.Previous, filled)
	c.Arrange(out.Selected, b.Previous)
	return out
}

// candidates are the members, and what was selected and is no member only because it stopped being NORMAL.
func (c Selector) candidates(in Input) []candidate {
	was := make(map[string]bool, len(in.Previous))
	for i := range in.Previous {
		was[in.Previous[i].ID] = true
	}
	out := make([]candidate, len(in.Members), len(in.Members)+len(in.Previous))
	for i := range in.Members {
		image := &in.Members[i]
		_, missing := in.Missing[image.ID]
		out[i] = candidate{image: image, pin: c.pinOf(image.ID), wasSelected: was[image.ID], retained: missing && was[image.ID]}
	}
	for i := range in.Previous {
		if last := &in.Previous[i]; last.onlyNotNormal {
			out = append(out, candidate{image: &last.Image, pin: c.pinOf(last.ID), wasSelected: true, outside: true})
		}
	}
	return out
}

// evaluate is the verdict that rules a candidate out whatever its rank; "" if none does.
func (c Selector) evaluate(one *candidate, in Input) imagev1alpha1.SelectionVerdict {
	if one.retained {
		return ""
	}
	return c.firstFailed(memberChecks, in, one)
}

// pinOf is the place of an image in selection.pin, from 1; 0 if that doesn't name it.
func (c Selector) pinOf(id string) int {
	return slices.Index(c.Spec.Selection.Pin, imagev1alpha1.ImageID(id)) + 1
}

func (c Selector) pins(id string) bool { return c.pinOf(id) > 0 }

// ruleOut notes why a candidate isn't selected, and when its age will be none of the reasons any more.
func (c *Selection) ruleOut(one *candidate, verdict imagev1alpha1.SelectionVerdict, minAge time.Duration) {
	if one.outside {
		return
	}
	c.Verdicts[one.image.ID] = verdict
	if verdict == imagev1alpha1.VerdictTooYoung && !one.image.CreatedTime.IsZero() {
		c.Next = Earlier(c.Next, one.image.CreatedTime.Add(minAge))
	}
}

// fillGroup selects in one group, and says whether anything was.
func (c Selector) fillGroup(out *Selection, in Input, group []candidate) bool {
	slices.SortFunc(group, c.compare)
	c.rank(group)
	filled := false
	for i := range group {
		one := &group[i]
		verdict := c.verdictByRank(in, one)
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

// rank gives each candidate of a sorted group its place. What stays keeps its place whatever the limit, unless pins take it.
func (c Selector) rank(group []candidate) {
	var counts, places, ranks [tiers]int
	for i := range group {
		counts[group[i].tier()]++
	}
	limit := c.Spec.Selection.GetLimit()
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
			one.skip, one.rivals = int(c.Spec.Selection.Skip), counts[ordered]+counts[staying]-1
		}
		if !isWithoutOrder(c, Input{}, one) {
			ranks[k]++
		}
	}
}

// verdictByRank is the verdict of a candidate whose place in its group is known; "" if it is selected.
func (c Selector) verdictByRank(in Input, one *candidate) imagev1alpha1.SelectionVerdict {
	verdict := c.firstFailed(rankChecks, in, one)
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

// verdictIfSelected is the verdict of a candidate that is selected.
func (c *candidate) verdictIfSelected() imagev1alpha1.SelectionVerdict {
	if c.retained {
		return imagev1alpha1.VerdictMissing
	}
	return imagev1alpha1.VerdictSelected
}

// retainPrevious lets the last selection stay in groups in which nothing is selected: the cloud alone never empties it. Of
// an image that only status tells of the group is unknown, but for the architecture.
func (c Selector) retainPrevious(out *Selection, last []previous, filled map[string]bool) {
	architectures := map[string]bool{}
	for _, image := range out.Selected {
		architectures[image.Architecture] = true
	}
	selected := IDsOf(out.Selected)
	inOrder := slices.SortedFunc(slices.Values(last), func(a, b previous) int { return NewestFirst(a.Image, b.Image) })
	for _, one := range inOrder {
		covered := filled[c.group(one.Image)]
		if one.Partial && len(c.Spec.Selection.GetGroupBy()) > 0 {
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
