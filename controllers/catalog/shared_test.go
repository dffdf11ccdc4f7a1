// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// lister answers with a listing that contains the number of the call, after a time in which others can join.
type lister struct {
	takes time.Duration

	mu    sync.Mutex
	calls []catalog.Account
	// fail, if set, returns the error of the n-th call, from 1.
	fail func(ctx context.Context, n int) error
}

func (l *lister) List(ctx context.Context, account catalog.Account, _ catalog.Query) (catalog.Listing, error) {
	l.mu.Lock()
	l.calls = append(l.calls, account)
	n, fail := len(l.calls), l.fail
	l.mu.Unlock()
	select {
	case <-time.After(l.takes):
	case <-ctx.Done():
		return catalog.Listing{}, ctx.Err()
	}
	if fail != nil {
		if err := fail(ctx, n); err != nil {
			return catalog.Listing{}, err
		}
	}
	return answer(n), nil
}

func (l *lister) called() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}

// answer returns the answer of the lister's n-th call.
func answer(n int) catalog.Listing {
	return catalog.Listing{Images: []catalog.Image{{ID: fmt.Sprintf("img-%d", n)}}}
}

// listed is the result of one waiter.
type listed struct {
	listing catalog.Listing
	err     error
}

// together lists for all queries concurrently and returns the results in order.
func together(ctx context.Context, shared *catalog.Shared, account catalog.Account, queries ...catalog.Query) []listed {
	got := make([]listed, len(queries))
	var group sync.WaitGroup
	for i, q := range queries {
		group.Go(func() { got[i].listing, got[i].err = shared.List(ctx, account, q) })
	}
	group.Wait()
	return got
}

var (
	alice = catalog.Account{Source: "secret/alice", SecretID: "AKIDalice", SecretKey: "a"}
	bob   = catalog.Account{Source: "secret/bob", SecretID: "AKIDbob", SecretKey: "b"}
	cents = catalog.Query{Region: "ap-guangzhou", Filters: []catalog.Filter{{Name: "platform", Values: []string{"CentOS"}}}}
	fresh = catalog.Query{Region: cents.Region, Filters: cents.Filters, Fresh: true}
)

// pass advances the time of a synctest bubble.
func pass(d time.Duration) { <-time.After(d) }

func wantAnswer(t *testing.T, what string, got listed, n int) {
	t.Helper()
	if got.err != nil {
		t.Errorf("%s: %v", what, got.err)
	} else if diff := cmp.Diff(answer(n), got.listing); diff != "" {
		t.Errorf("%s, want the answer of call %d (-want +got):\n%s", what, n, diff)
	}
}

func TestIdenticalQueriesInFlightShareOneListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{takes: time.Minute} // longer than a finished listing is shared
		shared := catalog.NewShared(l, time.Now)
		reordered := cents
		reordered.Filters = []catalog.Filter{{Name: "platform", Values: []string{"CentOS", "CentOS"}}}
		for i, got := range together(t.Context(), shared, alice, cents, cents, reordered, cents) {
			wantAnswer(t, fmt.Sprint("waiter ", i), got, 1)
		}
		if l.called() != 1 {
			t.Errorf("%d calls, want 1", l.called())
		}
	})
}

func TestDifferentQueriesAreListedAtOnceAndApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{takes: time.Second}
		shared := catalog.NewShared(l, time.Now)
		began := time.Now()
		together(t.Context(), shared, alice, cents, catalog.Query{Region: "ap-guangzhou"}, catalog.Query{Region: "ap-beijing"})
		if l.called() != 3 || time.Since(began) != time.Second {
			t.Errorf("%d calls in %v, want 3 in 1s", l.called(), time.Since(began))
		}
	})
}

func TestAFinishedListingIsSharedFor10SecondsAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{}
		shared := catalog.NewShared(l, time.Now)
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {0, 1}, {9999 * time.Millisecond, 1}, {time.Millisecond, 2}, {9 * time.Second, 2}, {time.Hour, 3}} {
			pass(step.after)
			wantAnswer(t, fmt.Sprintf("after another %v", step.after), together(t.Context(), shared, alice, cents)[0], step.want)
		}
	})
}

// The clock decides, also when the timer that frees the listing is late.
func TestAFinishedListingIsNotSharedAfter10SecondsOfTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, now := &lister{}, time.Now()
		shared := catalog.NewShared(l, func() time.Time { return now })
		wantAnswer(t, "the first", together(t.Context(), shared, alice, cents)[0], 1)
		now = now.Add(10 * time.Second)
		wantAnswer(t, "after 10 seconds", together(t.Context(), shared, alice, cents)[0], 2)
	})
}

func TestAFailedListingIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := &catalog.Error{Kind: catalog.Unavailable, Message: "no"}
		l := &lister{takes: time.Second, fail: func(_ context.Context, n int) error {
			if n == 1 {
				return failure
			}
			return nil
		}}
		shared := catalog.NewShared(l, time.Now)
		for i, got := range together(t.Context(), shared, alice, cents, cents) {
			if !errors.Is(got.err, failure) || len(got.listing.Images) > 0 {
				t.Errorf("waiter %d: %v, %v, want the shared failure", i, got.listing, got.err)
			}
		}
		wantAnswer(t, "the next", together(t.Context(), shared, alice, cents)[0], 2)
	})
}

func TestFreshBypassesTheWindowAndRenewsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{}
		shared := catalog.NewShared(l, time.Now)
		wantAnswer(t, "the first", together(t.Context(), shared, alice, cents)[0], 1)
		wantAnswer(t, "fresh", together(t.Context(), shared, alice, fresh)[0], 2)
		pass(9 * time.Second)
		wantAnswer(t, "not fresh, within the window of the fresh one", together(t.Context(), shared, alice, cents)[0], 2)
		wantAnswer(t, "fresh again", together(t.Context(), shared, alice, fresh)[0], 3)
		pass(9 * time.Second)
		// The windows of the first listings have ended. That must not end the third one's.
		wantAnswer(t, "within the window of the last", together(t.Context(), shared, alice, cents)[0], 3)
	})
}

// A listing that failed shows that the one before it may be out of date.
func TestAFailureEndsTheWindowOfTheListingBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{fail: func(_ context.Context, n int) error {
			if n == 2 {
				return &catalog.Error{Kind: catalog.Invalid, UnknownImageID: true}
			}
			return nil
		}}
		shared := catalog.NewShared(l, time.Now)
		wantAnswer(t, "the first", together(t.Context(), shared, alice, cents)[0], 1)
		if got := together(t.Context(), shared, alice, fresh)[0]; got.err == nil {
			t.Error("the second one did not fail")
		}
		wantAnswer(t, "after the failure", together(t.Context(), shared, alice, cents)[0], 3)
	})
}

func TestFreshDoesNotJoinWhatBeganBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{takes: time.Second}
		shared := catalog.NewShared(l, time.Now)
		for i, got := range together(t.Context(), shared, alice, fresh, fresh, fresh) {
			if got.err != nil {
				t.Errorf("waiter %d: %v", i, got.err)
			}
		}
		if l.called() != 3 {
			t.Errorf("%d calls, want 3", l.called())
		}
	})
}

func TestAListingThatBeganEarlierDoesNotReplaceAFreshOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, l := make(chan struct{}), &lister{}
		l.fail = func(_ context.Context, n int) error {
			if n == 1 {
				<-slow
			}
			return nil
		}
		shared := catalog.NewShared(l, time.Now)
		var first listed
		var group sync.WaitGroup
		group.Go(func() { first = together(t.Context(), shared, alice, cents)[0] })
		synctest.Wait()
		wantAnswer(t, "fresh", together(t.Context(), shared, alice, fresh)[0], 2)
		close(slow)
		group.Wait()
		wantAnswer(t, "the slow one itself", first, 1)
		wantAnswer(t, "the next one", together(t.Context(), shared, alice, cents)[0], 2)
	})
}

func TestAWaiterWhoseContextEndsLeavesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{takes: time.Minute}
		shared := catalog.NewShared(l, time.Now)
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var group sync.WaitGroup
		var left, stayed listed
		group.Go(func() { left = together(hasty, shared, alice, cents)[0] }) // leads the listing
		synctest.Wait()
		group.Go(func() { stayed = together(t.Context(), shared, alice, cents)[0] })
		began := time.Now()
		<-hasty.Done()
		synctest.Wait()
		if since := time.Since(began); since != time.Second {
			t.Errorf("the hasty one left after %v, want 1s", since)
		}
		failure := (*catalog.Error)(nil)
		if !errors.As(left.err, &failure) || failure.Kind != catalog.Unavailable || !errors.Is(left.err, context.DeadlineExceeded) {
			t.Errorf("the hasty one's error is %#v, want Unavailable by its deadline", left.err)
		}
		group.Wait()
		wantAnswer(t, "the one who stayed", stayed, 1)
		if l.called() != 1 {
			t.Errorf("%d calls, want 1", l.called())
		}
	})
}

func TestAListingNobodyWaitsForStillAnswersTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{takes: time.Minute}
		shared := catalog.NewShared(l, time.Now)
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := together(hasty, shared, alice, cents)[0]; !errors.Is(got.err, context.DeadlineExceeded) {
			t.Fatalf("the hasty one's error is %v", got.err)
		}
		pass(time.Minute)
		wantAnswer(t, "the next", together(t.Context(), shared, alice, cents)[0], 1)
	})
}

func TestASharedListingEndsAfter5MinutesAtTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := catalog.NewShared(&lister{takes: 24 * time.Hour}, time.Now)
		began := time.Now()
		got := together(t.Context(), shared, alice, cents)[0]
		if !errors.Is(got.err, context.DeadlineExceeded) || time.Since(began) != 5*time.Minute {
			t.Errorf("%v after %v, want the deadline after 5m", got.err, time.Since(began))
		}
	})
}

func TestTheContextOfASharedListingEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked context.Context
		l := &lister{fail: func(ctx context.Context, _ int) error { asked = ctx; return nil }}
		wantAnswer(t, "one waiter", together(t.Context(), catalog.NewShared(l, time.Now), alice, cents)[0], 1)
		if asked.Err() == nil {
			t.Error("it goes on")
		}
	})
}

func TestAPanickingListerIsAnErrorForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{takes: time.Second, fail: func(_ context.Context, n int) error {
			if n == 1 {
				panic(canary)
			}
			return nil
		}}
		shared := catalog.NewShared(l, time.Now)
		for i, got := range together(t.Context(), shared, alice, cents, cents) {
			failure := (*catalog.Error)(nil)
			if !errors.As(got.err, &failure) || failure.Kind != catalog.Unavailable || failure.Code != "ClientError.Panic" ||
				leaks(got.err.Error()) {
				t.Errorf("waiter %d: %v", i, got.err)
			}
		}
		wantAnswer(t, "the next", together(t.Context(), shared, alice, cents)[0], 2)
	})
}

func TestListingsThatCostNothingAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := catalog.NewShared(&lister{takes: time.Second}, time.Now)
		together(t.Context(), shared, alice, cents, cents, cents) // two of them join the third
		together(t.Context(), shared, alice, cents)               // recent
		together(t.Context(), shared, alice, fresh)
		pass(time.Minute)
		together(t.Context(), shared, alice, cents)
		if got := shared.Coalesced(); got != 3 {
			t.Errorf("%d of six listings were shared, want 3", got)
		}
	})
}

func TestDifferentAccountsNeverShare(t *testing.T) {
	rotated, unaccepted := alice, alice
	rotated.SecretID = "AKIDalice2"
	unaccepted.SecretKey = "wrong"
	for name, other := range map[string]catalog.Account{
		"another source": bob, "rotated keys of the same source": rotated, "a wrong key with the same id": unaccepted,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &lister{takes: time.Second}
				shared := catalog.NewShared(l, time.Now)
				var group sync.WaitGroup
				for _, account := range []catalog.Account{alice, other, alice, other} {
					group.Go(func() { _, _ = shared.List(t.Context(), account, cents) })
				}
				group.Wait()
				if diff := cmp.Diff(map[catalog.Account]int{alice: 1, other: 1}, count(l.calls)); diff != "" {
					t.Errorf("calls by account (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func count[T comparable](in []T) map[T]int {
	out := map[T]int{}
	for _, v := range in {
		out[v]++
	}
	return out
}

// listerFunc is a Lister.
type listerFunc func() (catalog.Listing, error)

func (f listerFunc) List(context.Context, catalog.Account, catalog.Query) (catalog.Listing, error) {
	return f()
}

func TestAListingIsFreedAfterTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first weak.Pointer[catalog.Image]
		shared := catalog.NewShared(listerFunc(func() (catalog.Listing, error) {
			images := make([]catalog.Image, 1000)
			first = weak.Make(&images[0])
			return catalog.Listing{Images: images}, nil
		}), time.Now)
		if _, err := shared.List(t.Context(), alice, cents); err != nil {
			t.Fatal(err)
		}
		pass(10*time.Second - time.Nanosecond)
		runtime.GC()
		if first.Value() == nil {
			t.Error("a listing is gone within the window")
		}
		pass(time.Nanosecond)
		synctest.Wait()
		runtime.GC()
		if first.Value() != nil {
			t.Error("a listing is held after the window")
		}
		runtime.KeepAlive(shared)
	})
}
