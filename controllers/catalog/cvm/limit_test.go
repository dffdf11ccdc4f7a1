// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// waited returns how long wait blocks.
func waited(t *testing.T, b *bucket) time.Duration {
	t.Helper()
	began := time.Now()
	if err := b.wait(t.Context(), &line{}); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func TestTheBucketKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits{qps: 10, burst: 5}
		var at []time.Duration
		began := time.Now()
		for range 25 {
			waited(t, l.bucket("a"))
			at = append(at, time.Since(began).Round(time.Millisecond))
		}
		for i, got := range at {
			if want := time.Duration(max(0, i-4)) * 100 * time.Millisecond; got != want {
				t.Errorf("token %d came after %v, want %v", i+1, got, want)
			}
		}
	})
}

// wantBudget checks that no second had more requests than qps and burst together.
func wantBudget(t *testing.T, times []time.Time, limit int) {
	t.Helper()
	slices.SortFunc(times, time.Time.Compare)
	for i := range times {
		within := 0
		for _, at := range times[i:] {
			if at.Sub(times[i]) < time.Second {
				within++
			}
		}
		if within > limit {
			t.Errorf("%d requests within the second after %v, want at most %d", within, times[i].Sub(times[0]), limit)
			return
		}
	}
}

func TestNoSecondSeesMoreThanRateAndBurst(t *testing.T) {
	for name, pauses := range map[string]bool{"a cloud that is content": false, "a cloud that throttles now and then": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limits{qps: 10, burst: 5}
				b := l.bucket("a")
				var mu sync.Mutex
				var times []time.Time
				var group sync.WaitGroup
				for worker := range 40 {
					group.Go(func() {
						for range 5 {
							if b.wait(t.Context(), &line{}) != nil {
								t.Error("the wait ended early")
							}
							mu.Lock()
							times = append(times, time.Now())
							if pauses && len(times)%17 == 0 {
								b.throttled()
							}
							mu.Unlock()
							<-time.After(time.Duration(worker) * time.Millisecond)
						}
					})
				}
				group.Wait()
				if len(times) != 200 {
					t.Errorf("%d waits ended, want 200", len(times))
				}
				wantBudget(t, times, 15)
			})
		})
	}
}

func TestAPausedBucketLetsNobodyThroughWhoIsWaitingAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits{qps: 10, burst: 1}
		b := l.bucket("a")
		var group sync.WaitGroup
		var mu sync.Mutex
		var times []time.Time
		for range 20 {
			group.Go(func() {
				if b.wait(t.Context(), &line{}) != nil {
					t.Error("the wait ended early")
				}
				mu.Lock()
				defer mu.Unlock()
				times = append(times, time.Now())
			})
		}
		synctest.Wait() // one has passed, nineteen wait for tokens
		b.throttled()
		resume := b.resume
		group.Wait()
		early := slices.DeleteFunc(slices.Clone(times), func(at time.Time) bool { return !at.Before(resume) })
		if len(early) != 1 {
			t.Errorf("%d got through before the pause ended, want the one from before it began", len(early))
		}
		wantBudget(t, times, 11)
	})
}

func TestAPauseDoublesUpTo30SecondsAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits{qps: 1000, burst: 1000}
		b := l.bucket("a")
		wantPause := func(what string, whole time.Duration) {
			t.Helper()
			b.throttled()
			if got := waited(t, b); got < whole/2 || got >= whole {
				t.Errorf("%s: paused for %v, want from %v to %v", what, got, whole/2, whole)
			}
		}
		for i, seconds := range []int{1, 2, 4, 8, 16, 30, 30, 30} {
			wantPause(fmt.Sprintf("throttled %d times", i+1), time.Duration(seconds)*time.Second)
		}
		<-time.After(time.Nanosecond)
		b.succeeded()
		wantPause("after a good answer", time.Second)
		wantPause("throttled at once again", 2*time.Second)
	})
}

func TestAnswersThatComeDuringAPauseChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits{qps: 1000, burst: 1000}
		b := l.bucket("a")
		b.throttled()
		resume := b.resume
		for range 10 { // requests that were in flight
			b.throttled()
			b.succeeded()
		}
		if b.resume != resume || b.pause != time.Second {
			t.Errorf("the pause is %v to %v, want %v to %v", b.pause, b.resume, time.Second, resume)
		}
		waited(t, b)
		b.throttled()
		if b.pause != 2*time.Second {
			t.Errorf("the next pause is %v, want 2s: a good answer to an earlier request heals nothing", b.pause)
		}
	})
}

func TestPausesHaveJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits{qps: 1000, burst: 1000}
		pauses := map[time.Time]bool{}
		for i := range 20 {
			b := l.bucket(fmt.Sprint(i))
			b.throttled()
			pauses[b.resume] = true
		}
		if len(pauses) < 10 {
			t.Errorf("20 buckets throttled together resume at %d different times", len(pauses))
		}
	})
}

func TestBucketsAreIndependentAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits{qps: 1, burst: 1}
		if first := l.bucket("a"); first != l.bucket("a") || first == l.bucket("b") {
			t.Fatal("a source has not one bucket of its own")
		}
		waited(t, l.bucket("a"))
		l.bucket("a").throttled()
		if got := waited(t, l.bucket("b")); got != 0 {
			t.Errorf("another source waited %v", got)
		}
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(*bucket)
		// after is how long a wait with a deadline of 100 ms takes.
		after time.Duration
	}{
		"during a pause":                 {prepare: (*bucket).throttled, after: 100 * time.Millisecond},
		"when no token can come in time": {prepare: func(b *bucket) { b.tokens.AllowN(time.Now(), 1) }},
		"when a token comes during a pause": {
			prepare: func(b *bucket) { b.tokens.AllowN(time.Now(), 1); b.throttled() }, after: 100 * time.Millisecond,
		},
		"when it has ended before it begins": {prepare: func(*bucket) { <-time.After(time.Second) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limits{qps: 1, burst: 1}
				b := l.bucket("a")
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				tc.prepare(b)
				began := time.Now()
				if err := b.wait(ctx, &line{}); err == nil || time.Since(began) != tc.after {
					t.Errorf("wait() = %v after %v, want an error after %v", err, time.Since(began), tc.after)
				}
			})
		})
	}
}

func TestAListingThatGetsNoTokenIsThrottledByOurselves(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(150)...)
	c, err := New(Options{Endpoint: s.URL(), QPS: 0.001, Burst: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	listing, err := c.List(ctx, account, everything)
	failure := (*catalog.Error)(nil)
	if !errors.As(err, &failure) || failure.Kind != catalog.Throttled || failure.Code != "ClientError.RequestBudget" || failure.Cause != nil {
		t.Fatalf("%d images, %#v, want Throttled by the budget, at once", len(listing.Images), err)
	}
	wantSentence(t, failure.Message, "--cvm-qps")
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d requests with one token, want 1", n)
	}

	// The pause is longer than the deadline, so the context ends the wait.
	other := account
	other.Source = "secret/other"
	c.limits.bucket(bucketOf(other.Source, c.endpoint.host)).resume = time.Now().Add(time.Hour)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.List(ctx, other, everything); kindOf(err) != catalog.Throttled || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want Throttled by the context's deadline", err)
	}
}

func TestEachPageTakesOneToken(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(408)...)
	c, err := New(Options{Endpoint: s.URL(), QPS: 1e-9, Burst: 10})
	if err != nil {
		t.Fatal(err)
	}
	mustList(t, c, everything)
	if left := c.limits.bucket(bucketOf(account.Source, c.endpoint.host)).tokens.Tokens(); left < 5 || left > 5.01 {
		t.Errorf("%v of 10 tokens are left after 5 pages, want 5", left)
	}
}

func TestATokenComesBeforeTheSignature(t *testing.T) {
	slow(t)
	t.Parallel()
	s := start(t, cvmtest.Options{}, private(3)...)
	c := connect(t, s)
	resume := time.Now().Add(1100 * time.Millisecond)
	c.limits.bucket(bucketOf(account.Source, c.endpoint.host)).resume = resume
	var signed int64
	c.transport = tap{next: c.transport, before: func(r *http.Request, _ []byte) {
		signed, _ = strconv.ParseInt(r.Header.Get("X-TC-Timestamp"), 10, 64)
	}}
	mustList(t, c, everything)
	if signed < resume.Unix() {
		t.Errorf("signed at %d, %d s before the bucket's pause ended", signed, resume.Unix()-signed)
	}
}

func TestAThrottledPageIsAskedForAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		fault  cvmtest.Fault
		images int // 0: it fails
		want   []int64
	}{
		"throttled once": {
			fault: cvmtest.Fault{Page: 2, Code: "RequestLimitExceeded", Times: 1}, images: 150,
			want: []int64{0, 100, 100},
		},
		"throttled twice": {
			fault: cvmtest.Fault{Page: 2, Code: "RequestLimitExceeded.IPLimitExceeded", Times: 2}, images: 150,
			want: []int64{0, 100, 100, 100},
		},
		"throttled three times":  {fault: cvmtest.Fault{Page: 2, Code: "RequestLimitExceeded", Times: 3}, want: []int64{0, 100, 100, 100}},
		"throttled for good":     {fault: cvmtest.Fault{Code: "RequestLimitExceeded.UinLimitExceeded"}, want: []int64{0, 0, 0}},
		"another error is final": {fault: cvmtest.Fault{Page: 2, Code: "InternalError", Times: 1}, want: []int64{0, 100}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, cvmtest.Options{}, private(150)...)
			s.Inject(tc.fault)
			c := connect(t, s)
			if tc.images > 0 {
				if got := mustList(t, c, everything); len(got.Images) != tc.images || got.Inconsistent {
					t.Errorf("%d images, inconsistent %t", len(got.Images), got.Inconsistent)
				}
			} else if failure := mustFail(t, c, account, everything); failure.Code != tc.fault.Code {
				t.Errorf("%v, want %s", failure, tc.fault.Code)
			}
			if diff := cmp.Diff(tc.want, offsets(s)); diff != "" {
				t.Errorf("offsets of the requests (-want +got):\n%s", diff)
			}
			for i, r := range s.Requests()[1:] {
				before := s.Requests()[i]
				if since := r.Time.Sub(before.Time); strings.HasPrefix(before.Code, "RequestLimitExceeded") && since < 500*time.Millisecond {
					t.Errorf("asked again %v after it was throttled", since)
				}
			}
		})
	}
}

// The documented limit, and several clients: the cloud itself throttles.
func TestAListingGetsThroughACloudThatThrottles(t *testing.T) {
	slow(t)
	t.Parallel()
	s := start(t, cvmtest.Options{RateLimit: 4}, private(408)...)
	if got := mustList(t, connect(t, s), everything); len(got.Images) != 408 {
		t.Errorf("%d images", len(got.Images))
	}
}

func TestAGoodAnswerEndsTheDoublingOfPauses(t *testing.T) {
	c := connect(t, start(t, cvmtest.Options{}, private(1)...))
	b := c.limits.bucket(bucketOf(account.Source, c.endpoint.host))
	b.pause = maxPause
	mustList(t, c, everything)
	if b.pause != 0 {
		t.Errorf("the next pause would follow one of %v", b.pause)
	}
}

func TestAThrottledSourceDoesNotHoldUpAnother(t *testing.T) {
	slow(t)
	t.Parallel()
	s := start(t, cvmtest.Options{}, private(150)...)
	other := cvmtest.Credential{SecretID: "AKIDother", SecretKey: "other-key", UIN: cvmtest.DefaultCredential.UIN}
	s.SetCredential(other)
	s.Inject(cvmtest.Fault{SecretID: cvmtest.DefaultCredential.SecretID, Code: "RequestLimitExceeded"})
	c := connect(t, s)
	mustFail(t, c, account, everything)
	resume := c.limits.bucket(bucketOf(account.Source, c.endpoint.host)).resume
	if listing, err := c.List(t.Context(), accountOf(other), everything); err != nil || len(listing.Images) != 150 {
		t.Errorf("the other source: %d images, %v", len(listing.Images), err)
	}
	if b := c.limits.bucket(bucketOf("secret/AKIDother", c.endpoint.host)); b.pause != 0 || !b.resume.IsZero() || resume.IsZero() {
		t.Errorf("the other source's bucket is paused for %v to %v", b.pause, b.resume)
	}
}

func TestTheBudgetOfASourceIsKeptAtTheCloud(t *testing.T) {
	slow(t)
	t.Parallel()
	const pages, qps, burst = 45, 25, 5
	// The cloud counts per second. Allow for a machine that lags by seconds.
	s := start(t, cvmtest.Options{RateLimit: 4 * qps}, private(pages*100)...)
	c, err := New(Options{Endpoint: s.URL(), QPS: qps, Burst: burst})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if got := mustList(t, c, everything); len(got.Images) != pages*100 {
		t.Errorf("%d images", len(got.Images))
	}
	if took, least := time.Since(began), time.Duration(pages-burst)*time.Second/qps; took < least {
		t.Errorf("%d pages took %v, want at least %v", pages, took, least)
	}
	for _, r := range s.Requests() {
		if r.Code != "" {
			t.Errorf("a request was answered %s", r.Code)
		}
	}
	if n := len(s.Requests()); n != pages {
		t.Errorf("%d requests, want %d", n, pages)
	}
	// Each request that has arrived had its token by then.
	for i, r := range s.Requests() {
		if allowed := burst + qps*r.Time.Sub(began).Seconds(); float64(i+1) > allowed+1e-6 {
			t.Errorf("request %d came after %v, when %.1f were allowed", i+1, r.Time.Sub(began), allowed)
		}
	}
}
