// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/secret"
)

const (
	// margin is the minimum validity of returned keys. A request that they sign takes at most 20 s, and clocks differ
	// by seconds.
	margin = time.Minute

	// fetchTimeout bounds one renewal, which takes up to three requests: two roles and the identity below.
	fetchTimeout = 30 * time.Second

	// After a failed renewal the next one waits for half of firstPause up to all of it, and twice as long each time,
	// up to maxPause, so that not every page of every listing tries. It is shorter than the delay between failing
	// polls, so that each poll causes a new try.
	firstPause = 2 * time.Second
	maxPause   = 30 * time.Second
)

// cached keeps the keys of one provider and renews them before they expire.
type cached struct {
	name   string // the provider's, for errors
	fetch  provider
	now    func() time.Time
	flight singleflight.Group

	mu      sync.Mutex
	keys    secret.Box[Keys] // nil before the first renewal
	fetched time.Time        // when they were obtained
	renewAt time.Time        // when to renew them

	failure error // of the last renewal; nil if it succeeded
	pause   time.Duration
	retryAt time.Time
}

// get returns keys. If valid keys are due for renewal, it starts the renewal and returns the current ones; if there
// are none, it waits. A renewal has its own context, so a waiter that gives up doesn't cancel it.
func (c *cached) get(ctx context.Context) (Keys, error) {
	keys, due, err := c.current()
	if !due {
		return keys, err
	}
	answer := c.flight.DoChan("", c.renew)
	if err == nil {
		return keys, nil
	}
	select {
	case <-ctx.Done():
		return Keys{}, &Error{Provider: c.name, Code: CodeWaited, Err: ctx.Err()}
	case a := <-answer:
		if a.Err != nil {
			return Keys{}, a.Err
		}
		return a.Val.(Keys), nil
	}
}

// current returns the current keys or an error, and whether a renewal is due.
func (c *cached) current() (keys Keys, due bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	mayTry := !now.Before(c.retryAt)
	if c.keys != nil && good(c.keys(), now) {
		return c.keys(), mayTry && !now.Before(c.renewAt), nil
	}
	if c.failure != nil {
		return Keys{}, mayTry, c.failure
	}
	return Keys{}, true, &Error{Provider: c.name, Code: CodeNoKeys}
}

// good reports whether keys are valid for the margin.
func good(k Keys, now time.Time) bool { return k.Expires.IsZero() || now.Add(margin).Before(k.Expires) }

func (c *cached) renew() (any, error) {
	// A renewal that has just ended may have obtained keys.
	if keys, due, err := c.current(); !due {
		return keys, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	keys, err := c.tryFetch(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if err != nil {
		c.failure = err
		c.pause = min(max(2*c.pause, firstPause), maxPause)
		c.retryAt = now.Add(c.pause/2 + rand.N(c.pause/2)) //nolint:gosec // jitter needs no secrecy
		return Keys{}, err
	}
	c.keys, c.fetched, c.renewAt = secret.Hide(keys), now, renewalOf(keys, now)
	c.failure, c.pause, c.retryAt = nil, 0, time.Time{}
	return keys, nil
}

// tryFetch fetches valid keys. It recovers panics, which would end the process, since no caller of this goroutine can.
func (c *cached) tryFetch(ctx context.Context) (keys Keys, err error) {
	defer func() {
		if recover() != nil {
			keys, err = Keys{}, &Error{Provider: c.name, Code: CodePanic}
		}
	}()
	keys, err = c.fetch(ctx)
	if err == nil && !good(keys, c.now()) {
		err = &Error{Provider: c.name, Code: CodeEnding}
	}
	return keys, err
}

// renewalOf returns when to renew keys: after three to four fifths of their lifetime, so that replicas and clusters
// that started together don't renew together. The metadata service may return the same keys again, but at least 36 s
// separate two renewals, since keys last for the margin.
func renewalOf(k Keys, now time.Time) time.Time {
	if k.Expires.IsZero() {
		return now.AddDate(100, 0, 0)
	}
	life := k.Expires.Sub(now)
	return now.Add(life*3/5 + rand.N(life/5)) //nolint:gosec // jitter needs no secrecy
}

// refused drops keys that the cloud rejected, unless they are new.
func (c *cached) refused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys != nil && c.now().Sub(c.fetched) > margin {
		c.keys = nil
	}
}
