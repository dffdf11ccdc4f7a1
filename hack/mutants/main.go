// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Mutants changes one thing at a time in the code that decides, and runs the fast tests of the package, which must fail. A mutant
// that survives needs an entry in survivors.yaml that says why no test can tell it from the original. All mutants of a package are
// compiled at once, inactive, and each run of the tests activates one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path"
	"regexp"
	"slices"
	"time"
)

// part is what is mutated of a package: its pure files, and which packages have fast tests of them.
type part struct {
	files *regexp.Regexp
	tests []string
}

// scope lists the parts by folder. What is tested on a real API server only, such as controllers/status.go, is no part: its fast
// tests kill half of its mutants.
var scope = map[string]part{
	"controllers/selection":  {regexp.MustCompile(`.`), []string{"controllers/selection", "controllers"}},
	"controllers/cloudimage": {regexp.MustCompile(`.`), []string{"controllers/cloudimage", "controllers/cloudimage/cache", "controllers"}},
	"controllers/catalog":    {regexp.MustCompile(`.`), []string{"controllers/catalog", "controllers/catalog/cvm"}},
	"controllers/catalog/cvm": {
		regexp.MustCompile(`^(answer|convert|endpoint|errors|errors_keys|listing|request)\.go$`), []string{"controllers/catalog/cvm"},
	},
	"controllers/polltime": {regexp.MustCompile(`.`), []string{"controllers/polltime"}},
	"controllers":          {regexp.MustCompile(`^schedule\.go$`), []string{"controllers"}},
}

// leastKilled is the share of mutants that the tests of each package must kill, in percent.
const leastKilled = 95

const survivorsFile = "hack/mutants/survivors.yaml"

func main() {
	since := flag.String("since", "", "only the files that differ from this commit")
	only := flag.String("only", "", "only the files whose path matches this regular expression")
	workers := flag.Int("workers", 2, "how many mutants are tested at a time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *since, *only, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, since, only string, workers int) error {
	files, err := filesOf(ctx, since, only)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		fmt.Println("mutants: none of the files that hack/mutants/main.go lists is to be changed")
		return nil
	}
	expected, err := readSurvivors(survivorsFile)
	if err != nil {
		return err
	}
	var verdicts []verdict
	for _, folder := range slices.Sorted(maps.Keys(files)) {
		start := time.Now()
		found, err := testPackage(ctx, folder, files[folder], workers)
		if err != nil {
			return err
		}
		fmt.Printf("mutants: %s: %d mutants in %d files, %.0f s\n", folder, len(found), len(files[folder]), time.Since(start).Seconds())
		verdicts = append(verdicts, found...)
	}
	printScores(os.Stdout, verdicts)
	if since != "" || only != "" {
		return compare(verdicts, expected, files) // of a few mutants, one is a large share
	}
	return errors.Join(compare(verdicts, expected, files), enough(verdicts))
}

func testPackage(ctx context.Context, folder string, files []string, workers int) ([]verdict, error) {
	work, err := os.MkdirTemp("", "mutants-"+path.Base(folder))
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	mutants, overlay, err := mutate(ctx, folder, files, work)
	if err != nil {
		return nil, err
	}
	var suites []*suite
	for _, tests := range scope[folder].tests {
		s, err := newSuite(ctx, tests, overlay, work)
		if err != nil {
			return nil, err
		}
		suites = append(suites, s)
	}
	return judgeAll(ctx, mutants, suites, workers)
}
