// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"pgregory.net/rapid"
)

// Admission knows a range by a regular expression, the operator by its library. Of what has the form that the library
// documents, nothing that it understands is refused. (What it doesn't understand and admission lets pass is InvalidQuery.)
func TestARangeThatTheLibraryUnderstandsIsAdmitted(t *testing.T) {
	rule := schemaOf("ImageQuery").Properties["spec"].Properties["selection"].Properties["range"].XValidations[0].Rule
	expression := regexp.MustCompile(`^self\.split\('\|\|'\)\.all\(r, r\.matches\(r'(.*)'\)\)`).FindStringSubmatch(rule)
	if expression == nil {
		t.Fatalf("the rule of ranges has another form: %s", rule)
	}
	form := regexp.MustCompile(expression[1])
	admits := func(text string) bool {
		for part := range strings.SplitSeq(text, "||") {
			if !form.MatchString(part) {
				return false
			}
		}
		return true
	}
	const comparison = `(=|!=|>|<|>=|=>|<=|=<|~|~>|\^)? ?v?([0-9]{1,3}|[xX*])(\.([0-9]{1,3}|[xX*])){0,2}(-[a-z0-9]{1,3}(\.[0-9-])?)?(\+[a-z]\.1)?`
	understood := 0
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(comparison+"(( |, | , |,| - | \\|\\| |\\|\\|)"+comparison+"){0,3} ?").Draw(rt, "range")
		if _, err := semver.NewConstraint(text); err != nil {
			return
		}
		if understood++; !admits(text) {
			rt.Errorf("%q is understood, but refused", text)
		}
	})
	t.Logf("%d ranges were understood", understood)
	if understood < 10 {
		t.Errorf("only %d ranges were understood: the generator has lost touch with the library", understood)
	}
}
