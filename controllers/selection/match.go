// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"fmt"
	"regexp"
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Matcher is spec.match, ready to be asked.
type Matcher struct {
	name  *regexp.Regexp
	Match *imagev1alpha1.ImageMatch
}

// NewMatcher fails where the expression can't be compiled. Admission refuses that by CEL, which uses the same syntax;
// what slips through is a query that can never work.
func NewMatcher(match *imagev1alpha1.ImageMatch) (Matcher, error) {
	m := Matcher{Match: match}
	if match.NameRegex == "" {
		return m, nil
	}
	name, err := regexp.Compile(match.NameRegex)
	if err != nil {
		return m, fmt.Errorf("spec.match.nameRegex is no regular expression in RE2 syntax: %w; correct it", err)
	}
	m.name = name
	return m, nil
}

// matchChecks are the fields of spec.match. A field that isn't given admits every image.
var matchChecks = []struct {
	field  string
	admits func(m Matcher, image *catalog.Image) bool
}{
	{"nameRegex", func(m Matcher, i *catalog.Image) bool { return m.name == nil || m.name.MatchString(i.Name) }},
	{"states", func(m Matcher, i *catalog.Image) bool { return among(m.Match.States, i.State) }},
	{"architectures", func(m Matcher, i *catalog.Image) bool { return among(m.Match.Architectures, i.Architecture) }},
	{"platforms", func(m Matcher, i *catalog.Image) bool { return among(m.Match.Platforms, i.Platform) }},
	{"families", func(m Matcher, i *catalog.Image) bool { return among(m.Match.Families, i.Family) }},
	{"creators", func(m Matcher, i *catalog.Image) bool { return among(m.Match.Creators, i.Creator) }},
	{"excludeImageIDs", func(m Matcher, i *catalog.Image) bool {
		return !slices.Contains(m.Match.ExcludeImageIDs, imagev1alpha1.ImageID(i.ID))
	}},
}

// refusedBy is the first field of spec.match that refuses an image; "" if it is a member.
func (m Matcher) refusedBy(image *catalog.Image) string {
	for _, check := range matchChecks {
		if !check.admits(m, image) {
			return check.field
		}
	}
	return ""
}

func among[T ~string](allowed []T, value string) bool {
	return len(allowed) == 0 || slices.Contains(allowed, T(value))
}

// Members are the images that match, in the order of status.images.
func (m Matcher) Members(images []catalog.Image) []catalog.Image {
	members, _ := m.Split(catalog.Listing{Images: images})
	return members
}

// Distrusts says whether the spec rules an image out by its id or its creator: what a person adds there acts before
// the cloud is asked again.
func (m Matcher) Distrusts(image catalog.Image) bool {
	return tellsOwner(image) && !among(m.Match.Creators, image.Creator) || slices.Contains(m.Match.ExcludeImageIDs, imagev1alpha1.ImageID(image.ID))
}
