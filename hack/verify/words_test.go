// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// plainWords are phrases that must not come back into what users read, with what to write instead: the subject first, one idea per
// sentence, the field's words.
var plainWords = []struct{ phrase, instead string }{
	{`on one listing's word`, "an image is removed only after a second check by its id"},
	{`(is|was|are|were) no members? (any ?more|of)`, "is no longer a member"},
	{`no members? any ?more`, "no longer a member"},
	{`(image|images|it|they|one|id|that|which|what|see) (is|are) no members?`, "is not a member"},
	{`members? no longer\b`, "is no longer a member"},
	{`lets? go( of)?`, "releases, removes or deletes"},
	{`letting go`, "releasing, removing or deleting"},
	{`(that|which) (are|is) none`, "name what it is: malformed, unknown, empty"},
	{`who may write`, "an author of, an account with the right to"},
	{`somebody`, "another client, a person, an attacker: name which"},
	{`anybody`, "name which account"},
	{`whoever`, "name which person or account"},
	{`whom`, "name the person or account"},
	{`asks nobody`, "authenticates no one"},
	{`tells? of`, "names, reports"},
	{`came about`, "was made"},
	{`coming and going`, "name what changes"},
}

// wordFaults returns the phrases of the list that a text has, with what to write instead.
func wordFaults(text string) []string {
	text = strings.Join(strings.Fields(quoted.ReplaceAllString(text, "")), " ")
	var faults []string
	for i, word := range plainWords {
		for _, found := range wordPatterns[i].FindAllString(text, -1) {
			faults = append(faults, found+" (write: "+word.instead+")")
		}
	}
	return faults
}

var wordPatterns = func() []*regexp.Regexp {
	var patterns []*regexp.Regexp
	for _, word := range plainWords {
		patterns = append(patterns, regexp.MustCompile(`(?i)\b`+word.phrase+`\b`))
	}
	return patterns
}()

// quoted is code within prose: names of tests have their own words.
var quoted = regexp.MustCompile("`[^`\n]*`")

func TestUsersReadPlainWords(t *testing.T) {
	for where, text := range userTexts(t) {
		for _, fault := range wordFaults(text) {
			t.Errorf("%s has %s", where, fault)
		}
	}
}

func TestAWordOfTheListIsFound(t *testing.T) {
	for text, want := range map[string]bool{
		"Nothing is removed on one\nlisting's word.":           true,
		"# The image is no member any more":                    true,
		"The query lets go of the object":                      true,
		"Ids that are none are skipped":                        true,
		"Whoever deletes it":                                   true,
		"Who may write queries":                                true,
		"an image that is no member":                           true,
		"there is no member to select from":                    false,
		"An image is removed only after a second check.":       false,
		"Shown by `TestACloudImageIsDeletedByWhoeverMay`":      false,
		"is no longer a member; somebodyelse, let it be":       false,
		"// The object of an image that is no longer a member": false,
	} {
		if got := len(wordFaults(text)) > 0; got != want {
			t.Errorf("%q: found is %t: %q", text, got, wordFaults(text))
		}
	}
}

// userTexts are the texts that users read, by their place: pages but decisions, which are never rewritten; whatever a cluster consumes; the
// comments of the API, which kubectl explain shows; and the texts in the operator's code, which become messages.
func userTexts(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, file := range files(t, func(p string) bool {
		return !strings.HasPrefix(p, decisions+"/") && (p == "README.md" || p == "SECURITY.md" ||
			strings.HasPrefix(p, "config/") && slices.Contains([]string{".yaml", ".json", ".md", ".txt", ".tpl", ".lua"}, path.Ext(p)) ||
			slices.Contains([]string{"docs", ".github"}, strings.Split(p, "/")[0]) && path.Ext(p) == ".md" ||
			strings.HasPrefix(p, "controllers/page/templates/"))
	}) {
		texts[file] = read(t, file)
	}
	for _, file := range goFiles(t) {
		switch {
		case strings.HasSuffix(file, "_test.go"):
		case path.Dir(file) == api:
			var comments strings.Builder
			for _, group := range parseComments(t, file).Comments {
				comments.WriteString(group.Text() + "\n")
			}
			texts[file] = comments.String()
		case strings.HasPrefix(file, "controllers/") && !strings.Contains(file, "test/"):
			texts[file] = literals(parse(t, file))
		}
	}
	return texts
}

// literals returns the texts of a file's string literals that are sentences.
func literals(file *ast.File) string {
	var found strings.Builder
	ast.Inspect(file, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok {
			if word, ok := text(literal); ok && strings.Contains(word, " ") {
				found.WriteString(word + "\n")
			}
		}
		return true
	})
	return found.String()
}
