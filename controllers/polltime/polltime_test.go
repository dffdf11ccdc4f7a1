// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package polltime_test

import (
	"testing"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/polltime"
)

func TestOverdueQueriesSpreadOverATenthOfTheirInterval(t *testing.T) {
	for _, tc := range []struct {
		interval time.Duration
		phase    polltime.Phase
		want     time.Duration
	}{
		{time.Hour, 0, 0},
		{time.Hour, 1 << 63, 30 * time.Second},
		{2 * time.Minute, 1 << 63, 6 * time.Second},
		{2 * time.Minute, 3 << 62, 9 * time.Second},
	} {
		if got := tc.phase.Spread(tc.interval); got != tc.want {
			t.Errorf("with interval %s and phase %#x it is %s, want %s", tc.interval, tc.phase, got, tc.want)
		}
	}
}

func TestTheIntervalMakesQueriesDueTogether(t *testing.T) {
	const interval = 10 * time.Minute
	due := map[time.Time]bool{}
	for i := range polltime.Phase(8) {
		phase := i<<61 | i<<40 | 7 // also beyond the time since 1970
		clear(due)
		for ago := time.Duration(0); ago < interval; ago += time.Second {
			now := catalogtest.Noon.Add(-ago)
			left := phase.UntilDue(interval, now)
			if left <= interval/5 || left > interval*6/5 {
				t.Fatalf("a poll %s before noon is followed by one after %s", ago, left)
			}
			at := now.Add(left)
			if got := uint64(at.UnixNano()) % uint64(interval); got != uint64(phase)%uint64(interval) {
				t.Fatalf("it is due %d ns after a whole interval, want %d", got, uint64(phase)%uint64(interval))
			}
			due[at] = true
			if again := phase.UntilDue(interval, now.Add(left)); again != interval {
				t.Fatalf("the poll after it is followed by one after %s, want %s", again, interval)
			}
			if late := phase.UntilDue(interval, now.Add(left+time.Second)); late != interval-time.Second {
				t.Fatalf("a poll that is a second late is followed by one after %s, want %s", late, interval-time.Second)
			}
			if longer := phase.UntilDue(3*interval, now.Add(left)); longer%interval != 0 {
				t.Fatalf("a query of three intervals is due %s after one of one interval", longer)
			}
		}
		if len(due) != 2 {
			t.Errorf("polls of one interval are followed by %d different times, want 2", len(due))
		}
	}
}

func TestTheNextTimeIsMoreThanAFifthOfTheIntervalAway(t *testing.T) {
	for _, tc := range []struct{ interval, left, want time.Duration }{
		{10 * time.Minute, 10 * time.Minute, 10 * time.Minute},
		{10 * time.Minute, 2*time.Minute + 1, 2*time.Minute + 1},
		{10 * time.Minute, 2 * time.Minute, 12 * time.Minute},
		{10 * time.Minute, 1, 10*time.Minute + 1},
		{0, 0, polltime.Floor}, // an interval that admission refuses
	} {
		now := time.Unix(0, 0).Add(1000*tc.interval - tc.left)
		if got := polltime.Phase(0).UntilDue(tc.interval, now); got != tc.want {
			t.Errorf("%s before its time a query of %s is due after %s, want %s", tc.left, tc.interval, got, tc.want)
		}
	}
}

func TestAPhaseIsThatOfARequest(t *testing.T) {
	if a, b := polltime.PhaseOf("a"), polltime.PhaseOf("b"); a == b || a != polltime.PhaseOf("a") {
		t.Errorf("two requests have the phases %#x and %#x", a, b)
	}
}

func TestRetriesDoubleUpToTheInterval(t *testing.T) {
	for name, tc := range map[string]struct {
		failures int
		interval time.Duration
		want     time.Duration
	}{
		"the first retry":                   {1, time.Hour, 5 * time.Second},
		"the second":                        {2, time.Hour, 10 * time.Second},
		"the fifth":                         {5, time.Hour, 80 * time.Second},
		"never later than ten minutes":      {50, time.Hour, 10 * time.Minute},
		"never later than a short interval": {50, time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			if got := polltime.RetryAfter(tc.failures, tc.interval); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
