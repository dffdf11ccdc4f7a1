// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

var noon = time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)

// has is a query with these conditions, each as type=status/reason, that was synced some time ago.
func has(age time.Duration, conditions ...metav1.Condition) *imagev1alpha1.ImageQuery {
	query := &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: "golden", Generation: 1}}
	query.Spec.Interval.Duration = 10 * time.Minute
	query.Status = imagev1alpha1.ImageQueryStatus{
		ObservedGeneration: 1, Conditions: conditions, LastSyncTime: new(metav1.NewTime(noon.Add(-age))), ImageCount: new(int32(3)),
	}
	return query
}

func condition(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: reason + " it is."}
}

func TestEachStateHasItsLook(t *testing.T) {
	ready := condition("Ready", "True", "Synced")
	for name, c := range map[string]struct {
		query *imagev1alpha1.ImageQuery
		edit  func(*imagev1alpha1.ImageQuery)
		want  chip
	}{
		"nothing yet":  {query: has(0), want: chip{toneBusy, "New", "The operator hasn't looked at this query yet."}},
		"synced":       {query: has(0, ready, condition("Selected", "True", "Selected")), want: chip{toneOK, "Ready", "Synced it is."}},
		"suspended":    {query: has(0, condition("Ready", "True", "Suspended")), want: chip{toneIdle, "Suspended", "Suspended it is."}},
		"stalled":      {query: has(0, condition("Ready", "True", "Retrying"), condition("Stalled", "True", "InvalidQuery")), want: chip{toneBad, "Stalled", "InvalidQuery it is."}},
		"blocked":      {query: has(0, condition("Ready", "True", "RemovalBlocked"), condition("RemovalBlocked", "True", "x")), want: chip{toneWarn, "Blocked", "RemovalBlocked it is."}},
		"throttled":    {query: has(0, condition("Ready", "False", "Throttled")), want: chip{toneWarn, "Throttled", "Throttled it is."}},
		"failing":      {query: has(0, condition("Ready", "False", "Unavailable")), want: chip{toneBad, "Failing", "Unavailable it is."}},
		"progressing":  {query: has(0, condition("Ready", "Unknown", "Progressing")), want: chip{toneBusy, "Progressing", "Progressing it is."}},
		"edited":       {query: has(0, ready), edit: func(q *imagev1alpha1.ImageQuery) { q.Generation = 2 }, want: chip{toneBusy, "Progressing", "Synced it is."}},
		"retrying":     {query: has(0, condition("Ready", "True", "Retrying")), want: chip{toneWarn, "Retrying", "Retrying it is."}},
		"just in time": {query: has(32*time.Minute, ready), want: chip{toneOK, "Ready", "Synced it is."}},
		"overdue": {
			query: has(33*time.Minute, ready),
			want:  chip{toneWarn, "Overdue", "No poll was recorded in time: look whether the operator runs. Synced it is."},
		},
		"no images": {
			query: has(0, condition("Ready", "True", "NoImagesMatched"), condition("Selected", "False", "NothingSelected")),
			edit:  func(q *imagev1alpha1.ImageQuery) { q.Status.ImageCount = new(int32(0)) },
			want:  chip{toneIdle, "No images", "NoImagesMatched it is."},
		},
		"nothing selected": {
			query: has(0, ready, condition("Selected", "False", "NothingSelected")),
			want:  chip{toneWarn, "Nothing selected", "NothingSelected it is."},
		},
		"kept": {query: has(0, ready, condition("Selected", "True", "Kept")), want: chip{toneWarn, "Kept", "Kept it is."}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.edit != nil {
				c.edit(c.query)
			}
			if got := stateOf(c.query, noon); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestNextPoll(t *testing.T) {
	for age, want := range map[time.Duration]time.Duration{
		0: 12 * time.Minute, 11 * time.Minute: time.Minute, // by the interval and a fifth of it
		12 * time.Minute: 20*time.Minute + 30*time.Second, // a poll that changed nothing may not have been written
	} {
		if got := nextPoll(has(age), noon).Sub(noon); got != want {
			t.Errorf("%s after a sync the next poll is expected in %s, want %s", age, got, want)
		}
	}
	suspended := has(0)
	suspended.Spec.Suspend = true
	if got := nextPoll(suspended, noon); !got.IsZero() {
		t.Errorf("a suspended query is expected to be polled at %s", got)
	}
}

func TestTimesAreRelative(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "in less than a minute", -time.Second: "just now", -time.Minute: "1 minute ago", -119 * time.Minute: "119 minutes ago",
		-2 * time.Hour: "2 hours ago", -47 * time.Hour: "47 hours ago", -48 * time.Hour: "2 days ago", 72 * time.Hour: "in 3 days",
		-70 * 24 * time.Hour: "2 months ago", -800 * 24 * time.Hour: "2 years ago", 30 * time.Minute: "in 30 minutes",
	} {
		if got := relative(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
