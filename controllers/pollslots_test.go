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

// slotStep is one of the things that happen to the slots of a source, two of which are there, and what comes of it.
type slotStep struct {
	source  string // "a" by default
	acquire waiter // asks for a slot
	granted bool
	release bool     // ends a poll
	next    []string // the queries that are told to ask again
}

func TestTurns(t *testing.T) {
	// query is one that is due so many minutes after noon, and named by them.
	query := func(minute int) waiter {
		return waiter{name: fmt.Sprint(minute), due: catalogtest.Noon.Add(time.Duration(minute) * time.Minute)}
	}
	// neverTried is one that goes before those, although it became due after them.
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
		"who waits is told, in order": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)}, {acquire: query(4)},
			{release: true, next: []string{"3"}}, {release: true, next: []string{"4"}},
		},
		"a source tells its own only": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)},
			{source: "b", acquire: query(1), granted: true}, {source: "b", acquire: query(2), granted: true},
			{source: "b", acquire: query(3)}, {source: "b", release: true, next: []string{"3"}},
		},
		"nobody waits": {
			{acquire: query(1), granted: true}, {release: true}, {acquire: query(2), granted: true},
		},
		"a query never tried is told first": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)},
			{acquire: neverTried("N")}, {release: true, next: []string{"N"}}, {release: true, next: []string{"3"}},
		},
		"those never tried, in order": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: neverTried("N")},
			{acquire: neverTried("M")}, {release: true, next: []string{"N"}}, {release: true, next: []string{"M"}},
		},
		"whoever is longest overdue is told first": {
			{acquire: query(7), granted: true}, {acquire: query(8), granted: true}, {acquire: query(5)}, {acquire: query(3)},
			{acquire: query(4)}, {release: true, next: []string{"3"}}, {acquire: query(3), granted: true},
			{release: true, next: []string{"4"}}, {acquire: query(4), granted: true}, {release: true, next: []string{"5"}},
		},
		"who was told late keeps its place": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)}, {acquire: query(4)},
			{acquire: query(5)}, {release: true, next: []string{"3"}}, {acquire: query(9), granted: true},
			{acquire: query(3)}, {release: true, next: []string{"3"}},
		},
		"who asks twice waits once": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)}, {acquire: query(3)},
			{release: true, next: []string{"3"}}, {release: true},
		},
		"who was told and takes it, waits no more": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)},
			{release: true, next: []string{"3"}}, {acquire: query(3), granted: true}, {release: true}, {release: true},
		},
		"who comes at the right time, too": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)}, {acquire: query(4)},
			{release: true, next: []string{"3"}}, {acquire: query(4), granted: true}, {release: true},
		},
		"a turn that was not taken is told again": {
			{acquire: query(1), granted: true}, {acquire: query(2), granted: true}, {acquire: query(3)}, {acquire: query(4)},
			{acquire: query(5)}, {release: true, next: []string{"3"}}, {release: true, next: []string{"4", "5"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var slots pollSlots
			for i, step := range steps {
				source := cmp.Or(step.source, "a")
				if step.release {
					if got := slots.release(source, 2); !slices.Equal(got, step.next) {
						t.Errorf("step %d: %q are told, want %q", i+1, got, step.next)
					}
				} else if got := slots.acquire(source, step.acquire, 2); got != step.granted {
					t.Errorf("step %d: query %s has a slot: %t, want %t", i+1, step.acquire.name, got, step.granted)
				}
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
