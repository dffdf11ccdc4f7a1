// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package polltime computes when polls are due. It is pure, so the simulation of many clusters uses it as the controller does.
package polltime

import (
	"hash/maphash"
	"time"
)

const (
	// Floor is the shortest time between two polls of one query, whatever triggers them.
	Floor = time.Second

	// firstRetry and MaxRetry bound the delay after a failed poll, which doubles between them. Stalled queries are
	// retried too, because a policy corrected in the cloud causes no event in Kubernetes.
	firstRetry = 5 * time.Second
	MaxRetry   = 10 * time.Minute

	// soonest is the smallest fraction of an interval after which the interval makes a query due.
	soonest = 0.2

	// maxSpread bounds how long overdue queries wait after a start, so that a restart causes no burst.
	maxSpread = 60 * time.Second
)

// Phase determines at which times the interval makes a query due.
type Phase uint64

// processSeed makes the phases of two processes, such as the operators of two clusters, independent of each other.
var processSeed = maphash.MakeSeed()

// PhaseOf returns the phase of a request, given the key by which requests share listings. It is random, but the same for all
// queries with this request while the process lives.
func PhaseOf(key string) Phase { return Phase(maphash.String(processSeed, key)) }

// UntilDue returns the time until the interval makes a query due: between 0.2 and 1.2 intervals after a poll that had another
// cause, and exactly one interval after that. All queries with the same phase and interval are due at the same instants, so
// one listing answers them all. Different phases spread the requests evenly.
func (p Phase) UntilDue(interval time.Duration, now time.Time) time.Duration {
	interval = max(interval, Floor)
	every := uint64(interval)
	sinceLast := (uint64(now.UnixNano())%every + every - uint64(p)%every) % every
	left := interval - time.Duration(sinceLast)
	if left <= time.Duration(soonest*float64(interval)) {
		left += interval
	}
	return left
}

// Spread returns how long after a start an overdue query is due: a part of a tenth of its interval, at most of a minute.
func (p Phase) Spread(interval time.Duration) time.Duration {
	span := min(interval/10, maxSpread)
	return time.Duration(float64(span) * (float64(p) / (1 << 64)))
}

// RetryAfter returns the delay after a number of consecutive failures. It doubles up to the shorter of interval and 10 minutes.
func RetryAfter(failures int, interval time.Duration) time.Duration {
	limit := min(interval, MaxRetry)
	delay := firstRetry
	for range failures - 1 {
		if delay = 2 * delay; delay >= limit {
			break
		}
	}
	return min(delay, limit)
}
