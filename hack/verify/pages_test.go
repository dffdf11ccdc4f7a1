// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// longestPage is as much as a person reads in one go.
const longestPage = 300

// generatedPages are written by make generate, and are looked things up in.
var generatedPages = []string{"docs/reference.md", "docs/metrics.md", "docs/flags.md"}

// pages are the documents that people read.
func pages(t *testing.T) []string {
	t.Helper()
	return files(t, func(p string) bool {
		return p == "README.md" || p == "SECURITY.md" ||
			strings.HasSuffix(p, ".md") && (strings.HasPrefix(p, "docs/") || strings.HasPrefix(p, ".github/"))
	})
}

func TestPagesAreShort(t *testing.T) {
	for _, page := range pages(t) {
		if n := strings.Count(read(t, page), "\n"); n > longestPage && !slices.Contains(generatedPages, page) {
			t.Errorf("%s has %d lines, more than %d: split it by topic", page, n, longestPage)
		}
	}
}

var (
	fence       = regexp.MustCompile("(?ms)^[ \t]*```([^\n]*)\n.*?^[ \t]*```[ \t]*$")
	consoleInfo = regexp.MustCompile(`^console( not run here: \S.*)?$`)
)

// TestConsoleBlocksRun in hack/test/install runs each block with the plain word console.
func TestConsoleBlocksAreRunOrGiveTheReason(t *testing.T) {
	for _, page := range pages(t) {
		for _, found := range fence.FindAllStringSubmatch(read(t, page), -1) {
			if fault := consoleFault(found[1]); fault != "" {
				t.Errorf("%s: %s", page, fault)
			}
		}
	}
}

// consoleFault judges the words behind a fence.
func consoleFault(info string) string {
	if strings.HasPrefix(info, "console") && !consoleInfo.MatchString(info) {
		return fmt.Sprintf("a block is marked %q: write console, and its commands are run by a test, or \"console not run here: <reason>\"", info)
	}
	return ""
}

func TestAConsoleBlockWithoutAReasonIsFound(t *testing.T) {
	for info, good := range map[string]bool{
		"console": true, "console not run here: needs nodes": true, "sh": true, "console not run here": false, "console ignore": false,
	} {
		if (consoleFault(info) == "") != good {
			t.Errorf("%q: %q", info, consoleFault(info))
		}
	}
}

var (
	pageLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	ownURL   = regexp.MustCompile(`https://` + module + `/blob/main/([^)\s"'#]+)(#[^)\s"']+)?`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.*?)#*$`)
	anchorID = regexp.MustCompile(`<a id="([^"]+)"`)
)

// Each link to a page of ours leads to a page, and to a heading where it names one.
func TestLinksLeadToHeadings(t *testing.T) {
	for _, page := range pages(t) {
		content := fence.ReplaceAllString(read(t, page), "")
		for _, link := range pageLink.FindAllStringSubmatch(content, -1) {
			if strings.Contains(link[1], ":") {
				continue // https:, mailto:
			}
			file, anchor, _ := strings.Cut(link[1], "#")
			if file == "" {
				file = path.Base(page)
			}
			if fault := linkFault(path.Join(path.Dir(page), file), anchor); fault != "" {
				t.Errorf("%s links to %s: %s", page, link[1], fault)
			}
		}
	}
	for _, file := range files(t, func(p string) bool {
		return slices.Contains([]string{".md", ".yaml", ".yml", ".txt", ".go", ".html", ".tpl"}, path.Ext(p))
	}) {
		for _, link := range ownURL.FindAllStringSubmatch(read(t, file), -1) {
			if fault := linkFault(link[1], strings.TrimPrefix(link[2], "#")); fault != "" && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s links to %s: %s", file, link[0], fault)
			}
		}
	}
}

// linkFault says what is wrong with a link to a file of the repository.
func linkFault(file, anchor string) string {
	content, err := os.ReadFile(filepath.Join(root, file))
	switch {
	case err != nil && anchor == "":
		if _, err := os.Stat(filepath.Join(root, file)); err == nil {
			return "" // a folder
		}
		return "there is no such file"
	case err != nil:
		return "there is no such file"
	case anchor != "" && path.Ext(file) == ".md" && !slices.Contains(anchors(string(content)), anchor):
		return "there is no such heading in " + file
	}
	return ""
}

// anchors are the fragments that a forge makes of a page's headings.
func anchors(page string) []string {
	var found []string
	times := map[string]int{}
	for _, text := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(text[1]))
		if n := times[anchor]; n > 0 {
			found = append(found, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			found = append(found, anchor)
		}
		times[anchor]++
	}
	for _, id := range anchorID.FindAllStringSubmatch(page, -1) {
		found = append(found, id[1])
	}
	return found
}

func TestAnchorsAreThoseOfTheForge(t *testing.T) {
	got := anchors("# The cloud's limit\n\n## `Kept`\n\n```sh\n# no heading\n```\n## Kept\n### 1. Build, now (really)\n## 快速开始\n<a id=\"x\"></a>\n")
	want := []string{"the-clouds-limit", "kept", "kept-1", "1-build-now-really", "快速开始", "x"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, link := range [][2]string{{"docs/concepts.md", "no-such-heading"}, {"docs/no-such-page.md", ""}, {"docs/no-such-page.md", "x"}} {
		if linkFault(link[0], link[1]) == "" {
			t.Errorf("%s#%s passes", link[0], link[1])
		}
	}
}
