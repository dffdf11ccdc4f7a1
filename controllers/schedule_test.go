// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
)

// syncedQuery returns a query that was last synced some time before noon.
func syncedQuery(ago time.Duration) *imagev1alpha1.ImageQuery {
	q := &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: "golden", UID: "uid", Generation: 2}}
	q.Spec.Interval.Duration = 10 * time.Minute
	q.Status = imagev1alpha1.ImageQueryStatus{
		ObservedGeneration: 2, SyncedGeneration: 2, LastSyncTime: &metav1.Time{Time: catalogtest.Noon.Add(-ago)},
	}
	return q
}

func TestNextPoll(t *testing.T) {
	requested := func(q *imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQuery {
		q.Annotations = map[string]string{imagev1alpha1.AnnotationRequestedAt: "now"}
		return q
	}
	edited := func(q *imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQuery {
		q.Generation++
		return q
	}
	polled := pollState{lastAttempt: catalogtest.Noon.Add(-time.Minute), generation: 2, due: catalogtest.Noon.Add(9 * time.Minute)}
	lost := func(m pollState, losses int) pollState {
		m.lost, m.losses = true, losses
		return m
	}
	handled := polled
	handled.requestedAt = "now"
	justPolled := polled
	justPolled.lastAttempt = catalogtest.Noon.Add(-100 * time.Millisecond)

	for name, tc := range map[string]struct {
		query   *imagev1alpha1.ImageQuery
		memory  pollState
		account catalog.Account
		wantAt  time.Time // noon or earlier means now
	}{
		"after a restart, a query that is not due waits for its time": {
			query: syncedQuery(4 * time.Minute), wantAt: catalogtest.Noon.Add(6 * time.Minute),
		},
		"after a restart, an overdue query waits for its place": {
			query: syncedQuery(time.Hour), wantAt: catalogtest.Noon.Add(phaseOf(catalog.Account{}, syncedQuery(0)).Spread(10 * time.Minute)),
		},
		"after a restart, an unsynced generation is due at once": {query: edited(syncedQuery(time.Minute)), wantAt: catalogtest.Noon},
		"after a restart, a new request is due at once":          {query: requested(syncedQuery(time.Minute)), wantAt: catalogtest.Noon},
		"a first loss is looked at soon": {
			query: syncedQuery(time.Minute), memory: lost(polled, 0), wantAt: catalogtest.Noon,
		},
		"a loss just after a poll waits for a moment": {
			query:  syncedQuery(0),
			memory: lost(pollState{lastAttempt: catalogtest.Noon, generation: 2, due: catalogtest.Noon.Add(9 * time.Minute)}, 0),
			wantAt: catalogtest.Noon.Add(5 * time.Second),
		},
		"losses again and again are looked at more and more seldom": {
			query: syncedQuery(time.Minute), memory: lost(polled, 4), wantAt: catalogtest.Noon.Add(20 * time.Second),
		},
		"and not after the interval": {
			query: syncedQuery(time.Minute), memory: lost(polled, 40), wantAt: catalogtest.Noon.Add(9 * time.Minute),
		},
		"after a restart, a gone image that is shared is asked for": {
			query: syncedQuery(time.Minute), memory: pollState{peerDue: true}, wantAt: catalogtest.Noon,
		},
		"a polled query waits for its due time": {
			query: syncedQuery(time.Minute), memory: polled, wantAt: catalogtest.Noon.Add(9 * time.Minute),
		},
		"an edit is due at once": {
			query: edited(syncedQuery(time.Minute)), memory: polled, wantAt: catalogtest.Noon,
		},
		"a request is due at once": {
			query: requested(syncedQuery(time.Minute)), memory: polled, wantAt: catalogtest.Noon,
		},
		"a request that was handled is not due again": {
			query: requested(syncedQuery(time.Minute)), memory: handled, wantAt: catalogtest.Noon.Add(9 * time.Minute),
		},
		"other keys are due at once": {
			query: syncedQuery(time.Minute), memory: polled, account: catalog.Account{SecretID: "other"},
			wantAt: catalogtest.Noon,
		},
		"nobody gets more than a poll a second": {
			query: requested(syncedQuery(time.Minute)), memory: justPolled,
			wantAt: catalogtest.Noon.Add(900 * time.Millisecond),
		},
		"after a restart, a last poll of tomorrow is none to wait for": {query: syncedQuery(-24 * time.Hour), wantAt: catalogtest.Noon},
		"another node's clock may be a little ahead": {
			query: syncedQuery(-30 * time.Second), wantAt: catalogtest.Noon.Add(10*time.Minute + 30*time.Second),
		},
	} {
		t.Run(name, func(t *testing.T) {
			at, why := nextPoll(tc.query, &tc.memory, tc.account, catalogtest.Noon, catalogtest.Noon)
			if why == "" {
				t.Error("no reason is given")
			}
			if !tc.wantAt.After(catalogtest.Noon) {
				if at.After(catalogtest.Noon) {
					t.Errorf("due %s after catalogtest.Noon, want now", at.Sub(catalogtest.Noon))
				}
			} else if !at.Equal(tc.wantAt) {
				t.Errorf("due %s after catalogtest.Noon, want %s", at.Sub(catalogtest.Noon), tc.wantAt.Sub(catalogtest.Noon))
			}
		})
	}
}

// A generation that always fails must not take precedence forever.
func TestAGenerationIsNewUntilItWasTried(t *testing.T) {
	synced, edited := syncedQuery(time.Hour), syncedQuery(time.Hour)
	edited.Generation++
	for name, tc := range map[string]struct {
		query  *imagev1alpha1.ImageQuery
		memory pollState
		want   bool
	}{
		"never tried":                        {query: edited, want: true},
		"tried, and not synced":              {query: edited, memory: pollState{generation: edited.Generation}},
		"the generation before it was tried": {query: edited, memory: pollState{generation: synced.Generation}, want: true},
		"synced by an earlier process":       {query: synced},
	} {
		if got := tc.memory.isNew(tc.query); got != tc.want {
			t.Errorf("%s: new is %t, want %t", name, got, tc.want)
		}
	}
}

func TestQueriesThatCanShareAListingHaveOnePhase(t *testing.T) {
	alice, bob := catalog.Account{Source: "secret/alice"}, catalog.Account{Source: "secret/bob"}
	one, other := syncedQuery(0), syncedQuery(time.Hour)
	other.UID, other.Name, other.Spec.Interval.Duration = "other", "other", time.Hour
	if phaseOf(alice, one) != phaseOf(alice, other) {
		t.Error("two queries of the same request have different phases")
	}
	other.Spec.Region = "ap-shanghai"
	if phaseOf(alice, one) == phaseOf(alice, other) || phaseOf(alice, one) == phaseOf(bob, one) {
		t.Error("different requests have the same phase")
	}
}

func TestAPollsEndSetsTheNextDueTime(t *testing.T) {
	bad := &pollResult{failure: &failure{reason: imagev1alpha1.ReasonUnavailable}}
	for name, tc := range map[string]struct {
		success  time.Duration // ago
		outcome  *pollResult
		min, max time.Duration
	}{
		"success: at the next time of its phase": {
			success: time.Minute, outcome: &pollResult{}, min: 2 * time.Minute, max: 12 * time.Minute,
		},
		"failure: a first retry": {success: time.Minute, outcome: bad, min: 5 * time.Second, max: 6 * time.Second},
		"failure just before data gets stale: be there then": {
			success: 40*time.Minute - 2*time.Second, outcome: bad, min: 2 * time.Second, max: 2 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			q, m := syncedQuery(tc.success), &pollState{}
			m.pollFinished(q, tc.outcome, catalogtest.Noon)
			if got := m.due.Sub(catalogtest.Noon); got < tc.min || got > tc.max {
				t.Errorf("due after %s, want between %s and %s", got, tc.min, tc.max)
			}
		})
	}
}

func TestFreshnessEnds(t *testing.T) {
	for name, tc := range map[string]struct{ interval, want time.Duration }{
		"four intervals":                {10 * time.Minute, 40 * time.Minute},
		"at least a quarter of an hour": {time.Minute, 15 * time.Minute},
		"at most a day more":            {168 * time.Hour, 192 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			q := syncedQuery(0)
			q.Spec.Interval.Duration = tc.interval
			if got := staleAt(q, catalogtest.Noon).Sub(catalogtest.Noon); got != tc.want {
				t.Errorf("stale after %s, want %s", got, tc.want)
			}
		})
	}
}

