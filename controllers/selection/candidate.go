// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"regexp"
	"slices"

	"github.com/Masterminds/semver/v3"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// candidate is an image that may be selected, with its sort keys.
type candidate struct {
	image   *catalog.Image
	text    string
	version *semver.Version

	// wasSelected is set if the image was selected and may stay. retained is set if, in addition, the listing lacks it:
	// then it keeps its place and isn't compared.
	wasSelected, retained bool

	// outside is set if the image is not a member, so that it gets no verdict.
	outside bool

	// pin is the position in selection.pin, from 1, or 0 if it isn't pinned.
	pin int

	// rank is the position in the candidate's tier of its group, from 0. The tier skips the first skip candidates and
	// selects the next places. rivals is the number of other candidates that it is ordered with.
	rank, skip, places, rivals int
}

func (c *candidate) normal() bool { return c.image.State == string(imagev1alpha1.ImageStateNormal) }

// tier partitions the candidates of a group. Each tier is ranked separately.
type tier int

// Pinned images come first. Staying ones, which the listing lacks, keep their place and aren't compared.
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

// verdictIfSelected returns the verdict of a selected candidate.
func (c *candidate) verdictIfSelected() imagev1alpha1.SelectionVerdict {
	if c.retained {
		return imagev1alpha1.VerdictMissing
	}
	return imagev1alpha1.VerdictSelected
}

// pinOf returns the position of an image in selection.pin, from 1, or 0 if it isn't pinned.
func (s Selector) pinOf(id string) int {
	return slices.Index(s.Spec.Selection.Pin, imagev1alpha1.ImageID(id)) + 1
}

func (s Selector) pins(id string) bool { return s.pinOf(id) > 0 }

// readVersion extracts the text or version that orders an image from its name. It reports whether the name has one.
func (s Selector) readVersion(one *candidate) bool {
	one.text = one.image.Name
	if s.extract != nil {
		found := s.extract.FindStringSubmatch(one.text)
		if found == nil || found[1] == "" {
			return false
		}
		one.text = found[1]
	}
	if s.Spec.Selection.GetOrderBy() != imagev1alpha1.OrderBySemVer {
		return true
	}
	if s.extract == nil && !hasMinor.MatchString(one.text) {
		return false
	}
	var err error
	one.version, err = semver.NewVersion(one.text)
	return err == nil
}

// hasMinor matches names that begin with a version of at least two parts. A single number, such as a date, counts as a
// version only if extract captures it.
var hasMinor = regexp.MustCompile(`^v?\d+\.\d`)
