// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"errors"
	"testing"
	"time"
	"unsafe"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// jump sets the clock as NTP or a person does: it shows another time, while time itself (Go's monotonic reading) goes on.
func (c *movableClock) jump(d time.Duration) { c.jumped.Add(int64(d / time.Second)) }

// shifted returns a time that shows more seconds, with the same monotonic reading. time.Time has no method for that: Add moves
// both. The seconds are above the 30 bits of nanoseconds.
func shifted(t time.Time, seconds int64) time.Time {
	if seconds != 0 {
		*(*uint64)(unsafe.Pointer(&t)) += uint64(seconds) << 30 // wraps for negative seconds, as it must
	}
	return t
}

func TestShifted(t *testing.T) {
	now := time.Now()
	for _, d := range []time.Duration{time.Hour, -time.Hour} {
		got := shifted(now, int64(d/time.Second))
		if shows := got.Round(0).Sub(now.Round(0)); shows != d {
			t.Errorf("the clock shows %s more, want %s", shows, d)
		}
		if passed := got.Sub(now); passed != 0 {
			t.Errorf("%s have passed, want none", passed)
		}
	}
}

// untilListed waits until the cloud was asked for more listings.
func (w *world) untilListed(since int) {
	w.Helper()
	w.Eventually(func() error {
		if n, _ := w.listings(); n <= since {
			return errors.New("the cloud was not asked for another listing")
		}
		return nil
	})
}

// quietAfter fails if many looks at the queries cause more than so many listings.
func (w *world) quietAfter(what string, most int) {
	w.Helper()
	before, _ := w.listings()
	for range 20 {
		w.pass(0)
		w.idle()
	}
	if after, _ := w.listings(); after-before > most {
		w.Errorf("%s, the cloud was asked for %d listings, want at most %d", what, after-before, most)
	}
}

// With removals pending, the next poll is due by the clock; all others are due after a time.
func removingOne(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) {
		s.Interval.Duration = 10 * time.Minute
		s.Removal.GracePeriod = &metav1.Duration{Duration: 5 * time.Minute}
	}))
	w.UntilSynced("golden")
	w.deleteImages(1)
	if query := w.Poll("golden"); len(query.Status.Removing) != 1 {
		t.Fatalf("removing is %v", query.Status.Removing)
	}
	return w
}

func TestAClockThatGoesBackStopsNoPoll(t *testing.T) {
	w := removingOne(t)
	w.clock.jump(-time.Hour)
	w.quietAfter("after the clock went back", 0)
	before, _ := w.listings()
	w.pass(12 * time.Minute) // the interval with its jitter
	w.untilListed(before)
	w.idle()
	if n := len(w.Images("")); n != 3 {
		t.Errorf("the clock shows no time after deleteAfter, and there are %d CloudImages, want 3", n)
	}
	if query := w.Poll("golden"); kit.Ready(query).Status != metav1.ConditionTrue {
		t.Errorf("Ready is not True: %s", kit.Describe(query))
	}
	w.pass(time.Hour)
	w.UntilQuery("golden", "nothing is removing", func(q *imagev1alpha1.ImageQuery) bool { return len(q.Status.Removing) == 0 })
	if n := len(w.Images("")); n != 2 {
		t.Errorf("there are %d CloudImages, want 2", n)
	}
}

func TestAClockThatGoesForwardStartsNoStorm(t *testing.T) {
	w := removingOne(t)
	w.clock.jump(4 * time.Minute)
	w.quietAfter("before deleteAfter", 0)
	if n := len(w.Images("")); n != 3 {
		t.Errorf("before deleteAfter there are %d CloudImages, want 3", n)
	}
	w.clock.jump(56 * time.Minute)
	w.pass(0)
	w.UntilQuery("golden", "nothing is removing", func(q *imagev1alpha1.ImageQuery) bool { return len(q.Status.Removing) == 0 })
	w.quietAfter("after the clock went forward", 0)
	if query := w.Query("golden"); kit.Ready(query).Status != metav1.ConditionTrue {
		t.Errorf("Ready is not True: %s", kit.Describe(query))
	}

	// And right again.
	w.clock.jump(-time.Hour)
	w.quietAfter("after the clock was corrected", 0)
	before, _ := w.listings()
	w.Poll("golden")
	w.untilListed(before)
	before, _ = w.listings()
	w.pass(12 * time.Minute)
	w.untilListed(before)
}
