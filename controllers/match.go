// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// matcher is spec.match, ready to be asked.
type matcher struct {
	name  *regexp.Regexp
	match *imagev1alpha1.ImageMatch
}

// newMatcher fails where the expression can't be compiled. Admission refuses that by CEL, which uses the same syntax;
// what slips through is a query that can never work.
func newMatcher(match *imagev1alpha1.ImageMatch) (matcher, *failure) {
	m := matcher{match: match}
	if match.NameRegex == "" {
		return m, nil
	}
	name, err := regexp.Compile(match.NameRegex)
	if err != nil {
		return m, &failure{
			reason: imagev1alpha1.ReasonInvalidQuery, stalled: true,
			message: fmt.Sprintf("spec.match.nameRegex is no regular expression in RE2 syntax: %v; correct it", err),
		}
	}
	m.name = name
	return m, nil
}

// admits says whether an image is a member. A condition that isn't given admits every image.
func (m matcher) admits(image catalog.Image) bool {
	return (m.name == nil || m.name.MatchString(image.Name)) &&
		among(m.match.States, image.State) &&
		among(m.match.Architectures, image.Architecture) &&
		among(m.match.Platforms, image.Platform) &&
		among(m.match.Families, image.Family) &&
		among(m.match.Creators, image.Creator) &&
		!slices.Contains(m.match.ExcludeImageIDs, imagev1alpha1.ImageID(image.ID))
}

func among[T ~string](allowed []T, value string) bool {
	return len(allowed) == 0 || slices.Contains(allowed, T(value))
}

// members are the images that match, in the order of status.images.
func (m matcher) members(images []catalog.Image) []catalog.Image {
	var out []catalog.Image
	for _, image := range images {
		if m.admits(image) {
			out = append(out, image)
		}
	}
	slices.SortFunc(out, newestFirst)
	return out
}

// newestFirst is a total order: images without a creation time, as public ones are, come last, by name and id.
func newestFirst(a, b catalog.Image) int {
	return cmp.Or(
		b.CreatedTime.Compare(a.CreatedTime),
		cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.ID, b.ID),
	)
}

// distrusts says whether the spec rules an image out by its id or its creator: what a person adds there acts before
// the cloud is asked again.
func (m matcher) distrusts(image catalog.Image) bool {
	return tellsOwner(image) && !among(m.match.Creators, image.Creator) || slices.Contains(m.match.ExcludeImageIDs, imagev1alpha1.ImageID(image.ID))
}

// tellsOwner says whether what was stored of an image tells whose it is. A status of an older version doesn't, and that
// alone must not rule anything out.
func tellsOwner(image catalog.Image) bool {
	return image.Type != "" || image.Creator != "" || image.State != ""
}
