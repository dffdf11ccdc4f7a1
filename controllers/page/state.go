// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// tone is how much attention something wants. The style sheet gives each tone a shape and a colour; the word beside it says the
// same, so neither is ever the only sign.
type tone string

const (
	toneOK   tone = "ok"
	toneBusy tone = "busy"
	toneIdle tone = "idle"
	toneWarn tone = "warn"
	toneBad  tone = "bad"
)

// chip is a word with its tone, and a sentence that explains it.
type chip struct {
	Tone tone
	Word string
	Why  string
}

// NeedsAttention says whether a person should look.
func (c chip) NeedsAttention() bool { return c.Tone == toneBad || c.Tone == toneWarn }

// stateOf is the look of a query: the first of these that applies, what needs a person first.
func stateOf(query *imagev1alpha1.ImageQuery, now time.Time) chip {
	conditions := query.Status.Conditions
	ready := meta.FindStatusCondition(conditions, imagev1alpha1.ConditionReady)
	switch stalled := trueCondition(conditions, imagev1alpha1.ConditionStalled); {
	case ready == nil:
		return chip{toneBusy, "New", "The operator hasn't looked at this query yet."}
	case ready.Reason == imagev1alpha1.ReasonSuspended || query.Spec.Suspend:
		return chip{toneIdle, "Suspended", ready.Message}
	case stalled != nil:
		return chip{toneBad, "Stalled", stalled.Message}
	case trueCondition(conditions, imagev1alpha1.ConditionRemovalBlocked) != nil:
		return chip{toneWarn, "Blocked", ready.Message}
	case ready.Status == metav1.ConditionFalse && ready.Reason == imagev1alpha1.ReasonThrottled:
		return chip{toneWarn, "Throttled", ready.Message}
	case ready.Status == metav1.ConditionFalse:
		return chip{toneBad, "Failing", ready.Message}
	case ready.Status == metav1.ConditionUnknown || query.Generation != query.Status.ObservedGeneration:
		return chip{toneBusy, "Progressing", ready.Message}
	case ready.Reason == imagev1alpha1.ReasonRetrying:
		return chip{toneWarn, "Retrying", ready.Message}
	case overdue(query, now):
		return chip{toneWarn, "Overdue", "No poll was recorded in time: look whether the operator runs. " + ready.Message}
	}
	return selectionState(query, ready.Message)
}

// selectionState is the look of a query that is synced.
func selectionState(query *imagev1alpha1.ImageQuery, message string) chip {
	selected := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionSelected)
	switch {
	case query.Status.ImageCount != nil && *query.Status.ImageCount == 0:
		return chip{toneIdle, "No images", message}
	case selected != nil && selected.Status == metav1.ConditionFalse:
		return chip{toneWarn, "Nothing selected", selected.Message}
	case selected != nil && selected.Reason == imagev1alpha1.ReasonKept:
		return chip{toneWarn, "Kept", selected.Message}
	}
	return chip{toneOK, "Ready", message}
}

func trueCondition(conditions []metav1.Condition, kind string) *metav1.Condition {
	if c := meta.FindStatusCondition(conditions, kind); c != nil && c.Status == metav1.ConditionTrue {
		return c
	}
	return nil
}

// The operator's own times: a poll comes at the interval and up to a fifth later, and writes lastSyncTime alone only once that is
// older than twice the interval, or five minutes.
const (
	pollLate     = 6 // fifths of the interval
	minSyncWrite = 5 * time.Minute
	clockSkew    = 30 * time.Second
)

// nextPoll returns until when a poll is expected; while polls go well without anything to write, until when one is written. Zero
// for a query that isn't polled at an interval now.
func nextPoll(query *imagev1alpha1.ImageQuery, now time.Time) time.Time {
	last := query.Status.LastSyncTime
	if last.IsZero() || query.Spec.Suspend {
		return time.Time{}
	}
	if next := last.Add(oneInterval(query)); next.After(now) {
		return next
	}
	return lastWriteBy(query)
}

func oneInterval(query *imagev1alpha1.ImageQuery) time.Duration {
	return query.Spec.Interval.Duration / 5 * pollLate
}

// lastWriteBy is when lastSyncTime is written again at the latest, as long as polls go well.
func lastWriteBy(query *imagev1alpha1.ImageQuery) time.Time {
	return query.Status.LastSyncTime.Add(max(2*query.Spec.Interval.Duration, minSyncWrite) + oneInterval(query) + clockSkew)
}

// overdue says whether a query that is synced should have been written again.
func overdue(query *imagev1alpha1.ImageQuery, now time.Time) bool {
	return !query.Status.LastSyncTime.IsZero() && !query.Spec.Suspend && now.After(lastWriteBy(query))
}
