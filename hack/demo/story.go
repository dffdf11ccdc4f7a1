// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// story prints what happens, for people.
type story struct {
	out   io.Writer
	began time.Time
}

func newStory(out io.Writer) *story {
	return &story{out: out, began: time.Now()}
}

// step is a line of progress, with the seconds since the start.
func (s *story) step(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "%5.1f s  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// chapter is a heading: what the reader is to see in what follows.
func (s *story) chapter(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "\n== %s\n", fmt.Sprintf(format, args...))
}

// text is shown as it is.
func (s *story) text(lines string) {
	_, _ = fmt.Fprintln(s.out, strings.TrimRight(lines, "\n"))
}

// command shows a command and the first lines it printed; 0 means all. A reader learns nothing from the four hundredth image.
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
