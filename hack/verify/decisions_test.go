// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const decisions = "docs/decisions"

// A record must have all parts, unless it is superseded.
func TestDecisionsHaveTheirParts(t *testing.T) {
	parts := []string{"Context", "Options", "Decision", "Consequences", "How we would notice that it was wrong"}
	form := regexp.MustCompile(`^# \d+\. .+\n\nStatus: (accepted|accepted, not built yet)\b`)
	index := decisionRows(t)
	for file, row := range index {
		if strings.Contains(row, "| superseded by ") {
			continue
		}
		record := read(t, file)
		if !form.MatchString(record) {
			t.Errorf("%s doesn't begin with its number, its title and a line \"Status: accepted\"; %s/README.md shows the form", file, decisions)
		}
		var headings []string
		for _, found := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(record, -1) {
			headings = append(headings, found[1])
		}
		if !slices.Equal(headings, parts) {
			t.Errorf("%s has the parts %q: write %q, in this order", file, headings, parts)
		}
	}
}

func TestEveryDecisionIsInTheIndex(t *testing.T) {
	index := decisionRows(t)
	for _, file := range files(t, func(p string) bool { return path.Dir(p) == decisions && path.Base(p) != "README.md" }) {
		if _, ok := index[file]; !ok {
			t.Errorf("%s has no row in %s/README.md: add one with its number, title, one line and status", file, decisions)
		}
	}
}

// decisionRows returns the rows of the index by record.
func decisionRows(t *testing.T) map[string]string {
	t.Helper()
	rows := map[string]string{}
	for _, found := range regexp.MustCompile(`(?m)^\| \d+ \| \[.+?\]\((.+?)\) \|.*$`).FindAllStringSubmatch(read(t, decisions+"/README.md"),
		-1) {
		rows[path.Join(decisions, found[1])] = found[0]
	}
	if len(rows) == 0 {
		t.Fatalf("%s/README.md has no row: this check no longer understands it", decisions)
	}
	return rows
}
