// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// NewestFirst is a total order by creation time. Images without one, such as public images, come last, by name and id.
func NewestFirst(a, b catalog.Image) int {
	return cmp.Or(
		b.CreatedTime.Compare(a.CreatedTime),
		cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.ID, b.ID),
	)
}

// compare is a total order: pins first, in their order in the spec; deprecated images after all others; otherwise the newest
// first.
func (s Selector) compare(a, b candidate) int {
	var by int
	switch {
	case a.pin != b.pin:
		by = cmp.Or(FalseFirst(a.pin == 0, b.pin == 0), cmp.Compare(a.pin, b.pin))
	case a.image.Deprecated != b.image.Deprecated:
		by = FalseFirst(a.image.Deprecated, b.image.Deprecated)
	case s.Spec.Selection.GetOrderBy() == imagev1alpha1.OrderBySemVer:
		by = compareVersions(b.version, a.version)
	case s.Spec.Selection.GetOrderBy() == imagev1alpha1.OrderByName:
		by = cmp.Compare(b.text, a.text)
	}
	return cmp.Or(by, NewestFirst(*a.image, *b.image))
}

func FalseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// compareVersions compares versions. nil is the lowest.
func compareVersions(a, b *semver.Version) int {
	if a == nil || b == nil {
		return FalseFirst(a != nil, b != nil)
	}
	return a.Compare(b)
}

// Arrange sorts the selected images by group and within each group. Retained images keep the place of their group,
// since consumers take the first image.
func (s Selector) Arrange(selected []catalog.Image, last []previous) {
	if s.sameAsLast(selected, last) {
		place := func(image catalog.Image) int {
			return slices.IndexFunc(last, func(l previous) bool { return l.ID == image.ID })
		}
		slices.SortFunc(selected, func(a, b catalog.Image) int { return cmp.Compare(place(a), place(b)) })
		return
	}
	candidates := make([]candidate, len(selected))
	for i, image := range selected {
		candidates[i].image, candidates[i].pin = &image, s.pinOf(image.ID)
		s.readVersion(&candidates[i])
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		return cmp.Or(s.compareGroups(*a.image, *b.image), s.compare(a, b))
	})
	for i, one := range candidates {
		selected[i] = *one.image
	}
}

// sameAsLast reports whether the selection is unchanged and contains an image of unknown group. Then only the previous
// order shows where it belongs.
func (s Selector) sameAsLast(selected []catalog.Image, last []previous) bool {
	unknown := slices.ContainsFunc(last, func(l previous) bool { return l.Partial && !s.groupsByArchitectureOnly() })
	if !unknown || len(selected) != len(last) {
		return false
	}
	now := IDsOf(selected)
	return !slices.ContainsFunc(last, func(l previous) bool { return !now[l.ID] })
}

// groupsByArchitectureOnly reports whether the fields in status suffice to determine an image's group.
func (s Selector) groupsByArchitectureOnly() bool {
	return !slices.ContainsFunc(s.Spec.Selection.GetGroupBy(), func(by imagev1alpha1.SelectionGroup) bool {
		return by != imagev1alpha1.GroupByArchitecture
	})
}

// architectureOrder is the order of groups by architecture. Others come after these.
var architectureOrder = []string{"amd64", "arm64", "386"}

// compareGroups orders groups: the usual architectures first, other values by name, and unknown values last.
func (s Selector) compareGroups(a, b catalog.Image) int {
	for _, by := range slices.Sorted(slices.Values(s.Spec.Selection.GetGroupBy())) {
		x, y := groupFact(a, by), groupFact(b, by)
		order := cmp.Or(FalseFirst(x == "", y == ""), strings.Compare(x, y))
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
	case imagev1alpha1.GroupByNone:
	}
	return ""
}

// group returns the key of an image's group.
func (s Selector) group(image catalog.Image) string {
	var b strings.Builder
	for _, by := range s.Spec.Selection.GetGroupBy() {
		fmt.Fprintf(&b, "%q", groupFact(image, by))
	}
	return b.String()
}
