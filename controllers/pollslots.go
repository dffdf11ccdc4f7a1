// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"
	"sync"
	"time"
)

// releaseSlot frees the slot of a poll, and requeues the queries that may take one.
func (r *Reconciler) releaseSlot(ctx context.Context, source string) {
	for _, name := range r.slots.release(source, r.Concurrent) {
		r.enqueue(ctx, name)
	}
}

const (
	// sourcesAtOnce is for how many sources of credentials there are workers enough that none waits for another.
	sourcesAtOnce = 8

	// slotRetry is when a query that waits for a slot tries again by itself. It is requeued earlier, unless those that were
	// requeued instead turned out to have nothing to do.
	slotRetry = 30 * time.Second
)

// pollSlots bounds how many queries of one source of credentials are polled at once. A poll waits for the cloud most of its
// time, and while the cloud throttles a key, or a long listing uses up its budget, all queries of that key wait. Queries
// without a slot wait without a worker, so that queries of other keys find one.
type pollSlots struct {
	mu      sync.Mutex
	polling map[string]int
	waiting map[string][]waiter
}

// waiter is a query that waits for a slot.
type waiter struct {
	name string

	// first says that this generation of the query was never tried: somebody waits for it.
	first bool

	// due is since when the query is due.
	due time.Time
}

// compare orders waiters: first tries before all others, and then who is overdue for the longest time. What fails for ever
// is tried for ever, so nobody may go before others more than once for that.
func (w waiter) compare(other waiter) int {
	switch {
	case w.first && !other.first:
		return -1
	case other.first && !w.first:
		return 1
	}
	return w.due.Compare(other.due)
}

// acquire takes a slot for a query, or queues the query for one.
func (t *pollSlots) acquire(source string, query waiter, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.polling == nil {
		t.polling, t.waiting = map[string]int{}, map[string][]waiter{}
	}
	t.removeWaiter(source, query.name)
	if t.polling[source] < most {
		t.polling[source]++
		return true
	}
	t.waiting[source] = append(t.waiting[source], query)
	return false
}

// release frees a slot, and returns the names of the queries that may take one now.
func (t *pollSlots) release(source string, most int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.polling[source]--; t.polling[source] == 0 {
		delete(t.polling, source)
	}
	var next []string
	for range most - t.polling[source] {
		if len(t.waiting[source]) == 0 {
			break
		}
		name := slices.MinFunc(t.waiting[source], waiter.compare).name
		next = append(next, name)
		t.removeWaiter(source, name)
	}
	return next
}

func (t *pollSlots) removeWaiter(source, name string) {
	line := slices.DeleteFunc(t.waiting[source], func(w waiter) bool { return w.name == name })
	if t.waiting[source] = line; len(line) == 0 {
		delete(t.waiting, source)
	}
}
