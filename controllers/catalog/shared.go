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
	// sharedFor is how long a finished listing answers identical queries. Queries that are due together, after a
	// restart or because one template made them, fall into it; ten seconds are nothing beside an interval of minutes.
	sharedFor = 10 * time.Second

	// sharedTimeout bounds a listing that nobody may be waiting for any more. 100 000 images at ten pages a second
	// take less than two minutes.
	sharedTimeout = 5 * time.Minute
)

// Shared is a Lister that lets identical queries share one listing of another Lister. A shared listing runs on a
// context of its own: a waiter whose context ends leaves without taking the others' answer along.
type Shared struct {
	lister Lister
	flight singleflight.Group

	now func() time.Time

	coalesced atomic.Uint64

	mu     sync.Mutex
	begun  int // listings so far
	recent map[string]*finished
}

// finished is a listing, when it was there, and the how manieth it was by its beginning.
type finished struct {
	listing Listing
	at      time.Time
	begun   int
}

var _ Lister = &Shared{}

// NewShared returns a Shared in front of lister that reads the time from now.
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
	answer := s.flight.DoChan(key, func() (any, error) { //nolint:contextcheck // others wait for it, too
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

// Coalesced counts the listings that were answered by one that another query had asked for.
func (s *Shared) Coalesced() uint64 { return s.coalesced.Load() }

// lead answers a key for all who wait for it.
func (s *Shared) lead(key string, account Account, query Query) (listing Listing, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), sharedTimeout)
	defer cancel()
	defer func() {
		// A panic here would end the process: nobody above this goroutine could recover it.
		if recover() != nil {
			listing, err = Listing{}, &Error{Kind: Unavailable, Code: "ClientError.Panic", Message: "the listing broke off"}
		}
	}()
	return s.ask(ctx, key, account, query)
}

// ask asks the other Lister and remembers a good answer.
func (s *Shared) ask(ctx context.Context, key string, account Account, query Query) (Listing, error) {
	s.mu.Lock()
	s.begun++
	begun := s.begun
	s.mu.Unlock()
	listing, err := s.lister.List(ctx, account, query)
	if err == nil {
		s.remember(key, &finished{listing: listing, at: s.now(), begun: begun})
	}
	return listing, err
}

func (s *Shared) fromRecent(key string) (Listing, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.recent[key]; ok && s.now().Sub(f.at) < sharedFor {
		return f.listing, true
	}
	return Listing{}, false
}

// remember keeps a listing for sharedFor and no longer: a listing of ten thousand images takes megabytes. One that
// began before the one that is there, but took longer, does not replace it.
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
