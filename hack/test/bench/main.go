// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the operator from outside: the built manager against a real control plane and the simulated cloud, each
// scenario beside its floor or its rival in the same run. What it measures, how, and what it found: docs/scaling.md.
//
//	go run ./bench -only sync -sizes 408
//
// Figures in seconds belong to the machine and to the minute. What may be compared are ratios and counts.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// config is what the flags say.
type config struct {
	rounds   int
	sizes    []int
	only     []string
	baseline string
	check    bool
	accept   bool
}

// scenario measures one thing, at one size.
type scenario struct {
	name string
	run  func(*bench, int) *result
	// sizes are the numbers of images (or queries) of a whole run, quick those of a check of a few minutes.
	sizes, quick []int
}

var scenarios = []scenario{
	{name: "sync", run: firstSync, sizes: []int{408, 1000, 10000}, quick: []int{1000}},
	{name: "kubectl", run: kubectlApply, sizes: []int{408, 1000}, quick: []int{408}},
	{name: "unchanged", run: unchangedPoll, sizes: []int{1000, 10000}, quick: []int{1000}},
	{name: "changed", run: changedPoll, sizes: []int{1000, 10000}, quick: []int{1000}},
	{name: "queries", run: manyQueries, sizes: []int{1000}, quick: []int{200}},
	{name: "shared", run: sharedObjects, sizes: []int{2, 10, 40}, quick: []int{4}},
	{name: "fairness", run: fairness, sizes: []int{10000}, quick: []int{2000}},
	{name: "throttled", run: throttled, sizes: []int{20}, quick: []int{20}},
	{name: "hostile", run: hostile, sizes: []int{250}, quick: []int{50}},
	{name: "restart", run: restart, sizes: []int{10000, 50000}, quick: []int{1000}},
	{name: "fleet", run: manyClusters, sizes: []int{10, 100, 1000}, quick: []int{10}},
	{name: "publish", run: publishing, sizes: []int{500}, quick: []int{100}},
	{name: "memory", run: memory, sizes: []int{0, 1000, 10000, 50000}, quick: []int{0, 1000}},
}

func main() {
	c, err := parse(os.Args[1:])
	if err == nil {
		err = run(c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (config, error) {
	var c config
	var sizes, only string
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	f.IntVar(&c.rounds, "rounds", 5, "how often each pair is measured; what is reported is the median")
	f.StringVar(&only, "only", "", "scenarios to run, separated by commas; empty for all")
	f.StringVar(&sizes, "sizes", "", "numbers of images to run them with, separated by commas; empty for those of each scenario")
	f.StringVar(&c.baseline, "baseline", "", "file with the accepted figures to compare with")
	f.BoolVar(&c.check, "check", false, "run the small sizes only, and fail when a figure is worse than the baseline")
	f.BoolVar(&c.accept, "accept", false, "write the figures into the baseline")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	for word := range strings.FieldsFuncSeq(sizes, isComma) {
		n, err := strconv.Atoi(word)
		if err != nil {
			return c, fmt.Errorf("-sizes: %w", err)
		}
		c.sizes = append(c.sizes, n)
	}
	for word := range strings.FieldsFuncSeq(only, isComma) {
		if !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.name == word }) {
			return c, fmt.Errorf("-only: there is no scenario %q", word)
		}
		c.only = append(c.only, word)
	}
	if (c.check || c.accept) && c.baseline == "" {
		return c, fmt.Errorf("-check and -accept need -baseline")
	}
	return c, nil
}

func isComma(r rune) bool { return r == ',' }

// run runs the scenarios one after the other, each against a control plane of its own: what one leaves in etcd would slow the next.
func run(c config) error {
	base, err := readBaseline(c.baseline)
	if err != nil {
		return err
	}
	var worse []string
	for _, s := range scenarios {
		if len(c.only) > 0 && !slices.Contains(c.only, s.name) {
			continue
		}
		for _, n := range c.sizesOf(s) {
			r, err := measure(c, s, n)
			if err != nil {
				return err
			}
			line, err := json.Marshal(r)
			if err != nil {
				return err
			}
			fmt.Printf("%s\n%s\n", r.table(base), line)
			worse = append(worse, base.worse(r)...)
			if c.accept {
				base.accept(r)
			}
		}
	}
	switch {
	case c.accept:
		return base.write(c.baseline)
	case c.check && len(worse) > 0:
		return fmt.Errorf("worse than %s says:\n  %s", c.baseline, strings.Join(worse, "\n  "))
	}
	return nil
}

func (c config) sizesOf(s scenario) []int {
	switch {
	case len(c.sizes) > 0:
		return c.sizes
	case c.check:
		return s.quick
	}
	return s.sizes
}
