// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/polltime"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

const (
	// jitter is the largest fraction added to the delay of a retry, so that queries that failed together are not retried together.
	jitter = 0.2

	// maxClockError is the tolerated clock difference between two nodes. A last poll further in the future was stamped by
	// a wrong clock and must not delay the next one.
	maxClockError = time.Minute

	// maxPoll bounds one poll. A poll also ends before the next one is due.
	maxPoll = 5 * time.Minute
)

// nextPoll returns when a query is due and why. A time that isn't after now means now.
func nextPoll(query *imagev1alpha1.ImageQuery, m *pollState, account catalog.Account, started, now time.Time) (at time.Time, why string) {
	if m.lastAttempt.IsZero() {
		return firstPoll(query, m, account, started, now)
	}
	requestedAt, approval := requestOf(query), approvalOf(query)
	floor := m.lastAttempt.Add(polltime.Floor)
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
		// Back off as after failures, so that a client that keeps deleting CloudImages can't drive polls.
		retry := m.lastAttempt.Add(polltime.RetryAfter(m.losses+1, query.Spec.Interval.Duration))
		return sooner(now, retry, m.next(now)), "CloudImages are missing"
	}
	return m.next(now), "the interval has passed"
}

// firstPoll returns when a query is due that this process hasn't polled yet. Only status is known of earlier polls.
func firstPoll(query *imagev1alpha1.ImageQuery, m *pollState, account catalog.Account, started, now time.Time) (at time.Time, why string) {
	requestedAt, status := requestOf(query), &query.Status
	switch {
	case status.SyncedGeneration != query.Generation || status.LastSyncTime == nil:
		return time.Time{}, "this generation was never synced"
	case requestedAt != "" && requestedAt != status.LastHandledReconcileAt:
		return time.Time{}, "a poll was requested"
	case m.peerDue:
		return time.Time{}, "another query found an image to be gone"
	case approvesRemoval(query):
		return time.Time{}, "a removal was approved"
	}
	spread := started.Add(phaseOf(account, query).Spread(query.Spec.Interval.Duration))
	due := selection.Earlier(status.LastSyncTime.Add(query.Spec.Interval.Duration), nextMove(query))
	switch {
	case m.lost:
		return spread, "CloudImages are missing"
	case status.LastSyncTime.After(now.Add(maxClockError)):
		return time.Time{}, "the last poll is in the future, so the clock was wrong"
	case due.Before(spread):
		return spread, "the poll is overdue since before the start"
	}
	return due, "the interval has passed"
}

// approvesRemoval reports whether a query has the approval that RemovalBlocked asks for.
func approvesRemoval(query *imagev1alpha1.ImageQuery) bool {
	blocked := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked)
	approval := approvalOf(query)
	return blocked != nil && approval != "" && strings.Contains(blocked.Message, "="+approval+" ")
}

// nextMove returns when, according to status, the next grace period ends or the next image passes minAge; zero if neither
// is pending.
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

// removalDue reports whether a grace period has ended. Only a listing made after its end may cause the deletion.
func removalDue(query *imagev1alpha1.ImageQuery, now time.Time) bool {
	return slices.ContainsFunc(query.Status.Removing, func(r imagev1alpha1.RemovingImage) bool { return !r.DeleteAfter.After(now) })
}

// phaseOf returns the phase of a query's request.
func phaseOf(account catalog.Account, query *imagev1alpha1.ImageQuery) polltime.Phase {
	return polltime.PhaseOf(catalog.Key(account, toQuery(&query.Spec)))
}

// lastSuccess returns when a poll last succeeded; zero if none has. The time in memory takes precedence over status,
// which may lag behind or come from a clock that was ahead.
func lastSuccess(query *imagev1alpha1.ImageQuery, m *pollState) time.Time {
	if m.success.IsZero() && query.Status.LastSyncTime != nil {
		return query.Status.LastSyncTime.Time
	}
	return m.success
}

// staleAt returns when the data of the last success becomes stale.
func staleAt(query *imagev1alpha1.ImageQuery, success time.Time) time.Time {
	if success.IsZero() {
		return time.Time{}
	}
	interval := query.Spec.Interval.Duration
	return success.Add(min(max(4*interval, 15*time.Minute), interval+24*time.Hour))
}
