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
	// sourcesAtOnce is the number of credential sources that the workers can serve without one waiting for another.
	sourcesAtOnce = 8

	// slotRetry is when a query without a slot tries again. It is requeued earlier when a slot becomes free, unless the
	// queries requeued for that slot have nothing to do.
	slotRetry = 30 * time.Second
)

// pollSlots bounds the concurrent polls per credential source. A poll mostly waits for the cloud, and while a key is
// throttled or a long listing uses up its rate limit, all queries of that key wait. Queries without a slot occupy no
// worker, so queries of other keys can proceed.
type pollSlots struct {
	mu      sync.Mutex
	polling map[string]int
	waiting map[string][]waiter
}

// waiter is a query that waits for a slot.
type waiter struct {
	name string

	// first is set if this generation was never polled, so a user is probably waiting for it.
	first bool

	// due is when the query became due.
	due time.Time
}

// compare orders first polls before all others, and then by how long they are overdue. A first poll is preferred only once,
// because a query that always fails is retried forever.
func (w waiter) compare(other waiter) int {
	switch {
	case w.first && !other.first:
		return -1
	case other.first && !w.first:
		return 1
	}
	return w.due.Compare(other.due)
}

// acquire takes a slot for a query, or adds the query to the waiters.
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

// release frees a slot and returns the names of the queries that may now take one.
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
