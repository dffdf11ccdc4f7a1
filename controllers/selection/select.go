// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
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

	// rank is its place in its group, from 0, places is how many of the group are selected, and rivals is how many others of
	// the group passed all memberChecks.
	rank, places, rivals int
}

func (c *candidate) normal() bool { return c.image.State == string(imagev1alpha1.ImageStateNormal) }

// Select selects in each group. Equal input in any order gives equal output.
func (c Selector) Select(b Input) Selection {
	out := Selection{Verdicts: make(map[string]imagev1alpha1.SelectionVerdict, len(b.Members))}
	was := make(map[string]bool, len(b.Previous))
	for _, last := range b.Previous {
		was[last.ID] = true
	}
	groups := map[string][]candidate{}
	for i := range b.Members {
		image := &b.Members[i]
		one := candidate{image: image, wasSelected: was[image.ID]}
		if verdict := c.evaluate(&one, b); verdict != "" {
			out.Verdicts[image.ID] = verdict
			if due := image.CreatedTime.Add(c.Spec.Selection.MinAge.Duration); verdict == imagev1alpha1.VerdictTooYoung && !image.CreatedTime.IsZero() {
				out.Next = Earlier(out.Next, due)
			}
			continue
		}
		key := c.group(*image)
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

// fillGroup selects in one group, and says whether anything was.
func (c Selector) fillGroup(out *Selection, in Input, group []candidate) bool {
	slices.SortFunc(group, c.compare)
	places := c.Spec.Selection.GetLimit()
	for i := range group {
		if group[i].retained {
			places--
		}
	}
	rank, filled := 0, false
	for i := range group {
		one := &group[i]
		one.rank, one.places, one.rivals = rank, places, len(group)-1
		verdict := c.verdictByRank(in, one)
		if !one.retained && verdict != imagev1alpha1.VerdictNoCreationTime {
			rank++
		}
		out.Verdicts[one.image.ID] = verdict
		if verdict != imagev1alpha1.VerdictSelected {
			continue
		}
		out.Selected, filled = append(out.Selected, *one.image), true
		if one.retained || !one.normal() {
			out.Retained = append(out.Retained, *one.image)
		}
	}
	return filled
}

// verdictByRank is the verdict of a candidate whose place in its group is known.
func (c Selector) verdictByRank(in Input, one *candidate) imagev1alpha1.SelectionVerdict {
	if one.retained {
		return imagev1alpha1.VerdictSelected
	}
	verdict := c.firstFailed(rankChecks, in, one)
	switch {
	case verdict == "":
		return imagev1alpha1.VerdictSelected
	case !one.normal():
		return imagev1alpha1.VerdictNotNormal
	}
	return verdict
}

// retainPrevious lets the last selection stay in groups in which nothing is selected: the cloud alone never empties it. Of
// an image that only status tells of the group is unknown, but for the architecture.
func (c Selector) retainPrevious(out *Selection, last []previous, filled map[string]bool) {
	architectures := map[string]bool{}
	for _, image := range out.Selected {
		architectures[image.Architecture] = true
	}
	inOrder := slices.SortedFunc(slices.Values(last), func(a, b previous) int { return NewestFirst(a.Image, b.Image) })
	for _, one := range inOrder {
		covered := filled[c.group(one.Image)]
		if one.Partial && len(c.Spec.Selection.GetGroupBy()) > 0 {
			covered = architectures[one.Architecture]
		}
		if covered || out.Verdicts[one.ID] == imagev1alpha1.VerdictSelected {
			continue
		}
		out.Selected, out.Retained = append(out.Selected, one.Image), append(out.Retained, one.Image)
		if _, member := out.Verdicts[one.ID]; member {
			out.Verdicts[one.ID] = imagev1alpha1.VerdictSelected
		}
	}
}
