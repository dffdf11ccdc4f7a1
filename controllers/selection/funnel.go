// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"fmt"
	"regexp/syntax"
	"strings"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Funnel says what became of the images of a listing.
type Funnel struct {
	Listed, Matching int

	// TurnedAway counts images by the field of spec.match that refuses them; where several do, by the first of them.
	TurnedAway map[string]int

	// Nearest is the name that misses nameRegex by least; "" if none comes near.
	Nearest string
}

// Funnel explains a listing. Entries without a valid id are listed, too.
func (m Matcher) Funnel(listing catalog.Listing) Funnel {
	out := Funnel{Listed: len(listing.Images) + listing.Skipped, TurnedAway: map[string]int{}}
	var misnamed []catalog.Image
	for _, image := range listing.Images {
		field := m.refusedBy(&image)
		switch field {
		case "":
			out.Matching++
			continue
		case nameRegexField:
			misnamed = append(misnamed, image)
		}
		out.TurnedAway[field]++
	}
	if len(misnamed) > 0 {
		out.Nearest = nearest(misnamed, literalOf(m.Match.NameRegex))
	}
	return out
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

// nearest is the name that has the longest beginning of a text somewhere, whatever the case of its letters; of several, the one of
// the newest image.
func nearest(images []catalog.Image, text string) string {
	letters := []rune(strings.ToLower(text))
	var best catalog.Image
	common := min(minCommon, len(letters))
	if common == 0 {
		return ""
	}
	for _, image := range images {
		name := strings.ToLower(image.Name)
		if !strings.Contains(name, string(letters[:common])) {
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
