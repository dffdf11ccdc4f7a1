// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const sample = `package sample

const limit = 3 * 4

type named bool

func few(n int, names []string, seen map[string]bool) (ok bool, first string, err error) {
	if n < limit && !seen["a"] || names[0] == "x" {
		n += 2
		return true, names[0], nil
	}
	for i := range names {
		if seen[names[i]] {
			continue
		}
		delete(seen, names[i])
	}
	switch {
	case n-1 >= 0:
		return n != 2, "first", nil
	}
	_ = make([]string, n+1)
	panic("never")
}

func text(a, b string, c named) (string, named) { return a + b, c }
`

// wantMutants are those of the sample: the mutator, and the code from what is changed.
var wantMutants = []string{
	`< to <=: < limit`, `< to >=: < limit`, `&& to ||: && !seen`, `|| to &&: || names[0]`, `== to !=: == "x"`,
	`remove statement: n += 2`, `return the other boolean: true, names`, `return zero: names[0], nil`,
	`negate condition: seen[names[i]] {`, `negate condition: seen["a"] ||`,
	`remove statement: continue`, `remove statement: delete(seen`,
	`- to +: -1 >= 0`, `>= to >: >= 0`, `>= to <: >= 0`, `!= to ==: != 2`, `return zero: "first", nil`,
	`return zero: a + b`,
}

func instrumented(t *testing.T) *instrumenter {
	t.Helper()
	set, next := token.NewFileSet(), 1
	file, err := parser.ParseFile(set, "sample.go", sample, 0)
	if err != nil {
		t.Fatal(err)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{}).Check("sample", set, []*ast.File{file}, info)
	if err != nil {
		t.Fatal(err)
	}
	return &instrumenter{source: source{"sample.go", sample, set, file}, pkg: pkg, info: info, next: &next}
}

func TestWhatIsChanged(t *testing.T) {
	in := instrumented(t)
	in.instrument()
	missing := slices.Clone(wantMutants)
	for _, m := range in.mutants {
		_, code, _ := strings.Cut(m.Code, "»")
		i := slices.IndexFunc(missing, func(want string) bool { return strings.HasPrefix(m.Mutator+": "+code, want) })
		if i < 0 {
			t.Errorf("an unexpected mutant: %s: %s", m.Mutator, m.Code)
			continue
		}
		missing = slices.Delete(missing, i, i+1)
	}
	for _, want := range missing {
		t.Errorf("there is no mutant %s", want)
	}
}

// With all mutants in it, code compiles, and does what it did.
func TestCodeWithMutantsCompiles(t *testing.T) {
	folder, in := t.TempDir(), instrumented(t)
	for name, text := range map[string]string{
		"go.mod": "module sample\n\ngo 1.26\n", "sample.go": in.instrument(),
		"schema.go": strings.Replace(schema, "@package@", "sample", 1),
		"sample_test.go": `package sample

import "testing"

func TestFew(t *testing.T) {
	if ok, first, err := few(3, []string{"y"}, map[string]bool{}); !ok || first != "y" || err != nil {
		t.Error(ok, first, err)
	}
}
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	numbers := map[string]int{"no mutant": 0}
	for _, m := range in.mutants {
		numbers[m.Mutator] = m.number
	}
	// few(3, ...) can't tell n <= limit from n < limit.
	for mutator, passes := range map[string]bool{"no mutant": true, "< to <=": true, "< to >=": false, "return the other boolean": false} {
		cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", ".")
		cmd.Dir, cmd.Env = folder, append(os.Environ(), "MUTANT="+strconv.Itoa(numbers[mutator]))
		if out, err := cmd.CombinedOutput(); (err == nil) != passes {
			t.Errorf("%s: %v\n%s", mutator, err, out)
		}
	}
}

func TestSurvivorsMustBeKnownAndAlive(t *testing.T) {
	one, two := key{File: "a/b.go", Code: "one"}, key{File: "a/b.go", Code: "two"}
	files := map[string][]string{"a": {"a/b.go"}}
	for name, tc := range map[string]struct {
		verdicts []verdict
		expected map[key]bool
		want     string // "" if all is well
	}{
		"all are killed":        {verdicts: []verdict{{mutant{key: one}, killed}}},
		"a known one survives":  {verdicts: []verdict{{mutant{key: one}, survived}}, expected: map[key]bool{one: true}},
		"another one survives":  {verdicts: []verdict{{mutant{key: two}, survived}}, expected: map[key]bool{}, want: "code: two"},
		"one isn't reached":     {verdicts: []verdict{{mutant{key: two}, notReached}}, want: notReached},
		"a known one is killed": {verdicts: []verdict{{mutant{key: one}, killed}}, expected: map[key]bool{one: true}, want: "take it out"},
		"of a file that isn't changed": {
			expected: map[key]bool{{File: "a/c.go"}: true},
		},
	} {
		err := compare(tc.verdicts, tc.expected, files)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestEverySurvivorHasItsReason(t *testing.T) {
	if _, err := readSurvivors(filepath.Base(survivorsFile)); err != nil {
		t.Error(err)
	}
}
