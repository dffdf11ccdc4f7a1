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

// admits says whether an image is a member. A condition that isn't given admits every image.
func (m Matcher) admits(image catalog.Image) bool {
	return (m.name == nil || m.name.MatchString(image.Name)) &&
		among(m.Match.States, image.State) &&
		among(m.Match.Architectures, image.Architecture) &&
		among(m.Match.Platforms, image.Platform) &&
		among(m.Match.Families, image.Family) &&
		among(m.Match.Creators, image.Creator) &&
		!slices.Contains(m.Match.ExcludeImageIDs, imagev1alpha1.ImageID(image.ID))
}

func among[T ~string](allowed []T, value string) bool {
	return len(allowed) == 0 || slices.Contains(allowed, T(value))
}

// Members are the images that match, in the order of status.images.
func (m Matcher) Members(images []catalog.Image) []catalog.Image {
	var out []catalog.Image
	for _, image := range images {
		if m.admits(image) {
			out = append(out, image)
		}
	}
	slices.SortFunc(out, NewestFirst)
	return out
}

// Distrusts says whether the spec rules an image out by its id or its creator: what a person adds there acts before
// the cloud is asked again.
func (m Matcher) Distrusts(image catalog.Image) bool {
	return tellsOwner(image) && !among(m.Match.Creators, image.Creator) || slices.Contains(m.Match.ExcludeImageIDs, imagev1alpha1.ImageID(image.ID))
}
