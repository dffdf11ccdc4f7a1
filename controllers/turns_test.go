// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
)

// A script of turns: "a1?" asks for a turn of query 1, due at one minute past noon, with source a; "a!" ends one of a's. Queries
// with a letter were never tried. Answers are yes, no, and who is told.
func TestTurns(t *testing.T) {
	for name, tc := range map[string]struct{ script, want string }{
		"as many as are allowed":                   {"a1? a2? a3?", "yes yes no"},
		"another source doesn't wait":              {"a1? a2? a3? b4? b5? b6?", "yes yes no yes yes no"},
		"who waits is told, in order":              {"a1? a2? a3? a4? a! a!", "yes yes no no 3 4"},
		"a source tells its own only":              {"a1? a2? a3? b1? b2? b3? b!", "yes yes no yes yes no 3"},
		"nobody waits":                             {"a1? a! a2?", "yes - yes"},
		"a query never tried is told first":        {"a1? a2? a3? aN? a! a!", "yes yes no no N 3"},
		"those never tried, in order":              {"a1? a2? aN? aM? a! a!", "yes yes no no N M"},
		"whoever is longest overdue is told first": {"a7? a8? a5? a3? a4? a! a3? a! a4? a!", "yes yes no no no 3 yes 4 yes 5"},
		"who was told late keeps its place":        {"a1? a2? a3? a4? a5? a! a9? a3? a!", "yes yes no no no 3 yes no 3"},
		"who asks twice waits once":                {"a1? a2? a3? a3? a! a!", "yes yes no no 3 -"},
		"who was told and takes it, waits no more": {"a1? a2? a3? a! a3? a! a!", "yes yes no 3 yes - -"},
		"who comes at the right time, too":         {"a1? a2? a3? a4? a! a4? a!", "yes yes no no 3 yes -"},
		"a turn that was not taken is told again":  {"a1? a2? a3? a4? a5? a! a!", "yes yes no no no 3 4,5"},
	} {
		t.Run(name, func(t *testing.T) {
			var turns pollSlots
			var got []string
			for word := range strings.FieldsSeq(tc.script) {
				source, who := word[:1], word[1:len(word)-1]
				if who == "" {
					got = append(got, told(turns.release(source, 2)))
					continue
				}
				q := waiter{name: who, first: who >= "A", due: catalogtest.Noon}
				if !q.first {
					q.due = catalogtest.Noon.Add(time.Duration(who[0]-'0') * time.Minute)
				}
				got = append(got, map[bool]string{true: "yes", false: "no"}[turns.acquire(source, q, 2)])
			}
			if got := strings.Join(got, " "); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// Who ends its turn while the process ends must not wait for a receiver that is gone.
func TestAPollEndsWithTheProcess(t *testing.T) {
	r := &Reconciler{Concurrent: 1, requeue: make(chan event.GenericEvent)}
	r.slots.acquire("a", waiter{name: "1"}, 1)
	r.slots.acquire("a", waiter{name: "2"}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		r.releaseSlot(ctx, "a")
		close(ended)
	}()
	cancel()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the turn has not ended")
	}
}

func told(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}
