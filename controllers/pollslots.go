// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"
	"sync"
	"time"
)

// listed frees the slot of a poll that doesn't need the cloud any more, and requeues the queries that may take one.
func (r *Reconciler) listed(ctx context.Context, source string) {
	r.enqueueAll(ctx, r.slots.listed(source, r.Concurrent))
}

// polled is like listed, for a poll that has ended.
func (r *Reconciler) polled(ctx context.Context, source string) {
	r.enqueueAll(ctx, r.slots.polled(source, r.Concurrent))
}

func (r *Reconciler) enqueueAll(ctx context.Context, names []string) {
	for _, name := range names {
		r.enqueue(ctx, name)
	}
}

const (
	// sourcesAtOnce is the number of credential sources that the workers can serve without one waiting for another.
	sourcesAtOnce = 8

	// pollsPerSlot bounds the polls of a source by its slots, so that those that write leave half of the workers to others.
	pollsPerSlot = sourcesAtOnce / 2

	// slotRetry is when a query without a slot tries again. It is requeued earlier when a slot becomes free, unless the
	// queries requeued for that slot have nothing to do.
	slotRetry = 30 * time.Second
)

// pollSlots bounds the concurrent listings per credential source. They mostly wait for the cloud, and while a key is
// throttled or a long listing uses up its rate limit, all queries of that key wait. Queries without a slot occupy no
// worker, so queries of other keys can proceed. A poll that writes has no slot, since queries of the same images that write
// at the same time share their writes.
type pollSlots struct {
	mu      sync.Mutex
	listing map[string]int // polls with a slot
	polling map[string]int // all polls
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

// acquire takes a slot for a query, or adds the query to the waiters. listed and polled must follow.
func (s *pollSlots) acquire(source string, query waiter, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.polling == nil {
		s.listing, s.polling, s.waiting = map[string]int{}, map[string]int{}, map[string][]waiter{}
	}
	s.removeWaiter(source, query.name)
	if s.free(source, most) > 0 {
		s.listing[source]++
		s.polling[source]++
		return true
	}
	s.waiting[source] = append(s.waiting[source], query)
	return false
}

// free returns how many queries may take a slot.
func (s *pollSlots) free(source string, most int) int {
	return min(most-s.listing[source], pollsPerSlot*most-s.polling[source])
}

// listed frees a slot and returns the names of the queries that may now take one.
func (s *pollSlots) listed(source string, most int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	decrement(s.listing, source)
	return s.next(source, most)
}

// polled ends a poll whose slot is free already. It returns the names of the queries that may take a slot now and could not
// before.
func (s *pollSlots) polled(source string, most int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.polling[source] == pollsPerSlot*most
	decrement(s.polling, source)
	if !full {
		return nil
	}
	return s.next(source, most)
}

func decrement(polls map[string]int, source string) {
	if polls[source]--; polls[source] == 0 {
		delete(polls, source)
	}
}

// next removes the queries that may take a slot from the waiters.
func (s *pollSlots) next(source string, most int) []string {
	var next []string
	for range s.free(source, most) {
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
