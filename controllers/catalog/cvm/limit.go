// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/expiring"
)

const (
	// A throttled bucket pauses for half of firstPause up to all of it, and for twice as long each time it is
	// throttled again, up to maxPause. The cloud counts per second, so one short pause is often enough.
	firstPause = time.Second
	maxPause   = 30 * time.Second

	// maxRefill bounds the computed time until a bucket is full, to avoid an overflow.
	maxRefill = 365 * 24 * time.Hour
)

// limits holds one bucket per source of keys and host: the cloud counts requests per sub-account and gateway region,
// not per region of a query.
type limits struct {
	qps   float64
	burst int
	meter *meter

	mu      sync.Mutex
	buckets expiring.Map[string, *bucket]
}

// newLimits returns limits that drop an idle bucket once it is full again, since it is then equal to a new one.
func newLimits(qps float64, burst int, meter *meter) *limits {
	refill := time.Duration(min(float64(burst)/qps, maxRefill.Seconds()) * float64(time.Second))
	l := &limits{qps: qps, burst: burst, meter: meter}
	l.buckets.Idle = max(expiring.Idle, refill)
	return l
}

// bucket returns the bucket of a source of keys at a host, named as in bucketOf.
func (l *limits) bucket(source string) *bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.buckets.Get(source); ok {
		return b
	}
	b := &bucket{tokens: rate.NewLimiter(rate.Limit(l.qps), l.burst), meter: l.meter}
	l.buckets.Set(source, b)
	return b
}

// bucketOf returns the name of the bucket of a source of keys at a host.
func bucketOf(source, host string) string { return source + "@" + host }

// bucket is a token bucket that can be paused.
type bucket struct {
	tokens *rate.Limiter
	turns  turns
	meter  *meter

	mu     sync.Mutex
	pause  time.Duration // the last pause; 0 after a successful answer
	resume time.Time
}

// wait blocks until it is the turn of a listing's request, the bucket is not paused and a token is taken, or until ctx ends.
// It must precede signing, because a signature contains the time and the cloud refuses one older than five minutes. A token
// granted during a pause is discarded: otherwise all of them would be spent at once when the pause ends.
func (b *bucket) wait(ctx context.Context, listing *line) error {
	began := time.Now()
	defer func() { b.meter.waited(time.Since(began)) }()
	if err := b.turns.take(ctx, listing); err != nil {
		return err
	}
	defer b.turns.pass()
	for {
		if left := b.paused(); left > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(left):
			}
			continue
		}
		if err := b.tokens.Wait(ctx); err != nil {
			return err
		}
		if b.paused() <= 0 {
			return nil
		}
	}
}

// paused returns how long the bucket remains paused.
func (b *bucket) paused() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Until(b.resume)
}

// throttled pauses the bucket. Concurrent requests that are throttled together count once.
func (b *bucket) throttled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().Before(b.resume) {
		return
	}
	b.pause = min(max(2*b.pause, firstPause), maxPause)
	b.resume = time.Now().Add(b.pause/2 + rand.N(b.pause/2)) //nolint:gosec // jitter needs no secrecy
}

// succeeded resets the pause after a successful answer.
func (b *bucket) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().After(b.resume) {
		b.pause = 0
	}
}
