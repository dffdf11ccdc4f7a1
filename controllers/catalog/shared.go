// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// sharedFor is how long a finished listing answers identical queries. It covers queries that are due together
	// after a restart or because one template created them, and is short compared to intervals of minutes.
	sharedFor = 10 * time.Second

	// sharedTimeout bounds a listing, which may have no waiters left. 100 000 images at ten pages a second take less
	// than two minutes.
	sharedTimeout = 5 * time.Minute
)

// Shared is a Lister that lets identical queries share one listing of another Lister. A shared listing has its own
// context, so a waiter that gives up doesn't cancel it for the others.
type Shared struct {
	lister Lister
	flight singleflight.Group

	now func() time.Time

	coalesced atomic.Uint64

	mu     sync.Mutex
	begun  int // number of listings so far
	recent map[string]*finished
}

// finished is a listing with its end time and the sequence number of its call.
type finished struct {
	listing Listing
	at      time.Time
	begun   int
}

var _ Lister = &Shared{}

// NewShared returns a Shared that wraps lister and reads the time from now.
func NewShared(lister Lister, now func() time.Time) *Shared {
	return &Shared{lister: lister, now: now, recent: map[string]*finished{}}
}

// List implements Lister.
func (s *Shared) List(ctx context.Context, account Account, query Query) (Listing, error) {
	key := Key(account, query)
	if query.Fresh {
		return s.ask(ctx, key, account, query)
	}
	asked := false
	answer := s.flight.DoChan(key, func() (any, error) { //nolint:contextcheck // shared with other waiters
		if listing, ok := s.fromRecent(key); ok {
			return listing, nil
		}
		asked = true
		return s.lead(key, account, query)
	})
	select {
	case <-ctx.Done():
		return Listing{}, &Error{Kind: Unavailable, Code: "ClientError.Timeout", Message: "the cloud did not answer in time", Cause: ctx.Err()}
	case a := <-answer:
		if !asked {
			s.coalesced.Add(1)
		}
		return a.Val.(Listing), a.Err
	}
}

// Coalesced returns the number of listings that were answered by a listing for another query.
func (s *Shared) Coalesced() uint64 { return s.coalesced.Load() }

// lead lists on behalf of all waiters of a key.
func (s *Shared) lead(key string, account Account, query Query) (listing Listing, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), sharedTimeout)
	defer cancel()
	defer func() {
		// A panic in this goroutine would end the process, since no caller can recover it.
		if recover() != nil {
			listing, err = Listing{}, &Error{Kind: Unavailable, Code: "ClientError.Panic", Message: "the listing broke off"}
		}
	}()
	return s.ask(ctx, key, account, query)
}

// ask calls the wrapped Lister and caches a successful result. After a failure no earlier result is shared any more: the
// images may have changed, for example because the cloud refuses one of the ids by now.
func (s *Shared) ask(ctx context.Context, key string, account Account, query Query) (Listing, error) {
	s.mu.Lock()
	s.begun++
	begun := s.begun
	s.mu.Unlock()
	listing, err := s.lister.List(ctx, account, query)
	if err == nil {
		s.remember(key, &finished{listing: listing, at: s.now(), begun: begun})
	} else {
		s.forget(key, begun)
	}
	return listing, err
}

// forget drops the cached result of a listing that began before another one.
func (s *Shared) forget(key string, begun int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.recent[key]; ok && f.begun < begun {
		delete(s.recent, key)
	}
}

func (s *Shared) fromRecent(key string) (Listing, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.recent[key]; ok && s.now().Sub(f.at) < sharedFor {
		return f.listing, true
	}
	return Listing{}, false
}

// remember keeps a listing for sharedFor and no longer, since a listing of ten thousand images takes megabytes. A
// listing that began earlier doesn't replace a later one, even if it ended later.
func (s *Shared) remember(key string, f *finished) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if newer, ok := s.recent[key]; ok && newer.begun > f.begun {
		return
	}
	s.recent[key] = f
	time.AfterFunc(sharedFor, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.recent[key] == f {
			delete(s.recent, key)
		}
	})
}
