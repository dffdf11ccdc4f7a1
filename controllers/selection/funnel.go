// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Funnel counts how many images of a listing match, and why the others don't.
type Funnel struct {
	Listed, Matching int

	// TurnedAway counts images by the first field of spec.match that excludes them.
	TurnedAway map[string]int

	// Nearest is the name that comes closest to nameRegex. It is set only if too few images match, and "" if none is
	// close.
	Nearest string
}

// Split returns the matching images of a listing, in the order of status.images, and explains the others. Entries with
// an invalid id count as listed.
func (m Matcher) Split(listing catalog.Listing) ([]catalog.Image, Funnel) {
	f := Funnel{Listed: len(listing.Images) + listing.Skipped, TurnedAway: map[string]int{}}
	members := make([]catalog.Image, 0, len(listing.Images))
	for i := range listing.Images { // by index: a copy of each image would be allocated
		if field := m.refusedBy(&listing.Images[i]); field != "" {
			f.TurnedAway[field]++
			continue
		}
		members = append(members, listing.Images[i])
	}
	slices.SortFunc(members, NewestFirst)
	f.Matching = len(members)
	return members, f
}

// Members returns the images that match, in the order of status.images.
func (m Matcher) Members(images []catalog.Image) []catalog.Image {
	members, _ := m.Split(catalog.Listing{Images: images})
	return members
}

// Nearest returns the name that comes closest to nameRegex, or "".
func (m Matcher) Nearest(images []catalog.Image) string {
	if m.name == nil {
		return ""
	}
	return nearest(images, m.name, literalOf(m.Match.NameRegex))
}

// String formats the funnel, for example "30 listed, 0 match: match.nameRegex turns 30 away".
func (f Funnel) String() string {
	out := fmt.Sprintf("%d listed, %d match", f.Listed, f.Matching)
	if f.Matching == 1 {
		out += "es"
	}
	var turned []string
	for _, check := range matchChecks {
		if n := f.TurnedAway[check.field]; n > 0 {
			turned = append(turned, fmt.Sprintf("match.%s turns %d away", check.field, n))
		}
	}
	if len(turned) > 0 {
		out += ": " + strings.Join(turned, ", ")
	}
	return out
}

// minCommon is the number of leading letters of the expression that a close name must contain.
const minCommon = 3

// nearest returns, of the names that an expression excludes, the one that contains the longest prefix of text, ignoring
// case. Newer images win ties.
func nearest(images []catalog.Image, excluding *regexp.Regexp, text string) string {
	letters := []rune(strings.ToLower(text))
	var best catalog.Image
	common := min(minCommon, len(letters))
	if common == 0 {
		return ""
	}
	for _, image := range images {
		name := strings.ToLower(image.Name)
		if !strings.Contains(name, string(letters[:common])) || excluding.MatchString(image.Name) {
			continue
		}
		longer := common
		for longer < len(letters) && strings.Contains(name, string(letters[:longer+1])) {
			longer++
		}
		if best.ID == "" || longer > common || NewestFirst(image, best) < 0 {
			best, common = image, longer
		}
	}
	return best.Name
}

// literalOf returns the literal prefix of an expression without its anchor. regexp.LiteralPrefix is empty for most
// anchored expressions.
func literalOf(expression string) string {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return ""
	}
	parts := []*syntax.Regexp{parsed}
	for len(parts) > 0 {
		first := parts[0]
		switch first.Op {
		case syntax.OpLiteral:
			return string(first.Rune)
		case syntax.OpBeginText, syntax.OpBeginLine:
			parts = parts[1:]
		case syntax.OpCapture, syntax.OpConcat:
			parts = first.Sub
		default:
			return ""
		}
	}
	return ""
}
