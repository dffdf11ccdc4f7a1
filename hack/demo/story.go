// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// story prints the progress of the demo.
type story struct {
	out   io.Writer
	began time.Time
}

func newStory(out io.Writer) *story {
	return &story{out: out, began: time.Now()}
}

// step prints a line of progress with the seconds since the start.
func (s *story) step(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "%5.1f s  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// chapter prints a heading.
func (s *story) chapter(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "\n== %s\n", fmt.Sprintf(format, args...))
}

// text prints lines unchanged.
func (s *story) text(lines string) {
	_, _ = fmt.Fprintln(s.out, strings.TrimRight(lines, "\n"))
}

// command prints a command and the first lines of its output; 0 means all.
func (s *story) command(line, output string, most int) {
	_, _ = fmt.Fprintf(s.out, "\n$ %s\n", line)
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	rest := 0
	if most > 0 && len(lines) > most+1 {
		rest = len(lines) - most
		lines = lines[:most]
	}
	s.text(strings.Join(lines, "\n"))
	if rest > 0 {
		_, _ = fmt.Fprintf(s.out, "... and %d more\n", rest)
	}
}
