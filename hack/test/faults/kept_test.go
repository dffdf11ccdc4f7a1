// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"flag"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// scripts has the lives that found a fault.
const scripts = "testdata/lives"

var shrink = flag.Bool("shrink", false, "make the scripts of lives that fail shorter, instead of reporting them")

// Lives that found a fault once find it again.
func TestKeptLives(t *testing.T) {
	paths, err := filepath.Glob(scripts + "/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s has no scripts: %v", scripts, err)
	}
	if testing.Short() {
		paths = paths[:1]
	}
	w := beginLives(t)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			s := read(t, path)
			if *shrink {
				w.shrink(t, s).keep(t, name)
				return
			}
			p := &played{script: s}
			w.newLife(t, p).run()
			if len(p.unknown) > 0 {
				t.Errorf("it chooses what lives don't offer then: %s", strings.Join(p.unknown, ", "))
			}
		})
	}
}

// shrink returns a script as short as it gets while its life fails.
func (w *world) shrink(t *testing.T, s script) script {
	t.Helper()
	shorter, failed := w.try(t, s)
	if !failed {
		t.Fatal("the life doesn't fail, so nothing of it can be left out")
	}
	for i := 0; i < len(shorter.without()); {
		if made, failed := w.try(t, shorter.without()[i]); failed {
			shorter = made
		} else {
			i++
		}
	}
	return shorter
}

// try plays a script until its end or a failure, and returns what was played.
func (w *world) try(t *testing.T, s script) (made script, failed bool) {
	t.Helper()
	a := &attempt{T: t}
	done := make(chan struct{})
	var l *life
	go func() {
		defer close(done)
		l = w.newLife(a, &played{script: s})
		l.run()
	}()
	<-done
	if l == nil {
		return s, a.failed
	}
	l.made.Why = s.Why
	return l.made, a.failed
}

// attempt ends at a failure that is not the test's.
type attempt struct {
	*testing.T

	failed bool
}

func (a *attempt) Fatal(args ...any) {
	a.Helper()
	a.Log(args...)
	a.failed = true
	runtime.Goexit()
}

func (a *attempt) Fatalf(format string, args ...any) {
	a.Helper()
	a.Logf(format, args...)
	a.failed = true
	runtime.Goexit()
}

func (a *attempt) Failed() bool { return a.failed }
