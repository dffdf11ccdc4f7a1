// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"sync"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

const (
	// sourcesAtOnce is for how many sources of credentials there are workers enough that none waits for another.
	sourcesAtOnce = 8

	// turnLost is when a query that waits for its turn asks again by itself. It is told before that, unless those that
	// were told instead turned out to have nothing to do.
	turnLost = 30 * time.Second
)

// turns bounds how many queries of one source of credentials are polled at once. A poll waits for the cloud most of its
// time, and while the cloud throttles a key, or a long listing uses up its budget, all queries of that key wait. Those
// that have no turn wait without a worker: queries of other keys find one.
type turns struct {
	mu      sync.Mutex
	polling map[string]int
	waiting map[string][]*imagev1alpha1.ImageQuery
}

// take takes a turn for a query, or puts it in the line of those that wait for one.
func (t *turns) take(source string, query *imagev1alpha1.ImageQuery, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.polling == nil {
		t.polling, t.waiting = map[string]int{}, map[string][]*imagev1alpha1.ImageQuery{}
	}
	line := t.waiting[source]
	at := slices.IndexFunc(line, func(q *imagev1alpha1.ImageQuery) bool { return q.UID == query.UID })
	if t.polling[source] < most {
		if at >= 0 {
			t.leave(source, at)
		}
		t.polling[source]++
		return true
	}
	if at >= 0 {
		line[at] = query // it keeps its place, and may have been edited
	} else {
		t.waiting[source] = append(line, query)
	}
	return false
}

// give ends a turn, and returns the queries that may take theirs now. Those with a spec that was never synced come
// first: somebody waits for them.
func (t *turns) give(source string, most int) []*imagev1alpha1.ImageQuery {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.polling[source]--; t.polling[source] == 0 {
		delete(t.polling, source)
	}
	var next []*imagev1alpha1.ImageQuery
	for range most - t.polling[source] {
		line := t.waiting[source]
		if len(line) == 0 {
			break
		}
		at := max(0, slices.IndexFunc(line, func(q *imagev1alpha1.ImageQuery) bool { return q.Status.SyncedGeneration != q.Generation }))
		next = append(next, line[at])
		t.leave(source, at)
	}
	return next
}

func (t *turns) leave(source string, at int) {
	t.waiting[source] = slices.Delete(t.waiting[source], at, at+1)
	if len(t.waiting[source]) == 0 {
		delete(t.waiting, source)
	}
}
