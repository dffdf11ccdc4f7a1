// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table into docs/reliability.md")

const (
	document       = repository + "/docs/reliability.md"
	begins, closes = "<!-- rows: written by TestTheTableIsDocumented -update -->\n", "<!-- end of rows -->\n"
)

// Every row has a test with its number, every test of a number has a row, and the document shows the same.
func TestTheTableIsDocumented(t *testing.T) {
	tests := rowTests(t)
	var rows strings.Builder
	rows.WriteString("| # | Fault | What happens | Test | More of it in |\n|---|---|---|---|---|\n")
	for i, row := range Table {
		if row.Number != i+1 {
			t.Errorf("row %d stands at place %d", row.Number, i+1)
		}
		name := tests[row.Number]
		if name == "" {
			t.Errorf("row %d (%s) has no test: write TestFault%02d…", row.Number, row.Fault, row.Number)
		}
		delete(tests, row.Number)
		fmt.Fprintf(&rows, "| %d | %s | %s | %s | %s |\n", row.Number, row.Fault, row.Required, name, row.Proof)
	}
	for number, name := range tests {
		t.Errorf("%s has no row %d in Table", name, number)
	}
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, opened := strings.Cut(string(content), begins)
	shown, after, closed := strings.Cut(rest, closes)
	if !opened || !closed {
		t.Fatalf("%s lacks the marks between which the rows are", document)
	}
	if *update {
		if err := os.WriteFile(document, []byte(before+begins+rows.String()+closes+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if shown != rows.String() {
		t.Errorf("%s shows other rows than Table has: run go test ./faults -run TestTheTableIsDocumented -update in hack/test", document)
	}
}

// rowTests returns the tests of rows in this folder, by number.
func rowTests(t *testing.T) map[int]string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	numbered := regexp.MustCompile(`^TestFault([0-9]{2})`)
	found := map[int]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if number := numbered.FindStringSubmatch(function.Name.Name); number != nil {
				n, err := strconv.Atoi(number[1])
				if err != nil || found[n] != "" {
					t.Errorf("%s and %s are tests of one row (%v)", function.Name.Name, found[n], err)
				}
				found[n] = function.Name.Name
			}
		}
	}
	return found
}
