// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// result is what a scenario found. Every figure is the smaller the better.
type result struct {
	Scenario string             `json:"scenario"`
	N        int                `json:"n"`
	Rounds   int                `json:"rounds"`
	Figures  map[string]float64 `json:"figures"`

	// samples are the values of all rounds.
	samples map[string][]float64
}

func (r *result) key() string { return fmt.Sprintf("%s/%d", r.Scenario, r.N) }

// add notes a value of one round.
func (r *result) add(name string, value float64) {
	if r.samples == nil {
		r.samples = map[string][]float64{}
	}
	r.samples[name] = append(r.samples[name], value)
}

// pair notes one round of a pair. CPU time comes first: on a machine that others use, it is the steadier of the two.
func (r *result) pair(ours, rival usage, rivalName string) {
	per := 1000 / float64(max(r.N, 1))
	r.add("cpu/"+rivalName, ours.total()/max(rival.total(), 1.0/ticksPerSecond))
	r.add("wall/"+rivalName, ours.wall.Seconds()/rival.wall.Seconds())
	for who, u := range map[string]usage{"ours beside " + rivalName: ours, rivalName: rival} {
		r.add("s "+who, u.wall.Seconds())
		for process, seconds := range u.cpu {
			r.add("cpu-s/1000 "+who+" "+process, seconds*per)
		}
	}
}

// settle makes figures of the medians.
func (r *result) settle() {
	r.Figures = map[string]float64{}
	for name, values := range r.samples {
		r.Figures[name] = rounded(median(values))
		r.Rounds = max(r.Rounds, len(values))
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func rounded(f float64) float64 {
	const digits = 1000
	return math.Round(f*digits) / digits
}

func (r *result) table(b baseline) string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s, N = %d, median of %d\n", r.Scenario, r.N, r.Rounds)
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  figure\tmedian\tfrom\tto\taccepted\t")
	for _, name := range slices.Sorted(maps.Keys(r.Figures)) {
		accepted := ""
		if limit, ok := b[r.key()][name]; ok {
			accepted = fmt.Sprintf("%.3g", limit)
		}
		fmt.Fprintf(w, "  %s\t%.4g\t%.4g\t%.4g\t%s\t\n",
			name, r.Figures[name], slices.Min(r.samples[name]), slices.Max(r.samples[name]), accepted)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return out.String()
}

// baseline are the accepted figures, by scenario and size. Ratios and counts only: seconds are the machine's.
type baseline map[string]map[string]float64

// slack is how much worse than accepted a ratio may be before it counts. Medians of five still differ by that much from run to run;
// counts must not be worse at all.
const slack = 0.25

func readBaseline(path string) (baseline, error) {
	b := baseline{}
	if path == "" {
		return b, nil
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	return b, json.Unmarshal(content, &b)
}

func (b baseline) write(path string) error {
	content, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}

// accept takes the figures that mean the same on every machine.
func (b baseline) accept(r *result) {
	figures := map[string]float64{}
	for name, value := range r.Figures {
		if isRatio(name) && r.steady(name) || isCount(name) {
			figures[name] = value
		}
	}
	b[r.key()] = figures
}

// steady says whether a ratio of CPU time can be compared at all. The kernel counts in hundredths of a second: of a few of them the
// ratio is chance.
func (r *result) steady(name string) bool {
	const least = 0.3 // seconds
	rival, isCPU := strings.CutPrefix(name, "cpu/")
	if !isCPU {
		return true
	}
	used := 0.0
	for process := range r.Figures {
		if strings.HasPrefix(process, "cpu-s/1000 "+rival+" ") {
			used += r.Figures[process] * float64(max(r.N, 1)) / 1000
		}
	}
	return used >= least
}

// isRatio says whether a figure is held against what was accepted, with some slack. Wall time isn't: of two runs on a machine
// that others use, it may be twice the other's.
func isRatio(name string) bool {
	prefixes := []string{"cpu/", "RSS/", "KB of heap", "MB allocated"}
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

func isCount(name string) bool { return strings.HasPrefix(name, "count ") }

// worse says in words what is worse than accepted.
func (b baseline) worse(r *result) []string {
	var out []string
	for name, accepted := range b[r.key()] {
		value, measured := r.Figures[name]
		limit := accepted
		if isRatio(name) {
			limit *= 1 + slack
		}
		switch {
		case !measured:
			out = append(out, fmt.Sprintf("%s: %q was not measured", r.key(), name))
		case value > limit:
			out = append(out, fmt.Sprintf("%s: %s is %.3g, accepted %.3g", r.key(), name, value, accepted))
		}
	}
	slices.Sort(out)
	return out
}
