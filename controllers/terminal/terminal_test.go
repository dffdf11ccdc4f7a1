// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"testing"
)

func TestColumnsStandBelowEachOther(t *testing.T) {
	for name, tc := range map[string]struct {
		coloured bool
		want     string
	}{
		"into a file": {want: "NAME      AGE\n" +
			"节点镜像  1d    Selected\n" +
			"node        8d\n" +
			"x[31m     100d  NotNewest\n"},
		"on a terminal": {coloured: true, want: "NAME      AGE\n" +
			"节点镜像  1d    \x1b[32mSelected\x1b[0m\n" +
			"node        8d\n" +
			"x[31m     100d  NotNewest\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			p := New(&out)
			p.coloured = tc.coloured
			p.Table([][]Cell{
				Row("NAME", "AGE", ""),
				{{Text: "节点镜像"}, {Text: "1d"}, {Text: "Selected", Colour: Good}},
				{{Text: "node"}, {Text: "8d", Right: true}},
				{{Text: "x\x1b[31m"}, {Text: "100d"}, {Text: "NotNewest\u202e"}},
			})
			if out.String() != tc.want || p.Err() != nil {
				t.Errorf("got\n%q\nwant\n%q", out.String(), tc.want)
			}
		})
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	for name, tc := range map[string]struct {
		terminal bool
		env      map[string]string
		want     bool
	}{
		"a terminal":             {terminal: true, want: true},
		"a pipe":                 {},
		"NO_COLOR":               {terminal: true, env: map[string]string{"NO_COLOR": "1"}},
		"NO_COLOR that is empty": {terminal: true, env: map[string]string{"NO_COLOR": ""}, want: true},
		"a dumb terminal":        {terminal: true, env: map[string]string{"TERM": "dumb"}},
	} {
		if got := colours(tc.terminal, func(name string) string { return tc.env[name] }); got != tc.want {
			t.Errorf("%s is coloured: %t", name, got)
		}
	}
}