func TestANamesakeHasNoMemories(t *testing.T) {
	var all pollStates
	first := syncedQuery(0)
	all.of(first).failures = 3
	if all.of(first).failures != 3 {
		t.Error("the memory of a query is lost")
	}
	second := syncedQuery(0)
	second.UID = "another"
	if all.of(second).failures != 0 || len(all.byUID) != 1 {
		t.Error("a namesake has the memory of its predecessor, or that is kept")
	}
	all.forget("golden")
	// A peer that read a stale cache may still mark it due.
	if !all.noteGone("golden", "img") || !all.markDue("golden") {
		t.Error("a query that is not known can't be made due")
	}
	all.forget("golden")
	if len(all.byUID)+len(all.names)+len(all.due)+len(all.gone) != 0 {
		t.Error("a deleted query is remembered")
	}
}

// Without the threshold, most status writes would only move lastSyncTime.
func TestLastSyncTimeMovesWithNewsOrWhenItIsOld(t *testing.T) {
	for name, tc := range map[string]struct {
		interval, age time.Duration // age of lastSyncTime in status; 0: not set
		news, never   bool
		moves         bool
	}{
		"nothing shown yet":                   {interval: 10 * time.Minute, moves: true},
		"nothing new":                         {interval: 10 * time.Minute, age: 20*time.Minute - time.Second},
		"nothing new in two intervals":        {interval: 10 * time.Minute, age: 20 * time.Minute, moves: true},
		"a short interval":                    {interval: time.Minute, age: 5*time.Minute - time.Second},
		"a short interval, but five minutes":  {interval: time.Minute, age: 5 * time.Minute, moves: true},
		"written for another reason":          {interval: 10 * time.Minute, age: time.Minute, news: true, moves: true},
		"written, but without a success ever": {interval: 10 * time.Minute, age: time.Hour, news: true, never: true},
	} {
		t.Run(name, func(t *testing.T) {
			query := syncedQuery(0)
			query.Spec.Interval.Duration = tc.interval
			query.Status.LastSyncTime = nil
			success, shown := catalogtest.Noon, metav1.NewTime(catalogtest.Noon.Add(-tc.age))
			if tc.age > 0 {
				query.Status.LastSyncTime = &shown
			}
			e := statusBuilder{status: query.Status.DeepCopy()}
			if tc.news {
				e.status.SelectedSummary = "another"
			}
			if tc.never {
				success = time.Time{}
			}
			e.stampSync(query, success)
			if got := e.status.LastSyncTime; (got != nil && got.Time.Equal(catalogtest.Noon)) != tc.moves {
				t.Errorf("lastSyncTime is %v, was %v", got, query.Status.LastSyncTime)
			}
		})
	}
}

