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
func (s *pollSlots) acquire(source string, query waiter, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.polling == nil {
		s.polling, s.waiting = map[string]int{}, map[string][]waiter{}
	}
	s.removeWaiter(source, query.name)
	if s.polling[source] < most {
		s.polling[source]++
		return true
	}
	s.waiting[source] = append(s.waiting[source], query)
	return false
}

// release frees a slot and returns the names of the queries that may now take one.
func (s *pollSlots) release(source string, most int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.polling[source]--; s.polling[source] == 0 {
		delete(s.polling, source)
	}
	var next []string
	for range most - s.polling[source] {
		if len(s.waiting[source]) == 0 {
			break
		}
		name := slices.MinFunc(s.waiting[source], waiter.compare).name
		next = append(next, name)
		s.removeWaiter(source, name)
	}
	return next
}

func (s *pollSlots) removeWaiter(source, name string) {
	line := slices.DeleteFunc(s.waiting[source], func(w waiter) bool { return w.name == name })
	if s.waiting[source] = line; len(line) == 0 {
		delete(s.waiting, source)
	}
}
