// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"
)

const chinese = ".zh-CN.md"

// A translation has the headings and the code blocks of its original, so that a change of one page is not forgotten in the other.
func TestTranslationsFollowTheirOriginals(t *testing.T) {
	for _, page := range files(t, func(p string) bool { return strings.HasPrefix(p, "docs/") && strings.HasSuffix(p, chinese) }) {
		original := strings.TrimSuffix(page, chinese) + ".md"
		if fault := translationFault(read(t, original), read(t, page)); fault != "" {
			t.Errorf("%s is not like %s: %s. Change both pages", page, original, fault)
		}
		for from, to := range map[string]string{page: original, original: page} {
			if !strings.Contains(read(t, from), "]("+path.Base(to)+")") {
				t.Errorf("%s doesn't link to %s: add a link to the other language below the title", from, to)
			}
		}
	}
}

// part is a heading or a code block.
type part struct {
	kind string // and level: what both languages have in common
	code string // likewise
	text string // in one language
}

var (
	partOfPage = regexp.MustCompile("(?ms)^[ \t]*```([^\n]*)\n(.*?)^[ \t]*```[ \t]*$|^(#{1,6}) ([^\n]*)$")
	comment    = regexp.MustCompile(`(?m)(^|[ \t]+)#.*$`)
)

// partsOf returns the headings and code blocks of a page in their order. Comments in code and the labels of diagrams may be translated.
func partsOf(page string) []part {
	var parts []part
	for _, found := range partOfPage.FindAllStringSubmatch(page, -1) {
		info, code, level, title := found[1], found[2], found[3], found[4]
		switch {
		case level != "":
			parts = append(parts, part{kind: "a heading " + level, text: title})
		case info == "mermaid":
			parts = append(parts, part{kind: "a block mermaid", text: code})
		default:
			parts = append(parts, part{kind: "a block " + info, code: comment.ReplaceAllString(code, ""), text: code})
		}
	}
	return parts
}

// translationFault returns the first heading or code block in which a translation differs from its original.
func translationFault(original, translation string) string {
	want, got := partsOf(original), partsOf(translation)
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("it ends before %s %q", want[i].kind, want[i].text)
		case i >= len(want):
			return fmt.Sprintf("the original ends before %s %q", got[i].kind, got[i].text)
		case want[i].kind != got[i].kind || want[i].code != got[i].code:
			return fmt.Sprintf("it has %s %q where the original has %s %q", got[i].kind, got[i].text, want[i].kind, want[i].text)
		}
	}
	return ""
}

func TestADifferenceBetweenTranslationsIsFound(t *testing.T) {
	const original = "# Title\n## First\n```console\n$ make demo # a comment\n```\n### Detail\n```mermaid\na --> b\n```\n```yaml\nlimit: 1\n```\n"
	const translation = "# 标题\n## 一\n```console\n$ make demo  # 注释\n```\n### 细节\n```mermaid\n甲 --> 乙\n```\n```yaml\nlimit: 1\n```\n"
	if fault := translationFault(original, translation); fault != "" {
		t.Errorf("a true translation is refused: %s", fault)
	}
	for name, change := range map[string][2]string{
		"a missing heading":     {"### 细节\n", ""},
		"a heading too many":    {"### 细节\n", "### 细节\n### 更多\n"},
		"another level":         {"### 细节", "## 细节"},
		"a heading at the end":  {"limit: 1\n```\n", "limit: 1\n```\n## 完\n"},
		"a changed command":     {"make demo", "make test"},
		"a changed field":       {"limit: 1", "limit: 2"},
		"a missing block":       {"```yaml\nlimit: 1\n```\n", ""},
		"another kind of block": {"```console", "```sh"},
		"a missing diagram":     {"```mermaid\n甲 --> 乙\n```\n", ""},
	} {
		changed := strings.Replace(translation, change[0], change[1], 1)
		if changed == translation || translationFault(original, changed) == "" {
			t.Errorf("%s passes", name)
		}
	}
}
