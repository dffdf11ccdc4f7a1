// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"text/tabwriter"

	"sigs.k8s.io/yaml"
)

// survivor is a mutant that no test can kill.
type survivor struct {
	key
	// Why no test can tell it from the original.
	Why string `json:"why"`
}

func readSurvivors(file string) (map[key]bool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []survivor
	if err := yaml.UnmarshalStrict(text, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	survivors := map[key]bool{}
	for _, s := range list {
		if s.Why == "" || survivors[s.key] {
			return nil, fmt.Errorf("%s: %+v has no reason, or is there twice", file, s.key)
		}
		survivors[s.key] = true
	}
	return survivors, nil
}

// compare returns an error for each survivor that isn't expected, and for each expected one of these files that isn't there.
func compare(verdicts []verdict, expected map[key]bool, files map[string][]string) error {
	var errs []error
	stale := maps.Clone(expected)
	for _, v := range verdicts {
		if v.status == killed {
			continue
		}
		delete(stale, v.key)
		if !expected[v.key] {
			text, err := yaml.Marshal([]survivor{{key: v.key}})
			errs = append(errs, fmt.Errorf("%s:%d: %s: %s: add the missing assertion, delete code that decides nothing, or, if no test can "+
				"tell it from the original, say why in %s:\n%s", v.File, v.line, v.Mutator, v.status, survivorsFile, text), err)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(stale), key.compare) {
		if slices.Contains(files[path.Dir(k.File)], k.File) {
			errs = append(errs, fmt.Errorf("%s: %+v is killed, or its line isn't there any more: take it out", survivorsFile, k))
		}
	}
	return errors.Join(errs...)
}

// score counts mutants by status.
type score map[string]int

func (s score) total() int { return s[killed] + s[survived] + s[notReached] }

func (s score) percent() float64 { return 100 * float64(s[killed]) / float64(max(s.total(), 1)) }

// scoresOf returns the scores of packages, and of all.
func scoresOf(verdicts []verdict) map[string]score {
	scores := map[string]score{}
	for _, v := range verdicts {
		for _, name := range []string{path.Dir(v.File), "all"} {
			if scores[name] == nil {
				scores[name] = score{}
			}
			scores[name][v.status]++
		}
	}
	return scores
}

func printScores(out io.Writer, verdicts []verdict) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "mutants\tkilled\tsurvived\tnot reached\tscore\t  package\t")
	scores := scoresOf(verdicts)
	for _, name := range slices.Sorted(maps.Keys(scores)) {
		s := scores[name]
		fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%.1f %%\t  %s\t\n", s.total(), s[killed], s[survived], s[notReached], s.percent(), name)
	}
	_ = table.Flush()
}

// enough returns an error for each package whose tests kill less than leastKilled.
func enough(verdicts []verdict) error {
	var errs []error
	for name, s := range scoresOf(verdicts) {
		if s.percent() < leastKilled {
			errs = append(errs, fmt.Errorf("%s: the tests kill %.1f %% of %d mutants, less than %d %%", name, s.percent(), s.total(), leastKilled))
		}
	}
	return errors.Join(errs...)
}
