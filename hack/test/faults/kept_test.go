// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var shrink = flag.Bool("shrink", false, "make the scripts of lives that fail shorter, instead of reporting them")

// Lives that found a fault once find it again.
func TestKeptLives(t *testing.T) {
	paths, err := filepath.Glob(scripts + "/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s has no scripts: %v", scripts, err)
	}
	w := beginLives(t)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			s := read(t, path)
			if *shrink {
				w.shrink(t, s, name)
				return
			}
			l := w.newLife(t, newReplay(s))
			l.run()
			l.recorded.Why = s.Why
			if diff := cmp.Diff(s, l.recorded, cmpopts.EquateEmpty()); diff != "" || s.Why == "" {
				t.Errorf("lives no longer offer what it chooses, or it doesn't say why: %s", diff)
			}
		})
	}
}

// shrink saves a script that is as short as it gets while its life fails for the same reason.
func (w *world) shrink(t *testing.T, s script, name string) {
	t.Helper()
	shorter, why := w.try(t, s)
	if why == "" {
		t.Fatal("the life doesn't fail, so nothing of it can be left out")
	}
	for i := 0; i < len(shorter.without()); i++ {
		recorded, reason := w.try(t, shorter.without()[i])
		if reason == why {
			shorter = recorded
			shorter.save(t, name) // the next tries take minutes
			i = -1
		}
	}
}

// try replays a script until its end or a failure, and returns what was recorded and the failure's first words.
func (w *world) try(t *testing.T, s script) (recorded script, failure string) {
	t.Helper()
	captured, done := &capturedT{T: t}, make(chan struct{})
	l := w.newLife(captured, newReplay(s))
	go func() {
		defer close(done)
		l.run()
	}()
	<-done
	l.recorded.Why = s.Why
	failure, _, _ = strings.Cut(captured.failure, ":")
	return l.recorded, failure
}

// capturedT keeps a failure, instead of failing the test, and ends its goroutine.
type capturedT struct {
	*testing.T

	failure string
}

func (c *capturedT) Fatal(args ...any) {
	c.Helper()
	c.Log(args...)
	c.failure = fmt.Sprint(args...)
	runtime.Goexit()
}

func (c *capturedT) Fatalf(format string, args ...any) {
	c.Helper()
	c.Fatal(fmt.Sprintf(format, args...))
}

func (c *capturedT) Failed() bool { return c.failure != "" }