// Whatever asks for a poll gets one, a second after the last one at the earliest, with its reason in the log.
func TestWhyAPollIsDue(t *testing.T) {
	annotated := func(key, value string) func(*imagev1alpha1.ImageQuery, *pollState) {
		return func(q *imagev1alpha1.ImageQuery, _ *pollState) { q.Annotations = map[string]string{key: value} }
	}
	blocked := func(approval string) func(*imagev1alpha1.ImageQuery, *pollState) {
		return func(q *imagev1alpha1.ImageQuery, _ *pollState) {
			meta.SetStatusCondition(&q.Status.Conditions, metav1.Condition{
				Type: imagev1alpha1.ConditionRemovalBlocked, Status: metav1.ConditionTrue,
				Message: "kubectl annotate approve-removal=token --overwrite",
			})
			q.Annotations = map[string]string{imagev1alpha1.AnnotationApproveRemoval: approval}
		}
	}
	created := func(verdict imagev1alpha1.SelectionVerdict, ages ...time.Duration) func(*imagev1alpha1.ImageQuery, *pollState) {
		return func(q *imagev1alpha1.ImageQuery, _ *pollState) {
			q.Spec.Selection.MinAge.Duration = time.Hour
			image := imagev1alpha1.ImageSummary{ImageID: "img-1", Selection: verdict}
			for _, age := range ages {
				image.CreatedTime = &metav1.Time{Time: catalogtest.Noon.Add(-age)}
			}
			q.Status.Images = []imagev1alpha1.ImageSummary{image}
		}
	}
	const floor, due = 900 * time.Millisecond, 9 * time.Minute
	for name, tc := range map[string]struct {
		restarted bool
		change    func(*imagev1alpha1.ImageQuery, *pollState)
		wantAfter time.Duration // noon; 0 means now
		want      string
	}{
		"an edit":     {change: func(q *imagev1alpha1.ImageQuery, _ *pollState) { q.Generation++ }, wantAfter: floor, want: "the spec changed"},
		"a request":   {change: annotated(imagev1alpha1.AnnotationRequestedAt, "now"), wantAfter: floor, want: "a poll was requested"},
		"an approval": {change: annotated(imagev1alpha1.AnnotationApproveRemoval, "token"), wantAfter: floor, want: "a removal was approved"},
		"the approval of before": {
			change: func(q *imagev1alpha1.ImageQuery, m *pollState) { blocked("token")(q, m); m.approval = "token" }, wantAfter: due,
			want: "the interval has passed",
		},
		"an approval that is withdrawn": {
			change: func(_ *imagev1alpha1.ImageQuery, m *pollState) { m.approval = "token" }, wantAfter: due, want: "the interval has passed",
		},
		"other keys": {
			change: func(_ *imagev1alpha1.ImageQuery, m *pollState) { m.account.SecretID = "before" }, wantAfter: floor,
			want: "the credentials changed",
		},
		"a peer": {
			change:    func(_ *imagev1alpha1.ImageQuery, m *pollState) { m.peerDue = true },
			wantAfter: floor, want: "another query found an image to be gone",
		},
		"a failure": {change: func(_ *imagev1alpha1.ImageQuery, m *pollState) { m.failures = 1 }, wantAfter: due,
			want: "the last poll failed"},
		"after a restart, nothing": {restarted: true, wantAfter: due, want: "the interval has passed"},
		"after a restart, an approval": {
			restarted: true, change: blocked("token"), want: "a removal was approved",
		},
		"after a restart, no approval":        {restarted: true, change: blocked(""), wantAfter: due, want: "the interval has passed"},
		"after a restart, another's approval": {restarted: true, change: blocked("other"), wantAfter: due, want: "the interval has passed"},
		"after a restart, an approval of nothing": {
			restarted: true, change: annotated(imagev1alpha1.AnnotationApproveRemoval, "token"), wantAfter: due, want: "the interval has passed",
		},
		"after a restart, an old request": {
			restarted: true, change: func(q *imagev1alpha1.ImageQuery, _ *pollState) { q.Status.LastHandledReconcileAt = "before" }, wantAfter: due,
			want: "the interval has passed",
		},
		"after a restart, a loss": {
			restarted: true, change: func(_ *imagev1alpha1.ImageQuery, m *pollState) { m.lost = true },
			wantAfter: phaseOf(catalog.Account{}, syncedQuery(0)).Spread(10 * time.Minute), want: "CloudImages are missing",
		},
		"after a restart, an age": {restarted: true, change: created("TooYoung", 58*time.Minute), wantAfter: 2 * time.Minute,
			want: "the interval has passed"},
		"after a restart, no time of creation": {restarted: true, change: created("TooYoung"), wantAfter: due, want: "the interval has passed"},
		"after a restart, one that is selected": {restarted: true, change: created("Selected", 58*time.Minute), wantAfter: due,
			want: "the interval has passed"},
	} {
		t.Run(name, func(t *testing.T) {
			q, m := syncedQuery(time.Minute), &pollState{}
			if !tc.restarted {
				m = &pollState{lastAttempt: catalogtest.Noon.Add(-100 * time.Millisecond), generation: 2, due: catalogtest.Noon.Add(due)}
			}
			if tc.change != nil {
				tc.change(q, m)
			}
			at, why := nextPoll(q, m, catalog.Account{}, catalogtest.Noon, catalogtest.Noon)
			if why != tc.want || max(0, at.Sub(catalogtest.Noon)) != tc.wantAfter {
				t.Errorf("due after %s, %q, want %s, %q", at.Sub(catalogtest.Noon), why, tc.wantAfter, tc.want)
			}
		})
	}
}

