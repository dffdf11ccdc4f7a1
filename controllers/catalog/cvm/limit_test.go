// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheBucketKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits{qps: 10, burst: 5}
		start := time.Now()
		for range 25 {
			if err := l.bucket("a").wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		// Five at once, twenty at ten a second.
		if took := time.Since(start); took < 1999*time.Millisecond || took > 2100*time.Millisecond {
			t.Errorf("25 tokens took %s, want 2s", took)
		}
	})
}

func TestAThrottledBucketPausesLongerEachTimeAndOthersDoNotNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits{qps: 1000, burst: 1000}
		wait := func(source string) time.Duration {
			start := time.Now()
			if err := l.bucket(source).wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			return time.Since(start)
		}
		for pause := firstPause; pause < 2*maxPause; pause *= 2 {
			want := min(pause, maxPause)
			l.bucket("a").throttled()
			l.bucket("a").throttled() // another request that was under way
			if other := wait("b"); other != 0 {
				t.Errorf("another source waited %s", other)
			}
			if got := wait("a"); got < want/2 || got > want {
				t.Errorf("the pause is %s, want between %s and %s", got, want/2, want)
			}
		}
		<-time.After(time.Millisecond) // content() counts only what comes after the pause
		l.bucket("a").content()
		l.bucket("a").throttled()
		if got := wait("a"); got > firstPause {
			t.Errorf("after a good answer the pause is %s, want at most %s", got, firstPause)
		}
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits{qps: 1000, burst: 1000}
		l.bucket("a").throttled()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := l.bucket("a").wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
