// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"slices"

	"github.com/Masterminds/semver/v3"
	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// evaluate returns a contender, or the first verdict that rules the image out.
func (c Selector) evaluate(image *catalog.Image, b Input, wasSelected bool) (candidate, imagev1alpha1.SelectionVerdict) {
	one := candidate{image: image}
	if former, absent := b.Missing[image.ID]; absent {
		one.retained = wasSelected
		if !wasSelected {
			return one, c.evaluateMissing(*image, former)
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
	if verdict := c.readVersion(&one); verdict != "" {
		return one, verdict
	}
	if age := c.Spec.Selection.MinAge.Duration; age > 0 && (image.CreatedTime.IsZero() || b.Now.Before(image.CreatedTime.Add(age))) {
		return one, imagev1alpha1.VerdictTooYoung
	}
	// A selected image that only stopped being NORMAL keeps its rank: a newer one replaces it, an older one doesn't.
	if image.State != string(imagev1alpha1.ImageStateNormal) {
		one.fallback = imagev1alpha1.VerdictNotNormal
	}
	return one, ""
}

// evaluateMissing is the verdict of an image that the listing lacks and that isn't selected: the one that it had, unless it was
// selected until an edit took it out.
func (c Selector) evaluateMissing(image catalog.Image, former imagev1alpha1.SelectionVerdict) imagev1alpha1.SelectionVerdict {
	switch {
	case former != "" && former != imagev1alpha1.VerdictSelected:
		return former
	case c.Distrusts(image):
		return imagev1alpha1.VerdictUntrustedCreator
	}
	return imagev1alpha1.VerdictNotNewest
}

// readVersion takes what orders an image out of its name.
func (c Selector) readVersion(one *candidate) imagev1alpha1.SelectionVerdict {
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

// rulesOut says whether the spec as it is now would not have let an image be selected, by what was known of it when it
// was: then an edit, and not the cloud, took it out.
func (c Selector) rulesOut(image imagev1alpha1.SelectedImage, m Matcher) bool {
	then := catalog.Image{ID: image.ImageID, Name: image.Name, Architecture: image.Architecture}
	one := candidate{image: &then}
	return slices.Contains(m.Match.ExcludeImageIDs, imagev1alpha1.ImageID(then.ID)) ||
		m.name != nil && !m.name.MatchString(then.Name) ||
		!among(m.Match.Architectures, then.Architecture) ||
		c.readVersion(&one) != ""
}