// Only a listing made after the end of a grace period may cause a deletion.
func TestARemovalIsDueWhenAGracePeriodHasEnded(t *testing.T) {
	q := syncedQuery(0)
	if removalDue(q, catalogtest.Noon) {
		t.Error("nothing is being removed")
	}
	for after, want := range map[time.Duration]bool{-time.Second: true, 0: true, time.Second: false} {
		q.Status.Removing = []imagev1alpha1.RemovingImage{
			{DeleteAfter: metav1.NewTime(catalogtest.Noon.Add(time.Hour))}, {DeleteAfter: metav1.NewTime(catalogtest.Noon.Add(after))},
		}
		if got := removalDue(q, catalogtest.Noon); got != want {
			t.Errorf("%s after its end: due is %t", -after, got)
		}
	}
}

// Status may lag behind, or come from a clock that was ahead.
func TestTheLastSuccessIsTheOneInMemory(t *testing.T) {
	q, never, memory := syncedQuery(time.Hour), syncedQuery(0), catalogtest.Noon.Add(-time.Minute)
	never.Status.LastSyncTime = nil
	for name, tc := range map[string]struct {
		query *imagev1alpha1.ImageQuery
		m     pollState
		want  time.Time
	}{
		"memory":                           {q, pollState{success: memory}, memory},
		"status":                           {q, pollState{}, q.Status.LastSyncTime.Time},
		"neither":                          {never, pollState{}, time.Time{}},
		"memory of a query without status": {never, pollState{success: memory}, memory},
	} {
		if got := lastSuccess(tc.query, &tc.m); !got.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
