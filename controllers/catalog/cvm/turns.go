// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"slices"
	"sync"
)

// turns grants one request at a time to the listings that share a bucket. In the order of arrival, the pages of a long listing
// would be ahead of all requests that come later. So the listing that was granted the fewest goes first. Every fourth turn
// belongs to the listing that has waited longest for one, so that short listings can't hold up a long one for good.
type turns struct {
	mu    sync.Mutex
	taken bool
	given int
	next  []*line // lines with requests, the one that has waited longest first
}

// line holds the waiting requests of one listing, which are granted in the order of arrival.
type line struct {
	requests []chan struct{}
	granted  int
}

// byWait is how often a turn goes to the line that has waited longest.
const byWait = 4

// take blocks until it is the turn of a line's next request, or until ctx ends. Without an error, pass must follow.
func (t *turns) take(ctx context.Context, l *line) error {
	if granted := t.join(l); granted != nil {
		return t.await(ctx, l, granted)
	}
	return nil
}

func (t *turns) await(ctx context.Context, l *line, granted chan struct{}) error {
	select {
	case <-granted:
		return nil
	case <-ctx.Done():
	}
	if !t.leave(l, granted) {
		t.pass() // the turn came meanwhile
	}
	return ctx.Err()
}

// join adds a request to a line, and returns the channel that is closed when its turn comes; nil if that is now.
func (t *turns) join(l *line) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.taken {
		t.taken = true
		l.granted++
		return nil
	}
	granted := make(chan struct{})
	if l.requests = append(l.requests, granted); len(l.requests) == 1 {
		t.next = append(t.next, l)
	}
	return granted
}

// leave removes a request from its line, and reports whether it was still there.
func (t *turns) leave(l *line, request chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(l.requests, request)
	if i < 0 {
		return false
	}
	if l.requests = slices.Delete(l.requests, i, i+1); len(l.requests) == 0 {
		t.next = slices.DeleteFunc(t.next, func(other *line) bool { return other == l })
	}
	return true
}

// pass ends a turn and grants the next one. The line that gets it goes to the end.
func (t *turns) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.next) == 0 {
		t.taken = false
		return
	}
	l := t.next[0]
	if t.given++; t.given%byWait != 0 {
		l = slices.MinFunc(t.next, func(a, b *line) int { return a.granted - b.granted })
	}
	t.next = slices.DeleteFunc(t.next, func(other *line) bool { return other == l })
	granted := l.requests[0]
	if l.requests = l.requests[1:]; len(l.requests) > 0 {
		t.next = append(t.next, l)
	}
	l.granted++
	close(granted)
}
