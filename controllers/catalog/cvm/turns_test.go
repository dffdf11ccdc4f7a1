// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// passes records the order in which requests get their tokens.
type passes struct {
	b     *bucket
	group sync.WaitGroup

	mu    sync.Mutex
	order []string
}

// add begins requests of one listing, each after the one before it waits.
func (p *passes) add(ctx context.Context, name string, listing *line, requests int) {
	for range requests {
		p.group.Go(func() {
			if p.b.wait(ctx, listing) != nil {
				return
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.order = append(p.order, name)
		})
		synctest.Wait()
	}
}

func TestListingsOfOneBucketTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := passes{b: (&limits{qps: 1, burst: 1}).bucket("a")}
		big, other := &line{}, &line{}
		p.add(t.Context(), "big", big, 6)
		p.add(t.Context(), "other", other, 3)
		p.add(t.Context(), "small", &line{}, 1)
		<-time.After(3500 * time.Millisecond)
		p.add(t.Context(), "late", &line{}, 1)
		p.add(t.Context(), "later", &line{}, 1)
		p.group.Wait()
		// The second request of big had the turn, and waited for a token, before the others came. The fourth turn after it is big's
		// for its wait.
		want := []string{"big", "big", "other", "small", "other", "big", "late", "later", "other", "big", "big", "big"}
		if !slices.Equal(p.order, want) {
			t.Errorf("the order is %v, want %v", p.order, want)
		}
	})
}

func TestARequestThatGivesUpPassesItsTurnOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := passes{b: (&limits{qps: 1, burst: 1}).bucket("a")}
		p.add(t.Context(), "first", &line{}, 2)
		giveUp, cancel := context.WithCancel(t.Context())
		p.add(giveUp, "never", &line{}, 3)
		p.add(t.Context(), "last", &line{}, 1)
		cancel()
		p.group.Wait()
		if want := []string{"first", "first", "last"}; !slices.Equal(p.order, want) {
			t.Errorf("the order is %v, want %v", p.order, want)
		}
		if b := p.b; b.turns.taken || len(b.turns.next) > 0 {
			t.Errorf("the bucket is left with %+v", &b.turns)
		}
	})
}

// A request may give up at the moment in which its turn comes.
func TestATurnIsNeverLost(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // select chooses at random between the two
		turns, l := turns{}, &line{}
		if err := turns.take(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		granted := turns.join(l)
		turns.pass()
		if err := turns.await(ended, l, granted); err == nil {
			turns.pass()
		} else if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if turns.taken || len(turns.next)+len(l.requests) > 0 {
			t.Fatalf("left are %+v and %+v", &turns, l)
		}
	}
}
