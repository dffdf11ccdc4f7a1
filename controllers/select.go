// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// typeShared is the type of images that another account shares with ours (API page DescribeImages, type Image).
const typeShared = "SHARED_IMAGE"

// chooser is spec.selection, ready to be asked.
type chooser struct {
	spec    *imagev1alpha1.ImageQuerySpec
	extract *regexp.Regexp
	within  *semver.Constraints
}

// newChooser fails where a range or an expression can't work; only another spec helps then, so the cloud isn't asked.
func newChooser(spec *imagev1alpha1.ImageQuerySpec) (chooser, *failure) {
	c := chooser{spec: spec}
	invalid := func(format string, args ...any) (chooser, *failure) {
		return c, &failure{reason: imagev1alpha1.ReasonInvalidQuery, stalled: true, message: fmt.Sprintf(format, args...)}
	}
	s := &spec.Selection
	var err error
	if s.Extract != "" {
		if c.extract, err = regexp.Compile(s.Extract); err != nil {
			return invalid("spec.selection.extract is no regular expression in RE2 syntax: %v; correct it", err)
		}
		if c.extract.NumSubexp() == 0 {
			return invalid(`spec.selection.extract has no group to capture; put parentheses around the version, such as v(\d+\.\d+\.\d+)`)
		}
	}
	if s.Range != "" {
		if c.within, err = semver.NewConstraint(s.Range); err != nil {
			return invalid("spec.selection.range is no range of versions; write one such as >=1.30 <1.32, ~1.30 or ^1.30")
		}
	}
	return c, nil
}

// ballot is what a selection is made from.
type ballot struct {
	members []catalog.Image
	now     time.Time

	// heldBack are members that came while removals are blocked.
	heldBack map[string]bool

	// absent are members that this listing doesn't show, but that don't leave: by their former verdict. They are never
	// selected anew, since they may not exist; those that are selected stay.
	absent map[string]imagev1alpha1.SelectionVerdict

	// last is what was selected and may stay where nothing qualifies: it still exists, and no edit ruled it out.
	last []lastSelected
}

// lastSelected is an image that was selected. Of a partial one only what status tells is known.
type lastSelected struct {
	catalog.Image

	partial bool
}

// choice is what a selection came to.
type choice struct {
	// selected are the images, group by group, the newest of a group first.
	selected []catalog.Image

	// verdicts has one for each member, by id.
	verdicts map[string]imagev1alpha1.SelectionVerdict

	// omitted counts those that qualify but find no room in status.selected.
	omitted int

	// stays are those of selected that do not qualify, but that nothing replaces.
	stays []catalog.Image

	// undated says that no image that qualifies has a creation time although that is what orders them.
	undated bool

	// next is when the next member passes minAge; zero if none will.
	next time.Time
}

func (c choice) ids() []string {
	out := make([]string, len(c.selected))
	for i, image := range c.selected {
		out[i] = image.ID
	}
	return out
}

// contender is a member that may be selected, with what orders it.
type contender struct {
	image   *catalog.Image
	text    string
	version *semver.Version

	// stays: it was selected and the listing lacks it; it keeps its place without comparison.
	stays bool

	// unless is the verdict if it isn't selected.
	unless imagev1alpha1.SelectionVerdict
}

// choose selects in each group. Equal input in any order gives equal output.
func (c chooser) choose(b ballot) choice {
	out := choice{verdicts: make(map[string]imagev1alpha1.SelectionVerdict, len(b.members))}
	was := make(map[string]bool, len(b.last))
	for _, last := range b.last {
		was[last.ID] = true
	}
	groups := map[string][]contender{}
	dated := 0
	for i := range b.members {
		image := &b.members[i]
		one, verdict := c.judge(image, b, was[image.ID])
		if verdict != "" {
			out.verdicts[image.ID] = verdict
			if due := image.CreatedTime.Add(c.spec.Selection.MinAge.Duration); verdict == imagev1alpha1.VerdictTooYoung && !image.CreatedTime.IsZero() {
				out.next = earlier(out.next, due)
			}
			continue
		}
		if !image.CreatedTime.IsZero() {
			dated++
		}
		key := c.group(*image)
		groups[key] = append(groups[key], one)
	}
	out.undated = len(groups) > 0 && dated == 0 && c.order() == imagev1alpha1.OrderByCreatedTime
	filled := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		filled[key] = c.fill(&out, groups[key])
	}
	c.keepLast(&out, b.last, filled)
	return out
}

// fill selects in one group, and says whether anything was.
func (c chooser) fill(out *choice, group []contender) bool {
	slices.SortFunc(group, c.compare)
	skip, limit := int(c.spec.Selection.Skip), max(1, int(c.spec.Selection.Limit))
	for _, one := range group {
		if one.stays {
			limit--
		}
	}
	rank, filled := 0, false
	for _, one := range group {
		verdict := one.unless
		switch {
		case one.stays:
			verdict = imagev1alpha1.VerdictSelected
			out.stays = append(out.stays, *one.image)
		case rank >= skip && rank-skip < limit:
			verdict = imagev1alpha1.VerdictSelected
			if one.unless == imagev1alpha1.VerdictNotNormal {
				out.stays = append(out.stays, *one.image)
			}
		case one.unless != "":
		case rank < skip:
			verdict = imagev1alpha1.VerdictSkipped
		default:
			verdict = imagev1alpha1.VerdictNotNewest
		}
		if !one.stays {
			rank++
		}
		out.verdicts[one.image.ID] = verdict
		if verdict == imagev1alpha1.VerdictSelected {
			out.selected, filled = append(out.selected, *one.image), true
		}
	}
	return filled
}

