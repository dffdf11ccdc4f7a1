// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
)

// slotStep is a call on a source with two slots, with its expected result.
type slotStep struct {
	source  string // "a" by default
	acquire waiter // call acquire for this query
	granted bool
	listed  bool     // call listed
	polled  bool     // call polled
	release bool     // call both, as a poll that writes nothing does
	next    []string // expected result of listed and polled
}

func TestPollSlots(t *testing.T) {
	// query returns a query that is due a number of minutes after noon. The number is its name.
	query := func(minute int) waiter {
		return waiter{name: fmt.Sprint(minute), due: catalogtest.Noon.Add(time.Duration(minute) * time.Minute)}
	}
	// neverTried returns a query that takes precedence over those, although it became due later.
	neverTried := func(name string) waiter { return waiter{name: name, first: true, due: catalogtest.Noon.Add(time.Hour)} }
	for name, steps := range map[string][]slotStep{
		"as many as are allowed": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)},
		},
		"another source doesn't wait": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)},
			{source: "b", acquire: query(4), granted: true}, {source: "b", acquire: query(5), granted: true},
			{source: "b", acquire: query(6)},
		},
		"waiting queries are requeued in order": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)}, {acquire: query(4)},
			{release: true, next: []string{"3"}}, {release: true, next: []string{"4"}},
		},
		"a source requeues only its own": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)},
			{source: "b", acquire: query(1), granted: true}, {source: "b", acquire: query(2), granted: true},
			{source: "b", acquire: query(3)}, {source: "b", release: true, next: []string{"3"}},
		},
		"no query waits": {
			{acquire: query(1), granted: true}, {release: true}, {acquire: query(2), granted: true},
		},
		"a query that was never tried is requeued first": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)},
			{acquire: neverTried("N")}, {release: true, next: []string{"N"}}, {release: true, next: []string{"3"}},
		},
		"several that were never tried, in order": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: neverTried("N")},
			{acquire: neverTried("M")}, {release: true, next: []string{"N"}}, {release: true, next: []string{"M"}},
		},
		"the longest overdue query is requeued first": {
			{acquire: query(7), granted: true}, {acquire: query(8), granted: true}, {acquire: query(5)}, {acquire: query(3)},
			{acquire: query(4)}, {release: true, next: []string{"3"}}, {acquire: query(3), granted: true},
			{release: true, next: []string{"4"}}, {acquire: query(4), granted: true}, {release: true, next: []string{"5"}},
		},
		"a query that comes too late keeps its place": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)}, {acquire: query(4)},
			{acquire: query(5)}, {release: true, next: []string{"3"}}, {acquire: query(9), granted: true},
			{acquire: query(3)}, {release: true, next: []string{"3"}},
		},
		"a query that asks twice waits once": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)}, {acquire: query(3)},
			{release: true, next: []string{"3"}}, {release: true},
		},
		"a query with a slot no longer waits": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)},
			{release: true, next: []string{"3"}}, {acquire: query(3), granted: true}, {release: true}, {release: true},
		},
		"nor does one that wasn't requeued": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)}, {acquire: query(4)},
			{release: true, next: []string{"3"}}, {acquire: query(4), granted: true}, {release: true},
		},
		"a slot that wasn't taken is offered again": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)}, {acquire: query(4)},
			{acquire: query(5)}, {release: true, next: []string{"3"}}, {release: true, next: []string{"4", "5"}},
		},
		"a poll that writes has no slot": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)},
			{listed: true, next: []string{"3"}}, {acquire: query(3), granted: true}, {acquire: query(4)}, {polled: true},
			{listed: true, next: []string{"4"}},
		},
		"eight polls of two slots at the most": {
			{acquire: query(1), granted: true}, {listed: true}, {acquire: query(2), granted: true}, {listed: true},
			{acquire: query(3), granted: true}, {listed: true}, {acquire: query(4), granted: true}, {listed: true},
			{acquire: query(5), granted: true}, {listed: true}, {acquire: query(6), granted: true}, {listed: true},
			{acquire: query(7), granted: true}, {listed: true}, {acquire: query(8), granted: true}, {listed: true},
			{acquire: query(9)}, {acquire: query(10)}, {source: "b", acquire: query(9), granted: true},
			{polled: true, next: []string{"9"}}, {acquire: query(9), granted: true}, {listed: true},
			{polled: true, next: []string{"10"}}, {polled: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var slots pollSlots
			for i, step := range steps {
				source := cmp.Or(step.source, "a")
				var got []string
				if step.listed || step.release {
					got = slots.listed(source, 2)
				}
				if step.polled || step.release {
					got = append(got, slots.polled(source, 2)...)
				}
				if step.acquire.name == "" {
					if !slices.Equal(got, step.next) {
						t.Errorf("step %d: %q are requeued, want %q", i+1, got, step.next)
					}
				} else if got := slots.acquire(source, step.acquire, 2); got != step.granted {
					t.Errorf("step %d: query %s has a slot: %t, want %t", i+1, step.acquire.name, got, step.granted)
				}
			}
		})
	}
}

// When the process is shutting down, listed must not block on a channel without a receiver.
func TestAPollEndsWithTheProcess(t *testing.T) {
	r := &Reconciler{Concurrent: 1, requeue: make(chan event.GenericEvent)}
	r.slots.acquire("a", waiter{name: "1"}, 1)
	r.slots.acquire("a", waiter{name: "2"}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		r.listed(ctx, "a")
		close(ended)
	}()
	cancel()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("listed blocks")
	}
}
