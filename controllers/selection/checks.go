// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// check excludes a member from the selection for one reason, its verdict.
type check struct {
	verdict imagev1alpha1.SelectionVerdict

	// fails reports whether the check excludes the member.
	fails func(s Selector, in Input, c *candidate) bool

	// sparesPins is set if the check doesn't apply to pinned images.
	sparesPins bool
}

// memberChecks look at a member alone. rankChecks look at its rank among the members of its group that passed all
// memberChecks. The first check that fails gives the verdict. docs/imagequery-debugging.md lists the verdicts in this order.
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

// firstFailed returns the verdict of the first check that fails, or "" if none does.
func (s Selector) firstFailed(checks []check, in Input, one *candidate) imagev1alpha1.SelectionVerdict {
	for _, check := range checks {
		if spared := check.sparesPins && one.pin > 0; !spared && check.fails(s, in, one) {
			return check.verdict
		}
	}
	return ""
}

// isMissing excludes members that the listing lacks. Selected ones are retained and don't reach this check.
func isMissing(_ Selector, in Input, c *candidate) bool {
	former, missing := in.Missing[c.image.ID]
	return missing && former != imagev1alpha1.VerdictHeldBack
}

// isHeldBack excludes members that arrived while removals were blocked. They stay held back when they are missing from
// a later listing: only status remembers them.
func isHeldBack(_ Selector, in Input, c *candidate) bool {
	return in.heldBack[c.image.ID] || in.Missing[c.image.ID] == imagev1alpha1.VerdictHeldBack
}

func isUntrusted(s Selector, _ Input, c *candidate) bool { return !s.trusts(*c.image) }

// isNotNormal spares previously selected images. They keep their rank, so that a newer image replaces them and an older
// one doesn't.
func isNotNormal(_ Selector, _ Input, c *candidate) bool { return !c.normal() && !c.wasSelected }

func hasNoVersion(s Selector, _ Input, c *candidate) bool { return !s.readVersion(c) }

func isOutOfRange(s Selector, _ Input, c *candidate) bool {
	return s.within != nil && c.version != nil && !s.within.Check(c.version)
}

// isTooYoung excludes images until minAge has passed since their creation, and images without a creation time.
func isTooYoung(s Selector, in Input, c *candidate) bool {
	age := s.Spec.Selection.MinAge.Duration
	return age > 0 && (c.image.CreatedTime.IsZero() || in.Now.Before(c.image.CreatedTime.Add(age)))
}

// isWithoutOrder excludes images without a creation time if creation times decide and the group has other candidates.
// There is no way to tell which public image is newer.
func isWithoutOrder(s Selector, _ Input, c *candidate) bool {
	return c.rivals > 0 && c.image.CreatedTime.IsZero() && s.Spec.Selection.GetOrderBy() == imagev1alpha1.OrderByCreatedTime
}

func isSkipped(_ Selector, _ Input, c *candidate) bool { return c.rank < c.skip }

func isNotNewest(_ Selector, _ Input, c *candidate) bool { return c.rank >= c.skip+c.places }

// rulesOut reports whether the current spec would not select an image, given what was known of it when it was selected.
// If so, an edit excluded it, not the cloud.
func (s Selector) rulesOut(image imagev1alpha1.SelectedImage, m Matcher) bool {
	then := catalog.Image{ID: image.ImageID, Name: image.Name, Architecture: image.Architecture}
	one := candidate{image: &then}
	return slices.Contains(m.Match.ExcludeImageIDs, imagev1alpha1.ImageID(then.ID)) ||
		m.name != nil && !m.name.MatchString(then.Name) ||
		!among(m.Match.Architectures, then.Architecture) ||
		!s.pins(then.ID) && (hasNoVersion(s, Input{}, &one) || isOutOfRange(s, Input{}, &one))
}
