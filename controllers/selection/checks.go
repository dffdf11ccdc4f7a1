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

// check rules a member out of the selection, with a verdict that says why.
type check struct {
	verdict imagev1alpha1.SelectionVerdict

	// fails says whether the check rules the member out.
	fails func(s Selector, in Input, c *candidate) bool

	// sparesPins says that the check doesn't hold for what selection.pin names.
	sparesPins bool
}

// memberChecks look at a member alone, rankChecks at its place among those of its group that passed all memberChecks. The
// first check that fails gives the verdict. docs/imagequery.md lists the verdicts in this order.
var (
	memberChecks = []check{
		{verdict: imagev1alpha1.VerdictMissing, fails: isMissing},
		{verdict: imagev1alpha1.VerdictHeldBack, fails: isHeldBack},
		{verdict: imagev1alpha1.VerdictUntrustedCreator, fails: isUntrusted},
		{verdict: imagev1alpha1.VerdictNotNormal, fails: isNotNormal},
		{verdict: imagev1alpha1.VerdictNoVersion, fails: hasNoVersion, sparesPins: true},
		{verdict: imagev1alpha1.VerdictOutOfRange, fails: isOutOfRange, sparesPins: true},
		{verdict: imagev1alpha1.VerdictTooYoung, fails: isTooYoung, sparesPins: true},
	}
	rankChecks = []check{
		{verdict: imagev1alpha1.VerdictNoCreationTime, fails: isWithoutOrder},
		{verdict: imagev1alpha1.VerdictSkipped, fails: isSkipped},
		{verdict: imagev1alpha1.VerdictNotNewest, fails: isNotNewest},
	}
)

// firstFailed is the verdict of the first check that fails; "" if none does.
func (c Selector) firstFailed(checks []check, in Input, one *candidate) imagev1alpha1.SelectionVerdict {
	for _, check := range checks {
		if spared := check.sparesPins && one.pin > 0; !spared && check.fails(c, in, one) {
			return check.verdict
		}
	}
	return ""
}

// isMissing: the listing lacks it. What was selected doesn't come here, since it stays.
func isMissing(_ Selector, in Input, c *candidate) bool {
	former, missing := in.Missing[c.image.ID]
	return missing && former != imagev1alpha1.VerdictHeldBack
}

// isHeldBack: it came while removals are blocked. What the listing lacks by now is still held back: status alone remembers it.
func isHeldBack(_ Selector, in Input, c *candidate) bool {
	return in.heldBack[c.image.ID] || in.Missing[c.image.ID] == imagev1alpha1.VerdictHeldBack
}

func isUntrusted(s Selector, _ Input, c *candidate) bool { return !s.trusts(*c.image) }

// isNotNormal passes what was selected: it keeps its rank, so that a newer image replaces it and an older one doesn't.
func isNotNormal(_ Selector, _ Input, c *candidate) bool { return !c.normal() && !c.wasSelected }

func hasNoVersion(s Selector, _ Input, c *candidate) bool { return !s.readVersion(c) }

func isOutOfRange(s Selector, _ Input, c *candidate) bool {
	return s.within != nil && c.version != nil && !s.within.Check(c.version)
}

// isTooYoung: minAge has not passed since the image was created. Of an image without a creation time it never has.
func isTooYoung(s Selector, in Input, c *candidate) bool {
	age := s.Spec.Selection.MinAge.Duration
	return age > 0 && (c.image.CreatedTime.IsZero() || in.Now.Before(c.image.CreatedTime.Add(age)))
}

// isWithoutOrder: creation times order the images, it has none, and it isn't the only one to select from. Which public image
// is newer nobody can tell.
func isWithoutOrder(s Selector, _ Input, c *candidate) bool {
	return c.rivals > 0 && c.image.CreatedTime.IsZero() && s.Spec.Selection.GetOrderBy() == imagev1alpha1.OrderByCreatedTime
}

func isSkipped(_ Selector, _ Input, c *candidate) bool { return c.rank < c.skip }

func isNotNewest(_ Selector, _ Input, c *candidate) bool { return c.rank >= c.skip+c.places }

// readVersion takes what orders an image out of its name. It says whether there is such a thing.
func (c Selector) readVersion(one *candidate) bool {
	one.text = one.image.Name
	if c.extract != nil {
		found := c.extract.FindStringSubmatch(one.text)
		if found == nil || found[1] == "" {
			return false
		}
		one.text = found[1]
	}
	if c.Spec.Selection.GetOrderBy() != imagev1alpha1.OrderBySemVer {
		return true
	}
	if c.extract == nil && !hasMinor.MatchString(one.text) {
		return false
	}
	var err error
	one.version, err = semver.NewVersion(one.text)
	return err == nil
}

// hasMinor are names that begin like a version of at least two parts. A name of one number, such as a date, is taken for a
// version only if extract says that it is one.
var hasMinor = regexp.MustCompile(`^v?\d+\.\d`)

// rulesOut says whether the spec as it is now would not have let an image be selected, by what was known of it when it
// was: then an edit, and not the cloud, took it out.
func (c Selector) rulesOut(image imagev1alpha1.SelectedImage, m Matcher) bool {
	then := catalog.Image{ID: image.ImageID, Name: image.Name, Architecture: image.Architecture}
	one := candidate{image: &then}
	return slices.Contains(m.Match.ExcludeImageIDs, imagev1alpha1.ImageID(then.ID)) ||
		m.name != nil && !m.name.MatchString(then.Name) ||
		!among(m.Match.Architectures, then.Architecture) ||
		!c.pins(then.ID) && (hasNoVersion(c, Input{}, &one) || isOutOfRange(c, Input{}, &one))
}
