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

// Funnel says what became of the images of a listing.
type Funnel struct {
	Listed, Matching int

	// TurnedAway counts images by the field of spec.match that refuses them; where several do, by the first of them.
	TurnedAway map[string]int

	// Nearest is the name that misses nameRegex by least. It is set only if too few images match, and "" if none comes near.
	Nearest string
}

// Split returns the images of a listing that match, in the order of status.images, and explains the others. Entries without
// a valid id count as listed.
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

// Nearest returns the name that misses nameRegex by least, or "".
func (m Matcher) Nearest(images []catalog.Image) string {
	if m.name == nil {
		return ""
	}
	return nearest(images, m.name, literalOf(m.Match.NameRegex))
}

// String is the funnel in words, such as "30 listed, 0 match: match.nameRegex turns 30 away".
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

// minCommon is how many letters of the expression a name must have at least to come near.
const minCommon = 3

// nearest returns, of the names that an expression refuses, the one that contains the longest prefix of a text, ignoring
// case. Of several, it is that of the newest image.
func nearest(images []catalog.Image, refusing *regexp.Regexp, text string) string {
	letters := []rune(strings.ToLower(text))
	var best catalog.Image
	common := min(minCommon, len(letters))
	if common == 0 {
		return ""
	}
	for _, image := range images {
		name := strings.ToLower(image.Name)
		if !strings.Contains(name, string(letters[:common])) || refusing.MatchString(image.Name) {
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

// literalOf is the plain text with which an expression begins, without its anchor. regexp's LiteralPrefix has none for most
// expressions with an anchor.
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
