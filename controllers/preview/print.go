// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/terminal"
)

// Formats are the values of -o.
var Formats = []string{"table", "wide", "json", "yaml", "markdown"}

// maxMarkdownRows bounds the members in a comment, which forges bound to 64 KiB or so.
const maxMarkdownRows = 50

// Reports are those of all queries.
type Reports struct {
	Queries  []Report `json:"queries"`
	ExitCode int      `json:"exitCode"`
}

// Add adds a report.
func (r *Reports) Add(one Report) {
	r.Queries = append(r.Queries, one)
	r.ExitCode = max(r.ExitCode, one.ExitCode)
}

// Print writes the reports in a format.
func (r *Reports) Print(out io.Writer, format string, now time.Time) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	case "yaml":
		content, err := yaml.Marshal(r)
		if err != nil {
			return err
		}
		_, err = out.Write(content)
		return err
	case "markdown":
		return r.printMarkdown(out, now)
	}
	p := terminal.New(out)
	for i := range r.Queries {
		if i > 0 {
			p.Line("")
		}
		r.Queries[i].print(p, format == "wide", now)
	}
	return p.Err()
}

// print writes a report for people.
func (r *Report) print(p *terminal.Printer, wide bool, now time.Time) {
	if r.ExitCode == ExitInvalid {
		p.Line("%s: %s (exit %d)", cmp.Or(terminal.Clean(r.Name), "a document"), p.In(terminal.Bad, "INVALID"), r.ExitCode)
		p.Line("%s", cleanLines(r.Error))
		return
	}
	p.Table(r.funnel())
	p.Line("%s", r.verdict(p.In, terminal.Clean))
	for _, note := range r.notes() {
		p.Line("%s", terminal.Clean(note))
	}
	if len(r.Images) > 0 {
		p.Line("")
		p.Table(r.table(wide, now))
	}
}

// cleanLines is a text of several lines that can't write to the terminal otherwise.
func cleanLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = terminal.Clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// place returns the region and the credentials.
func (r *Report) place() string {
	if r.Credentials == "" {
		return r.Region + ", default credentials"
	}
	return r.Region + ", credentials " + r.Credentials
}

// funnel has a row for each step from what the cloud listed to the members.
func (r *Report) funnel() [][]terminal.Cell {
	number := func(n int) terminal.Cell { return terminal.Cell{Text: strconv.Itoa(n), Right: true} }
	rows := [][]terminal.Cell{{{Text: r.Name + ": " + r.place()}, {Text: fmt.Sprintf("listed %d", r.Listed), Right: true}}}
	for i, f := range r.Filters {
		row := []terminal.Cell{{Text: fmt.Sprintf("  filter %s=%s", f.Name, strings.Join(f.Values, ","))}}
		if i == len(r.Filters)-1 {
			row = append(row, number(r.Listed))
		}
		rows = append(rows, row)
	}
	for _, step := range r.Match {
		row := []terminal.Cell{{Text: fmt.Sprintf("  match  %s %s", step.Field, step.Value)}, number(step.Left)}
		switch {
		case step.Left == 0 && step.Excluded > 0:
			note := "turns all away"
			if step.Field == "nameRegex" && r.Nearest != "" {
				note += "; nearest: " + r.Nearest
			}
			row = append(row, terminal.Cell{Text: " " + note, Colour: terminal.Warn})
		case step.Excluded > 0:
			row = append(row, terminal.Cell{Text: fmt.Sprintf(" turns %d away", step.Excluded), Colour: terminal.Faint})
		}
		rows = append(rows, row)
	}
	return rows
}

// verdict returns the line with what would be selected. The names in it are quoted.
func (r *Report) verdict(in func(terminal.Colour, string) string, quote func(string) string) string {
	exit := ""
	if r.ExitCode > 0 {
		exit = fmt.Sprintf(" (exit %d)", r.ExitCode)
	}
	switch {
	case r.Blocked:
		return in(terminal.Bad, "Would be BLOCKED") + fmt.Sprintf(": the removal of %d waits until a person approves it", len(r.Leaving)) + exit
	case r.Error != "" && len(r.Selected) > 0:
		return in(terminal.Bad, "Would FAIL") + ": " + r.Reason + "; what is selected stays" + exit
	case len(r.Selected) == 0:
		return "Would select: " + in(terminal.Bad, "NOTHING") + exit
	}
	return r.verb() + quote(r.selection()) + exit
}

func (r *Report) verb() string {
	switch {
	case r.compared && r.ExitCode == ExitUnchanged:
		return "Selects as before: "
	case r.compared && len(r.SelectedBefore) > 0:
		return "Would select instead: "
	}
	return "Would select: "
}

