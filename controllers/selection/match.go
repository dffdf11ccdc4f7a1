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

// Matcher evaluates spec.match.
type Matcher struct {
	name  *regexp.Regexp
	Match *imagev1alpha1.ImageMatch
}

// NewMatcher returns an error if nameRegex doesn't compile. CEL uses the same syntax, so admission usually refuses such
// a query first.
func NewMatcher(match *imagev1alpha1.ImageMatch) (Matcher, error) {
	m := Matcher{Match: match}
	if match.NameRegex == "" {
		return m, nil
	}
	name, err := regexp.Compile(match.NameRegex)
	if err != nil {
		return Matcher{}, fmt.Errorf("spec.match.nameRegex is no regular expression in RE2 syntax: %w; correct it", err)
	}
	m.name = name
	return m, nil
}

// matchChecks has one check per field of spec.match. An unset field admits every image.
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
	{"excludeImageIDs", func(m Matcher, i *catalog.Image) bool { return !m.Excludes(i.ID) }},
}

// refusedBy returns the first field of spec.match that excludes an image, or "" if the image is a member.
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

// Distrusts reports whether spec.match excludes an image by its id or creator. Edits of these fields take effect before
// the next poll.
func (m Matcher) Distrusts(image catalog.Image) bool {
	return ownerKnown(image) && !among(m.Match.Creators, image.Creator) ||
		m.Excludes(image.ID)
}

// Excludes reports whether spec.match excludes an image by its id. Nothing but an edit of the spec can bring this about: stored
// creators may be what another query was told with other keys.
func (m Matcher) Excludes(id string) bool {
	return slices.Contains(m.Match.ExcludeImageIDs, imagev1alpha1.ImageID(id))
}

// MatchFields returns the fields of spec.match in the order in which they are checked: a Funnel counts an image for the first that
// excludes it.
func MatchFields() []string {
	fields := make([]string, len(matchChecks))
	for i, check := range matchChecks {
		fields[i] = check.field
	}
	return fields
}
