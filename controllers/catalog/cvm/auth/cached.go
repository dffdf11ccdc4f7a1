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
	// margin is how long keys must still be good when they are handed out. A request that they sign takes 20 s at the
	// most, and clocks differ by seconds.
	margin = time.Minute

	// fetchTimeout bounds one renewal: two roles and what they build on are three requests.
	fetchTimeout = 30 * time.Second

	// After a failed renewal the next one waits between half of this and the whole, and twice as long each time, up to
	// maxPause: not every page of every listing may try. It is shorter than the time between polls that fail, so each
	// of those sees a new try.
	firstPause = 2 * time.Second
	maxPause   = 30 * time.Second
)

// cached keeps the keys of one provider and renews them ahead of their end.
type cached struct {
	name   string // the provider's, for errors
	fetch  provider
	now    func() time.Time
	flight singleflight.Group

	mu      sync.Mutex
	keys    secret.Box[Keys] // the last ones; nil before the first
	fetched time.Time        // when they came
	renewAt time.Time        // when they are to be renewed

	failure error // the last renewal's, nil if it was good
	pause   time.Duration
	retryAt time.Time
}

// get returns keys. Who finds good ones that are due for renewal begins that and takes the good ones; who finds none
// waits. A renewal runs on a context of its own: a waiter that leaves doesn't take it along.
func (c *cached) get(ctx context.Context) (Keys, error) {
	keys, due, err := c.look()
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

// look returns the keys that are there, or why there are none, and whether a renewal is due.
func (c *cached) look() (keys Keys, due bool, err error) {
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

// good says whether keys last for the margin.
func good(k Keys, now time.Time) bool { return k.Expires.IsZero() || now.Add(margin).Before(k.Expires) }

func (c *cached) renew() (any, error) {
	// Who came just after an earlier renewal has ended finds its keys here.
	if keys, due, err := c.look(); !due {
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

// tryFetch fetches keys that are good. A panic would end the process: nobody above this goroutine could recover it.
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

// renewalOf is when keys are renewed: when three to four fifths of their time have passed. Replicas and clusters that
// began together don't ask together. The metadata service may hand out the same keys again; at least 36 s lie between
// two renewals, since keys last for the margin.
func renewalOf(k Keys, now time.Time) time.Time {
	if k.Expires.IsZero() {
		return now.AddDate(100, 0, 0)
	}
	life := k.Expires.Sub(now)
	return now.Add(life*3/5 + rand.N(life/5)) //nolint:gosec // jitter needs no secrecy
}

// refused gives up keys that the cloud doesn't accept, if they are not new.
func (c *cached) refused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys != nil && c.now().Sub(c.fetched) > margin {
		c.keys = nil
	}
}
