// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Statuses of a mutant.
const (
	killed     = "killed"
	survived   = "survived"
	notReached = "not reached by any test"
)

// verdict is a mutant, and what the tests said.
type verdict struct {
	mutant
	status string
}

//go:embed schema.go.in
var schema string

// suite is the fast tests of one package, compiled with all mutants of the package that they test.
type suite struct {
	folder string
	binary string
	args   []string
	// limit ends a mutant that runs forever.
	limit time.Duration
	// reached has the mutants that the tests reach.
	reached map[int]bool
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath, Dir, Export, Name      string
	GoFiles, TestImports, XTestImports []string
}

func goList(ctx context.Context, args ...string) (packages []listed, err error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-json=ImportPath,Dir,Export,Name,GoFiles,TestImports,XTestImports"},
		args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	for decoder := json.NewDecoder(strings.NewReader(string(out))); err == nil; {
		var p listed
		if err = decoder.Decode(&p); err == nil {
			packages = append(packages, p)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return packages, err
}

// newSuite compiles the tests of a package, and runs them without a mutant.
func newSuite(ctx context.Context, folder, overlay, work string) (*suite, error) {
	packages, err := goList(ctx, "./"+folder)
	if err != nil {
		return nil, err
	}
	s := &suite{
		folder: folder, binary: filepath.Join(work, strings.ReplaceAll(folder, "/", "-")+".test"),
		args: []string{"-test.short", "-test.failfast"}, limit: time.Minute, reached: map[int]bool{},
	}
	if slices.Contains(slices.Concat(packages[0].TestImports, packages[0].XTestImports), "pgregory.net/rapid") {
		s.args = append(s.args, "-rapid.nofailfile", "-rapid.seed=1")
	}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay="+overlay, "-o="+s.binary, "./"+folder)
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("the tests of %s with mutants: %w", folder, err)
	}
	return s, s.baseline(ctx, work)
}

// mutate writes the files of a package with their mutants, and the overlay that puts them in place of the originals.
func mutate(ctx context.Context, folder string, files []string, work string) (mutants []mutant, overlay string, err error) {
	dependencies, err := goList(ctx, "-export", "-deps", "./"+folder)
	if err != nil {
		return nil, "", err
	}
	p := dependencies[len(dependencies)-1]
	in, err := check(p, dependencies)
	if err != nil {
		return nil, "", err
	}
	replace := map[string]string{filepath.Join(p.Dir, "zz_mutants.go"): filepath.Join(work, "schema.go")}
	if err := os.WriteFile(filepath.Join(work, "schema.go"), []byte(strings.Replace(schema, "@package@", p.Name, 1)), 0o600); err != nil {
		return nil, "", err
	}
	next := 1
	for _, s := range in {
		if !slices.Contains(files, s.name) {
			continue
		}
		s.next = &next
		changed := filepath.Join(work, filepath.Base(s.name))
		replace[filepath.Join(p.Dir, filepath.Base(s.name))] = changed
		if err := os.WriteFile(changed, []byte(s.instrument()), 0o600); err != nil {
			return nil, "", err
		}
		mutants = append(mutants, s.mutants...)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, "", err
	}
	overlay = filepath.Join(work, "overlay.json")
	return mutants, overlay, os.WriteFile(overlay, text, 0o600)
}

// check parses a package and computes its types.
func check(p listed, dependencies []listed) ([]*instrumenter, error) {
	set, info := token.NewFileSet(), &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}}
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	var sources []*instrumenter
	var parsed []*ast.File
	for _, name := range p.GoFiles {
		path := filepath.Join(p.Dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, file)
		sources = append(sources, &instrumenter{source: source{relative, string(text), set, file}, info: info})
	}
	config := types.Config{Importer: importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) {
		i := slices.IndexFunc(dependencies, func(d listed) bool { return d.ImportPath == path })
		if i < 0 {
			return nil, fmt.Errorf("go list doesn't know %s", path)
		}
		return os.Open(dependencies[i].Export)
	})}
	pkg, err := config.Check(p.ImportPath, set, parsed, info)
	for _, s := range sources {
		s.pkg = pkg
	}
	return sources, err
}

// run runs the tests with one mutant, or with none if number is 0.
func (s *suite) run(ctx context.Context, number int, reached string) (passed bool, output []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.binary, s.args...)
	cmd.Dir = s.folder
	cmd.Env = append(os.Environ(), "MUTANT="+strconv.Itoa(number), "MUTANTS_REACHED="+reached)
	output, err = cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return false, output, nil
	}
	return err == nil, output, err
}

// baseline runs the tests of the original, and notes which mutants they reach.
func (s *suite) baseline(ctx context.Context, work string) error {
	file := filepath.Join(work, "reached")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	start := time.Now()
	passed, output, err := s.run(ctx, 0, file)
	if err != nil {
		return fmt.Errorf("running the tests of %s: %w", s.folder, err)
	}
	if !passed {
		return fmt.Errorf("the tests of %s must pass before anything is changed:\n%s", s.folder, output)
	}
	s.limit = max(10*time.Second, 5*time.Since(start))
	text, err := os.ReadFile(file)
	for line := range strings.FieldsSeq(string(text)) {
		number, _ := strconv.Atoi(line) // schema.go.in writes numbers
		s.reached[number] = true
	}
	return err
}

// judge runs the tests that reach a mutant, one suite after the other, until one fails.
func judge(ctx context.Context, m mutant, suites []*suite) (verdict, error) {
	v := verdict{m, notReached}
	for _, s := range suites {
		if !s.reached[m.number] {
			continue
		}
		passed, _, err := s.run(ctx, m.number, "")
		if err != nil || !passed {
			return verdict{m, killed}, err
		}
		v.status = survived
	}
	return v, nil
}

// judgeAll tests mutants, several at a time.
func judgeAll(ctx context.Context, mutants []mutant, suites []*suite, workers int) ([]verdict, error) {
	verdicts, errs := make([]verdict, len(mutants)), make([]error, len(mutants))
	turns := make(chan struct{}, workers)
	var group sync.WaitGroup
	for i, m := range mutants {
		turns <- struct{}{}
		group.Go(func() {
			defer func() { <-turns }()
			verdicts[i], errs[i] = judge(ctx, m, suites)
		})
	}
	group.Wait()
	return verdicts, errors.Join(append(errs, ctx.Err())...)
}