// keepLast lets the last selection stay in groups in which nothing is selected: the cloud alone never empties it. Of
// an image that only status tells of the group is unknown, but for the architecture.
func (c chooser) keepLast(out *choice, last []lastSelected, filled map[string]bool) {
	architectures := map[string]bool{}
	for _, image := range out.selected {
		architectures[image.Architecture] = true
	}
	inOrder := slices.SortedFunc(slices.Values(last), func(a, b lastSelected) int { return newestFirst(a.Image, b.Image) })
	for _, one := range inOrder {
		covered := filled[c.group(one.Image)]
		if one.partial && len(c.spec.Selection.GroupBy) > 0 {
			covered = architectures[one.Architecture]
		}
		if covered || out.verdicts[one.ID] == imagev1alpha1.VerdictSelected {
			continue
		}
		out.selected, out.stays = append(out.selected, one.Image), append(out.stays, one.Image)
		if _, member := out.verdicts[one.ID]; member {
			out.verdicts[one.ID] = imagev1alpha1.VerdictSelected
		}
	}
}

// judge returns a contender, or the first verdict that rules the image out.
func (c chooser) judge(image *catalog.Image, b ballot, wasSelected bool) (contender, imagev1alpha1.SelectionVerdict) {
	one := contender{image: image}
	if former, absent := b.absent[image.ID]; absent {
		one.stays = wasSelected
		if !wasSelected {
			return one, cmp.Or(former, imagev1alpha1.VerdictNotNewest)
		}
		return one, ""
	}
	switch {
	case b.heldBack[image.ID]:
		return one, imagev1alpha1.VerdictHeldBack
	case !c.trusts(*image):
		return one, imagev1alpha1.VerdictUntrustedCreator
	case image.State != string(imagev1alpha1.ImageStateNormal) && !wasSelected:
		return one, imagev1alpha1.VerdictNotNormal
	}
	if verdict := c.read(&one); verdict != "" {
		return one, verdict
	}
	if age := c.spec.Selection.MinAge.Duration; age > 0 && (image.CreatedTime.IsZero() || b.now.Before(image.CreatedTime.Add(age))) {
		return one, imagev1alpha1.VerdictTooYoung
	}
	// A selected image that only stopped being NORMAL keeps its rank: a newer one replaces it, an older one doesn't.
	if image.State != string(imagev1alpha1.ImageStateNormal) {
		one.unless = imagev1alpha1.VerdictNotNormal
	}
	return one, ""
}

// trusts says whether an image may be selected by whose it is. Whoever shares an image chooses its name, so a name that
// matches proves nothing.
func (c chooser) trusts(image catalog.Image) bool {
	return image.Type != typeShared ||
		slices.Contains(c.spec.Match.Creators, image.Creator) ||
		slices.Contains(c.spec.ImageIDs, imagev1alpha1.ImageID(image.ID))
}

// read takes what orders an image out of its name.
func (c chooser) read(one *contender) imagev1alpha1.SelectionVerdict {
	one.text = one.image.Name
	if c.extract != nil {
		found := c.extract.FindStringSubmatch(one.text)
		if found == nil || found[1] == "" {
			return imagev1alpha1.VerdictNoVersion
		}
		one.text = found[1]
	}
	if c.order() != imagev1alpha1.OrderBySemVer {
		return ""
	}
	version, err := semver.NewVersion(one.text)
	if err != nil {
		return imagev1alpha1.VerdictNoVersion
	}
	one.version = version
	if c.within != nil && !c.within.Check(version) {
		return imagev1alpha1.VerdictOutOfRange
	}
	return ""
}

func (c chooser) order() imagev1alpha1.SelectionOrder {
	return cmp.Or(c.spec.Selection.OrderBy, imagev1alpha1.OrderByCreatedTime)
}

// compare is a total order: what only stays comes last, deprecated images come after all others, and else the newest
// comes first.
func (c chooser) compare(a, b contender) int {
	var by int
	switch {
	case a.stays || b.stays:
		by = falseFirst(a.stays, b.stays)
	case a.image.Deprecated != b.image.Deprecated:
		by = falseFirst(a.image.Deprecated, b.image.Deprecated)
	case c.order() == imagev1alpha1.OrderBySemVer:
		by = b.version.Compare(a.version)
	case c.order() == imagev1alpha1.OrderByName:
		by = cmp.Compare(b.text, a.text)
	}
	return cmp.Or(by, newestFirst(*a.image, *b.image))
}

func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// group is the group of an image, as a text that equal groups have in common.
func (c chooser) group(image catalog.Image) string {
	if len(c.spec.Selection.GroupBy) == 0 {
		return ""
	}
	var b strings.Builder
	facts := map[imagev1alpha1.SelectionGroup]string{
		imagev1alpha1.GroupByArchitecture: image.Architecture,
		imagev1alpha1.GroupByPlatform:     image.Platform,
		imagev1alpha1.GroupByOSName:       image.OSName,
		imagev1alpha1.GroupByImageFamily:  image.Family,
	}
	for _, by := range slices.Sorted(slices.Values(c.spec.Selection.GroupBy)) {
		fmt.Fprintf(&b, "%q", facts[by])
	}
	return b.String()
}

// rulesOut says whether the spec as it is now would not have let an image be selected, by what was known of it when it
// was: then an edit, and not the cloud, took it out.
func (c chooser) rulesOut(image imagev1alpha1.SelectedImage, m matcher) bool {
	then := catalog.Image{ID: image.ImageID, Name: image.Name, Architecture: image.Architecture}
	one := contender{image: &then}
	return slices.Contains(m.match.ExcludeImageIDs, imagev1alpha1.ImageID(then.ID)) ||
		m.name != nil && !m.name.MatchString(then.Name) ||
		!among(m.match.Architectures, then.Architecture) ||
		c.read(&one) != ""
}

// earlier is the earlier of two times; zero is no time.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
