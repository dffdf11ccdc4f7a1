// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

const (
	// firstRetry and maxRetry bound the time after a failed poll, which doubles between them. Stalled queries are tried
	// again, too: a corrected policy in the cloud makes no event in Kubernetes.
	firstRetry = 5 * time.Second
	maxRetry   = 10 * time.Minute

	// pollFloor is the shortest time between two polls of one query, whoever asks for them.
	pollFloor = time.Second

	// jitter is how much is added to an interval at the most. Without it queries that were applied together would
	// come due together for ever.
	jitter = 0.2

	// maxSpread bounds how long overdue queries wait after a start, so that a restart is no burst.
	maxSpread = 60 * time.Second

	// maxClockError is how far the clocks of two nodes may be apart. A last poll that is later than that was stamped by a
	// wrong clock: nobody should wait for that time to come.
	maxClockError = time.Minute

	// maxPoll bounds one poll; it ends before the next is due in any case.
	maxPoll = 5 * time.Minute
)

// nextPoll says when a query is to be polled, and why then. A time that isn't after now means now.
func nextPoll(query *imagev1alpha1.ImageQuery, m *pollState, account catalog.Account, started, now time.Time) (at time.Time, why string) {
	requestedAt, approval := requestOf(query), approvalOf(query)
	if !m.lastAttempt.IsZero() {
		floor := m.lastAttempt.Add(pollFloor)
		switch {
		case query.Generation != m.generation:
			return floor, "the spec changed"
		case requestedAt != "" && requestedAt != m.requestedAt:
			return floor, "a poll was requested"
		case approval != "" && approval != m.approval:
			return floor, "a removal was approved"
		case account != m.account:
			return floor, "the credentials changed"
		case m.peerDue:
			return floor, "another query found an image to be gone"
		case m.failures > 0:
			return m.due, "the last poll failed"
		case m.lost:
			// Whoever deletes all the time must not drive polls: as after failures, the pauses double.
			return selection.Earlier(m.due, m.lastAttempt.Add(retryAfter(m.losses+1, query.Spec.Interval.Duration))), "CloudImages are missing"
		}
		return m.due, "the interval has passed"
	}
	switch {
	case query.Status.SyncedGeneration != query.Generation || query.Status.LastSyncTime == nil:
		return time.Time{}, "this generation was never synced"
	case requestedAt != "" && requestedAt != query.Status.LastHandledReconcileAt:
		return time.Time{}, "a poll was requested"
	case m.peerDue:
		return time.Time{}, "another query found an image to be gone"
	}
	if blocked := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked); blocked != nil && approval != "" &&
		strings.Contains(blocked.Message, "="+approval+" ") {
		return time.Time{}, "a removal was approved"
	}
	if m.lost {
		return started.Add(spreadOf(query)), "CloudImages are missing"
	}
	due := selection.Earlier(query.Status.LastSyncTime.Add(query.Spec.Interval.Duration), nextMove(query))
	if query.Status.LastSyncTime.After(now.Add(maxClockError)) {
		return time.Time{}, "the last poll is in the future, so the clock was wrong"
	}
	if spread := started.Add(spreadOf(query)); due.Before(spread) {
		return spread, "the poll is overdue since before the start"
	}
	return due, "the interval has passed"
}

// nextMove is when status says that a grace period ends or an image passes minAge next; zero if neither comes.
func nextMove(query *imagev1alpha1.ImageQuery) time.Time {
	synced := query.Status.LastSyncTime.Time
	next := cloudimage.NextRemoval(query.Status.Removing, synced)
	for _, image := range query.Status.Images {
		if image.Selection == imagev1alpha1.VerdictTooYoung && image.CreatedTime != nil {
			if aged := image.CreatedTime.Add(query.Spec.Selection.MinAge.Duration); aged.After(synced) {
				next = selection.Earlier(next, aged)
			}
		}
	}
	return next
}

// removalDue says whether a grace period has ended: what deletes must be a listing made after that.
func removalDue(query *imagev1alpha1.ImageQuery, now time.Time) bool {
	return slices.ContainsFunc(query.Status.Removing, func(r imagev1alpha1.RemovingImage) bool { return !r.DeleteAfter.After(now) })
}

// spreadOf is a query's own part of the time over which overdue queries are spread.
func spreadOf(query *imagev1alpha1.ImageQuery) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(query.UID)) // a hash never fails
	span := min(query.Spec.Interval.Duration/10, maxSpread)
	return time.Duration(float64(span) * float64(h.Sum32()) / (1 << 32))
}

// retryAfter doubles from firstRetry to the interval or maxRetry, whichever is shorter.
func retryAfter(failures int, interval time.Duration) time.Duration {
	limit := min(interval, maxRetry)
	delay := firstRetry
	for range failures - 1 {
		if delay = 2 * delay; delay >= limit {
			break
		}
	}
	return min(delay, limit)
}

// lastSuccess is when a poll last succeeded, as exactly as is known; zero if none ever did. What this process has seen
// counts more than what status says, which may lag behind or come from a clock that was ahead.
func lastSuccess(query *imagev1alpha1.ImageQuery, m *pollState) time.Time {
	if m.success.IsZero() && query.Status.LastSyncTime != nil {
		return query.Status.LastSyncTime.Time
	}
	return m.success
}

// staleAt is when data of the last success stops being fresh.
func staleAt(query *imagev1alpha1.ImageQuery, success time.Time) time.Time {
	if success.IsZero() {
		return time.Time{}
	}
	interval := query.Spec.Interval.Duration
	return success.Add(min(max(4*interval, 15*time.Minute), interval+24*time.Hour))
}
