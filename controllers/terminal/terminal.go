// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package terminal prints tables for people: aligned as a terminal shows them, wide characters too, and coloured if it is one.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// Colour is how a text stands out.
type Colour string

// The colours by what they mean. Each is a sequence that every terminal knows.
const (
	Plain Colour = ""
	Good  Colour = "\x1b[32m"
	Warn  Colour = "\x1b[33m"
	Bad   Colour = "\x1b[31m"
	Faint Colour = "\x1b[2m"
	Bold  Colour = "\x1b[1m"

	reset = "\x1b[0m"
)

// columns measures as most terminals do, and the same wherever the command runs.
var columns = &runewidth.Condition{StrictEmojiNeutral: true}

// Printer prints to one output.
type Printer struct {
	out      io.Writer
	coloured bool
	err      error
}

// New returns a printer. It colours if the output is a terminal, unless the environment has NO_COLOR.
func New(out io.Writer) *Printer {
	return &Printer{out: out, coloured: colours(IsTerminal(out), os.Getenv)}
}

// colours reports whether an output is coloured (https://no-color.org).
func colours(isTerminal bool, getenv func(string) string) bool {
	return isTerminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// IsTerminal reports whether a person reads an output as it is written.
func IsTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Err returns the first error of the output.
func (p *Printer) Err() error { return p.err }

// Line prints a line.
func (p *Printer) Line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.out, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

// In returns a text in a colour.
func (p *Printer) In(colour Colour, text string) string {
	if !p.coloured || colour == Plain || text == "" {
		return text
	}
	return string(colour) + text + reset
}

// Cell is a cell of a table.
type Cell struct {
	Text   string
	Colour Colour

	// Right aligns it at the right, as numbers.
	Right bool
}

// Table prints rows in columns, two blanks apart. The last cell of a row isn't padded.
func (p *Printer) Table(rows [][]Cell) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(row)-1 || cell.Right {
				widths[i] = max(widths[i], Width(cell.Text))
			}
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", max(0, widths[i]-Width(cell.Text)))
			text := p.In(cell.Colour, Clean(cell.Text))
			if cell.Right {
				text, pad = pad+text, ""
			}
			line.WriteString(text)
			if i < len(row)-1 {
				line.WriteString(pad + "  ")
			}
		}
		p.Line("%s", line.String())
	}
}

// Row returns a row of plain cells.
func Row(texts ...string) []Cell {
	row := make([]Cell, len(texts))
	for i, text := range texts {
		row[i].Text = text
	}
	return row
}

// Width returns how many columns a text takes.
func Width(text string) int { return columns.StringWidth(Clean(text)) }

// Clean drops characters that would move the cursor, change colours or reverse the text: names of images are untrusted.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, text)
}
