// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"errors"
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

// The types of images that nobody else can bring into the account's list: its own and Tencent's (API page DescribeImages,
// type Image).
const (
	typePrivate = "PRIVATE_IMAGE"
	typePublic  = "PUBLIC_IMAGE"
)

// chooser is spec.selection, ready to be asked.
type chooser struct {
	spec    *imagev1alpha1.ImageQuerySpec
	extract *regexp.Regexp
	within  *semver.Constraints
}

// newChooser fails where a range or an expression can't work; only another spec helps then, so the cloud isn't asked.
func newChooser(spec *imagev1alpha1.ImageQuerySpec) (chooser, error) {
	c := chooser{spec: spec}
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
	// selected are the images, group by group, the newest of a group first, whatever made them selected.
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
	c.arrange(out.selected, b.last)
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
			return one, c.judgeAbsent(*image, former)
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

// judgeAbsent is the verdict of an image that the listing lacks and that isn't selected: the one that it had, unless it was
// selected until an edit took it out.
func (c chooser) judgeAbsent(image catalog.Image, former imagev1alpha1.SelectionVerdict) imagev1alpha1.SelectionVerdict {
	switch {
	case former != "" && former != imagev1alpha1.VerdictSelected:
		return former
	case c.distrusts(image):
		return imagev1alpha1.VerdictUntrustedCreator
	}
	return imagev1alpha1.VerdictNotNewest
}

// trusts says whether an image may be selected by whose it is. Whoever shares an image chooses its name, so a name that
// matches proves nothing, and a type that nobody knows proves nothing either.
func (c chooser) trusts(image catalog.Image) bool {
	return image.Type == typePrivate || image.Type == typePublic ||
		slices.Contains(c.spec.Selection.TrustedCreators, image.Creator) ||
		slices.Contains(c.spec.Match.Creators, image.Creator) ||
		slices.Contains(c.spec.ImageIDs, imagev1alpha1.ImageID(image.ID))
}

// distrusts says whether what was stored of an image shows that it may not be selected.
func (c chooser) distrusts(image catalog.Image) bool { return tellsOwner(image) && !c.trusts(image) }

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
		by = compareVersions(b.version, a.version)
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

// compareVersions compares versions; none is the lowest.
func compareVersions(a, b *semver.Version) int {
	if a == nil || b == nil {
		return falseFirst(a != nil, b != nil)
	}
	return a.Compare(b)
}

// arrange orders what is selected by groups, and each group as any other: what a group falls back to keeps its place, since
// consumers take the first.
func (c chooser) arrange(selected []catalog.Image, last []lastSelected) {
	if c.sameAsLast(selected, last) {
		place := func(image catalog.Image) int {
			return slices.IndexFunc(last, func(l lastSelected) bool { return l.ID == image.ID })
		}
		slices.SortFunc(selected, func(a, b catalog.Image) int { return cmp.Compare(place(a), place(b)) })
		return
	}
	contenders := make([]contender, len(selected))
	for i, image := range selected {
		contenders[i].image = &image
		c.read(&contenders[i])
	}
	slices.SortFunc(contenders, func(a, b contender) int {
		return cmp.Or(c.compareGroups(*a.image, *b.image), c.compare(a, b))
	})
	for i, one := range contenders {
		selected[i] = *one.image
	}
}

// sameAsLast says whether the same images are selected as before, and of one it isn't known in which group it is, so that
// only its place of before tells.
func (c chooser) sameAsLast(selected []catalog.Image, last []lastSelected) bool {
	unknown := slices.ContainsFunc(last, func(l lastSelected) bool { return l.partial && !c.groupsByArchitectureOnly() })
	if !unknown || len(selected) != len(last) {
		return false
	}
	now := idsOf(selected)
	return !slices.ContainsFunc(last, func(l lastSelected) bool { return !now[l.ID] })
}

// groupsByArchitectureOnly says whether status tells enough of an image to know its group.
func (c chooser) groupsByArchitectureOnly() bool {
	return !slices.ContainsFunc(c.spec.Selection.GroupBy, func(by imagev1alpha1.SelectionGroup) bool {
		return by != imagev1alpha1.GroupByArchitecture
	})
}

// architectureOrder is the order of groups by architecture; others come after these.
var architectureOrder = []string{"amd64", "arm64", "386"}

// compareGroups orders groups: the usual architectures first, other facts by name, and what isn't known last.
func (c chooser) compareGroups(a, b catalog.Image) int {
	for _, by := range slices.Sorted(slices.Values(c.spec.Selection.GroupBy)) {
		x, y := groupFact(a, by), groupFact(b, by)
		order := cmp.Or(falseFirst(x == "", y == ""), strings.Compare(x, y))
		if by == imagev1alpha1.GroupByArchitecture {
			order = cmp.Or(cmp.Compare(usualRank(x), usualRank(y)), order)
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

func usualRank(architecture string) int {
	if i := slices.Index(architectureOrder, architecture); i >= 0 {
		return i
	}
	return len(architectureOrder)
}

func groupFact(image catalog.Image, by imagev1alpha1.SelectionGroup) string {
	switch by {
	case imagev1alpha1.GroupByArchitecture:
		return image.Architecture
	case imagev1alpha1.GroupByPlatform:
		return image.Platform
	case imagev1alpha1.GroupByOSName:
		return image.OSName
	case imagev1alpha1.GroupByImageFamily:
		return image.Family
	}
	return ""
}

// group is the group of an image, as a text that equal groups have in common.
func (c chooser) group(image catalog.Image) string {
	var b strings.Builder
	for _, by := range c.spec.Selection.GroupBy {
		fmt.Fprintf(&b, "%q", groupFact(image, by))
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
