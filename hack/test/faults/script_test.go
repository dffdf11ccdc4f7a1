// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// script is a life as the choices that make it. It leaves out each choice of the first option, at which nothing happens, so that it is
// short and goes on to mean the same when lives get new events.
type script struct {
	// Why says which fault the life finds.
	Why   string      `json:"why,omitempty"`
	Begin []*choice   `json:"begin,omitempty"`
	Steps [][]*choice `json:"steps"`
}

// choice is an option that was chosen, and the choices that it asked for.
type choice struct {
	Choice  string    `json:"choice"`
	Option  string    `json:"option"`
	Details []*choice `json:"details,omitempty"`
}

// chooser makes the choices of a life.
type chooser interface {
	// again reports whether another step follows, and begins it.
	again() bool
	// choose returns one of the options.
	choose(choice string, options []string) string
}

// drawn makes random choices.
type drawn struct {
	rt    *rapid.T
	steps int
}

func newDrawn(rt *rapid.T) *drawn { return &drawn{rt, rapid.IntRange(2, 6).Draw(rt, "steps")} }

func (d *drawn) again() bool {
	d.steps--
	return d.steps >= 0
}

func (d *drawn) choose(choice string, options []string) string {
	return rapid.SampledFrom(options).Draw(d.rt, choice)
}

// played makes the choices of a script.
type played struct {
	script

	// step and details are the choices of the current step, and those of its last choice.
	step, details []*choice
	steps         int

	// unknown has what the script chose and wasn't offered.
	unknown []string
}

func (p *played) again() bool {
	if p.steps == len(p.Steps) {
		return false
	}
	p.step, p.details = p.Steps[p.steps], nil
	p.steps++
	return true
}

func (p *played) choose(name string, options []string) string {
	if p.steps == 0 {
		p.step = p.Begin
	}
	is := func(c *choice) bool { return c.Choice == name }
	var chosen *choice
	if i := slices.IndexFunc(p.details, is); i >= 0 {
		chosen, p.details = p.details[i], p.details[i+1:]
	} else if i := slices.IndexFunc(p.step, is); i >= 0 {
		chosen, p.details = p.step[i], p.step[i].Details
	}
	switch {
	case chosen == nil:
	case slices.Contains(options, chosen.Option):
		return chosen.Option
	default:
		p.unknown = append(p.unknown, fmt.Sprintf("%s: %s", name, chosen.Option))
	}
	return options[0]
}

// without returns the scripts that lack a step or a choice of a script, the shorter ones first.
func (s script) without() []script {
	var out []script
	for i := range s.Steps {
		shorter := s
		shorter.Steps = slices.Delete(slices.Clone(s.Steps), i, i+1)
		out = append(out, shorter)
	}
	for i, step := range s.Steps {
		for j := range step {
			shorter := s
			shorter.Steps = slices.Clone(s.Steps)
			shorter.Steps[i] = slices.Delete(slices.Clone(step), j, j+1)
			out = append(out, shorter)
		}
	}
	for i := range s.Begin {
		shorter := s
		shorter.Begin = slices.Delete(slices.Clone(s.Begin), i, i+1)
		out = append(out, shorter)
	}
	return out
}

// read reads a script.
func read(t *testing.T, path string) script {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s script
	if err := yaml.UnmarshalStrict(content, &s); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return s
}

// keep writes a script for TestKeptLives.
func (s script) keep(t *testing.T, name string) {
	t.Helper()
	content, err := yaml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(scripts, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(scripts, name+".yaml")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("the life is in %s; -run TestKeptLives/%s -shrink makes it shorter", path, name)
}
