// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// scripts has the lives that found a fault.
const scripts = "testdata/lives"

// script is a life as the choices that make it. It leaves out choices of a first option, mostly that nothing happens, so that it is
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

// random chooses by chance.
type random struct {
	rt    *rapid.T
	steps int
}

func newRandom(rt *rapid.T) *random { return &random{rt, rapid.IntRange(2, 6).Draw(rt, "steps")} }

func (r *random) again() bool {
	r.steps--
	return r.steps >= 0
}

func (r *random) choose(choice string, options []string) string {
	return rapid.SampledFrom(options).Draw(r.rt, choice)
}

// replay chooses as a script does. What was recorded then says whether the script meant anything else.
type replay struct {
	script

	// step and details are the choices of the current step, and those of its last choice.
	step, details []*choice
	steps         int
}

func newReplay(s script) *replay { return &replay{script: s, step: s.Begin} }

func (r *replay) again() bool {
	if r.steps == len(r.Steps) {
		return false
	}
	r.step, r.details = r.Steps[r.steps], nil
	r.steps++
	return true
}

func (r *replay) choose(name string, options []string) string {
	is := func(c *choice) bool { return c.Choice == name }
	var chosen *choice
	if i := slices.IndexFunc(r.details, is); i >= 0 {
		chosen, r.details = r.details[i], r.details[i+1:]
	} else if i := slices.IndexFunc(r.step, is); i >= 0 {
		chosen, r.details = r.step[i], r.step[i].Details
	}
	if chosen == nil || !slices.Contains(options, chosen.Option) {
		return options[0]
	}
	return chosen.Option
}

// without returns the scripts that lack a step, a choice or a detail of a script, those without a step first.
func (s script) without() []script {
	var out []script
	remove := func(edit func(*script)) {
		shorter := s.clone()
		edit(&shorter)
		out = append(out, shorter)
	}
	for i := range s.Steps {
		remove(func(s *script) { s.Steps = slices.Delete(s.Steps, i, i+1) })
	}
	for i, step := range s.Steps {
		for j, c := range step {
			remove(func(s *script) { s.Steps[i] = slices.Delete(s.Steps[i], j, j+1) })
			for k := range c.Details {
				remove(func(s *script) { s.Steps[i][j].Details = slices.Delete(s.Steps[i][j].Details, k, k+1) })
			}
		}
	}
	for i := range s.Begin {
		remove(func(s *script) { s.Begin = slices.Delete(s.Begin, i, i+1) })
	}
	return out
}

func (s script) clone() script {
	s.Begin, s.Steps = clone(s.Begin), slices.Clone(s.Steps)
	for i, step := range s.Steps {
		s.Steps[i] = clone(step)
	}
	return s
}

func clone(choices []*choice) []*choice {
	out := make([]*choice, len(choices))
	for i, c := range choices {
		out[i] = &choice{c.Choice, c.Option, clone(c.Details)}
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

// save writes a script for TestKeptLives.
func (s script) save(t *testing.T, name string) {
	t.Helper()
	content, err := yaml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(scripts, name+".yaml")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("the life is in %s; TestKeptLives with -shrink makes it shorter", path)
}

func TestAReplayMakesTheChoicesOfItsScript(t *testing.T) {
	one := func(name, option string, details ...*choice) *choice { return &choice{name, option, details} }
	s := script{
		Begin: []*choice{one("policy", "None")},
		Steps: [][]*choice{
			{one("cloud", "loses", one("id", "b"), one("id", "c")), one("process", "dies")},
			{one("cloud", "stays", one("id", "a"))},
		},
	}
	r := newReplay(s)
	ids := []string{"a", "b", "c"}
	got := []string{r.choose("policy", []string{"All", "None"})}
	for r.again() {
		got = append(got,
			r.choose("cloud", []string{"grows", "loses", "stays"}), r.choose("id", ids), r.choose("id", ids), r.choose("id", ids),
			r.choose("process", []string{"lives", "sleeps"}), r.choose("listings", []string{"come", "fail"}),
		)
	}
	want := []string{"None", "loses", "b", "c", "a", "lives", "come", "stays", "a", "a", "a", "lives", "come"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	before := s.clone()
	if shorter := s.without(); len(shorter) != 9 || len(shorter[0].Steps) != 1 || len(shorter[3].Steps[0][0].Details) != 1 || len(shorter[8].Begin) != 0 {
		t.Errorf("shorter are %+v", shorter)
	}
	if diff := cmp.Diff(before, s, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the script itself changed: %s", diff)
	}
}
