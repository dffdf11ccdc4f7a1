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
	// A throttled bucket pauses between half of this and the whole, and twice as long each time it is throttled
	// again, up to maxPause. The cloud counts per second, so one short pause is often enough.
	firstPause = time.Second
	maxPause   = 30 * time.Second

	// maxRefill bounds how long a bucket is taken to need until it is full; more only overflows.
	maxRefill = 365 * 24 * time.Hour
)

// limits holds one bucket per source of keys and host: the cloud counts requests per sub-account and region of the
// gateway, not per region of a query.
type limits struct {
	qps   float64
	burst int
	meter *meter

	mu      sync.Mutex
	buckets expiring.Map[string, *bucket]
}

// newLimits returns limits whose buckets go once they are full again and nobody uses them: a new one is no different.
func newLimits(qps float64, burst int, meter *meter) *limits {
	refill := time.Duration(min(float64(burst)/qps, maxRefill.Seconds()) * float64(time.Second))
	l := &limits{qps: qps, burst: burst, meter: meter}
	l.buckets.Idle = max(expiring.Idle, refill)
	return l
}

// bucket is the one of a source of keys at a host, as bucketOf names it.
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

// bucketOf names the bucket of a source of keys at a host.
func bucketOf(source, host string) string { return source + "@" + host }

// bucket is a token bucket that can be paused.
type bucket struct {
	tokens *rate.Limiter
	meter  *meter

	mu     sync.Mutex
	pause  time.Duration // the last pause; 0 when the cloud is content
	resume time.Time
}

// wait returns once the bucket is not paused and a token is taken, or with an error when ctx ends first. It comes
// before signing: a signature carries the time, and the cloud refuses one older than five minutes. A token that comes
// during a pause is given up: kept ones would all be spent the moment the pause ends.
func (b *bucket) wait(ctx context.Context) error {
	began := time.Now()
	defer func() { b.meter.waited(time.Since(began)) }()
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

// paused is how long the bucket is still paused.
func (b *bucket) paused() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Until(b.resume)
}

// throttled pauses the bucket. Requests that were under way together count as one: they were all sent too early.
func (b *bucket) throttled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().Before(b.resume) {
		return
	}
	b.pause = min(max(2*b.pause, firstPause), maxPause)
	b.resume = time.Now().Add(b.pause/2 + rand.N(b.pause/2)) //nolint:gosec // jitter needs no secrecy
}

// content ends the doubling: the cloud has answered.
func (b *bucket) content() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().After(b.resume) {
		b.pause = 0
	}
}