// selection names what would be selected.
func (r *Report) selection() string {
	const most = 6
	var names []string
	for _, image := range r.Selected[:min(len(r.Selected), most)] {
		names = append(names, strings.TrimSpace(image.Architecture+" "+image.ImageID+" "+image.Name))
	}
	if more := len(r.Selected) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// notes are what a person should know besides.
func (r *Report) notes() []string {
	var notes []string
	if r.Suspended {
		notes = append(notes, "spec.suspend is true: this holds once it is false; until then the operator doesn't ask the cloud.")
	}
	if strings.Contains(r.Message, ";") {
		notes = append(notes, "Ready: "+r.Message)
	}
	for i, one := range r.Leaving {
		const most = 10
		if i == most {
			notes = append(notes, fmt.Sprintf("  and %d more", len(r.Leaving)-most))
			break
		}
		notes = append(notes, strings.TrimRight(fmt.Sprintf("  leaves: %s (%s) %s", one.ImageID, one.Reason, one.Name), " "))
	}
	if len(r.AssumedGone) > 0 {
		notes = append(notes, fmt.Sprintf("Known images that the listing lacks, and that the cloud was not asked for, count as gone: %d. "+
			"Record with --against to ask for them.", len(r.AssumedGone)))
	}
	return notes
}

// table has a row for each member.
func (r *Report) table(wide bool, now time.Time) [][]terminal.Cell {
	head := terminal.Row("ARCH", "IMAGE", "NAME", "AGE", "VERDICT", "")
	if wide {
		head = terminal.Row("ARCH", "IMAGE", "NAME", "AGE", "STATE", "TYPE", "CREATOR", "PLATFORM", "VERDICT", "")
	}
	rows := [][]terminal.Cell{head}
	for i := range r.Images {
		image := &r.Images[i]
		row := terminal.Row(image.Architecture, image.ImageID, image.Name, age(image.CreatedTime, now))
		if wide {
			row = append(row, terminal.Row(image.State, image.Type, image.Creator, image.Platform)...)
		}
		row = append(row, terminal.Cell{Text: string(image.Selection), Colour: colourOf(image.Selection)}, terminal.Cell{Text: image.note()})
		rows = append(rows, row)
	}
	return rows
}

// note is what the verdict of a member doesn't say.
func (i *Image) note() string {
	switch {
	case len(i.Replaces) > 0:
		return "was " + strings.Join(i.Replaces, ", ")
	case i.WasSelected && i.Selection != imagev1alpha1.VerdictSelected:
		return "was selected"
	case i.SelectableFrom != nil:
		return "until " + i.SelectableFrom.UTC().Format(time.RFC3339)
	case i.Deprecated:
		return "deprecated"
	}
	return ""
}

func colourOf(verdict imagev1alpha1.SelectionVerdict) terminal.Colour {
	switch verdict {
	case imagev1alpha1.VerdictSelected:
		return terminal.Good
	case imagev1alpha1.VerdictMissing, imagev1alpha1.VerdictHeldBack, imagev1alpha1.VerdictUntrustedCreator:
		return terminal.Warn
	default:
		return terminal.Faint
	}
}

// age is how old an image is, as kubectl writes ages.
func age(created *metav1.Time, now time.Time) string {
	if created.IsZero() {
		return ""
	}
	return duration.HumanDuration(now.Sub(created.Time))
}

// printMarkdown writes the reports for a comment on a pull request.
func (r *Reports) printMarkdown(out io.Writer, now time.Time) error {
	var b strings.Builder
	for i := range r.Queries {
		r.Queries[i].markdown(&b, now)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (r *Report) markdown(b *strings.Builder, now time.Time) {
	fmt.Fprintf(b, "### ImageQuery %s\n\n", code(cmp.Or(r.Name, "without a name")))
	if r.ExitCode == ExitInvalid {
		fmt.Fprintf(b, "**Invalid** (exit %d): %s\n\n", r.ExitCode, code(r.Error))
		return
	}
	fmt.Fprintf(b, "%s\n\n", r.verdict(func(_ terminal.Colour, text string) string { return "**" + text + "**" }, code))
	for _, row := range r.funnel() {
		texts := make([]string, len(row))
		for i, cell := range row {
			texts[i] = strings.TrimSpace(cell.Text)
		}
		fmt.Fprintf(b, "- %s\n", code(strings.Join(texts, "  ")))
	}
	for _, note := range r.notes() {
		fmt.Fprintf(b, "- %s\n", code(strings.TrimSpace(note)))
	}
	if len(r.Images) == 0 {
		b.WriteString("\n")
		return
	}
	b.WriteString("\n| Arch | Image | Name | Age | Verdict | |\n|---|---|---|---|---|---|\n")
	// What is selected, or was, comes first: a long list is cut.
	images := slices.SortedStableFunc(slices.Values(r.Images), func(a, b Image) int { return cmp.Compare(b.weight(), a.weight()) })
	for _, image := range images[:min(len(images), maxMarkdownRows)] {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", code(image.Architecture), code(image.ImageID), code(image.Name),
			age(image.CreatedTime, now), image.Selection, code(image.note()))
	}
	if more := len(images) - maxMarkdownRows; more > 0 {
		fmt.Fprintf(b, "\nand %d more members.\n", more)
	}
	b.WriteString("\n")
}

func (i *Image) weight() int {
	switch {
	case i.Selection == imagev1alpha1.VerdictSelected:
		return 2
	case i.WasSelected:
		return 1
	}
	return 0
}

// code quotes a text in Markdown: the name of an image must not be a link or mention people.
func code(text string) string {
	text = strings.NewReplacer("`", "'", "|", "¦", "\n", " ").Replace(terminal.Clean(strings.ReplaceAll(text, "\n", " ")))
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
