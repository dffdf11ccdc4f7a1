// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth/authtest"
)

// Sessions last an hour and are renewed when three to four fifths of it have passed.

func TestKeysAreRenewedAheadOfTheirEnd(t *testing.T) {
	w := newWorld(t)
	first := w.must(pod)
	w.pass(35 * time.Minute)
	for range 10 {
		if w.must(pod) != first {
			t.Fatal("renewed before three fifths of the hour")
		}
	}
	if n := w.sts.Issued(); n != 1 {
		t.Fatalf("%d keys were obtained for one session", n)
	}
	w.pass(14 * time.Minute)
	hold := make(chan struct{})
	w.sts.Inject(authtest.Fault{Times: 1, Hold: hold})
	for range 10 {
		if w.must(pod) != first {
			t.Fatal("waited for the renewal though the keys were good")
		}
	}
	close(hold)
	w.eventually("others are handed out", func() bool { return w.must(pod) != first })
	if n := w.sts.Issued(); n != 2 {
		t.Errorf("%d keys were obtained for one renewal", n)
	}
}

func TestEndedKeysAreNeverHandedOut(t *testing.T) {
	for name, tc := range map[string]struct {
		id     auth.Identity
		broken func(*world) interface{ Inject(authtest.Fault) }
		life   time.Duration
	}{
		"of STS":                  {pod, func(w *world) interface{ Inject(authtest.Fault) } { return w.sts }, time.Hour},
		"of the metadata service": {node, func(w *world) interface{ Inject(authtest.Fault) } { return w.metadata }, 6 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			first := w.must(tc.id)
			tc.broken(w).Inject(authtest.Fault{Status: 503})
			// Failed renewals before the expiry are not visible.
			for passed := time.Duration(0); passed < tc.life-3*time.Minute; passed += tc.life / 100 {
				if w.must(tc.id) != first {
					t.Fatal("other keys came from a broken service")
				}
				w.pass(tc.life / 100)
			}
			w.pass(w.cloud.Credentials()[first.SecretID.Reveal()].Expires.Sub(w.now()) - 65*time.Second)
			if w.must(tc.id) != first {
				t.Fatal("other keys came from a broken service")
			}
			w.pass(10 * time.Second)
			if failure := w.mustFail(tc.id); failure.Provider != tc.id.Ambient {
				t.Errorf("the failure is %v", failure)
			}
			w.pass(time.Hour)
			w.mustFail(tc.id)

			w.sts.Heal()
			w.metadata.Heal()
			w.pass(time.Minute)
			if w.must(tc.id) == first {
				t.Error("keys that have ended were handed out")
			}
		})
	}
}

func TestAFailedRenewalIsNotTriedByEveryPage(t *testing.T) {
	w := newWorld(t)
	w.sts.Inject(authtest.Fault{Code: "InternalError"})
	for range 100 {
		w.mustFail(pod)
	}
	if n := len(w.sts.Requests()); n != 1 {
		t.Errorf("STS was asked %d times at once", n)
	}
	// The pause is 2 s, and doubles up to 30 s.
	for range 10 {
		w.pass(30 * time.Second)
		w.mustFail(pod)
	}
	if n := len(w.sts.Requests()); n != 11 {
		t.Errorf("STS was asked %d times in 10 pauses", n-1)
	}
	w.pass(14 * time.Second)
	w.mustFail(pod)
	if n := len(w.sts.Requests()); n != 11 {
		t.Error("STS was asked within the pause")
	}
	w.sts.Heal()
	w.pass(16 * time.Second)
	w.must(pod)
	w.pass(50 * time.Minute)
	w.sts.Inject(authtest.Fault{Code: "InternalError"})
	w.must(pod)
	w.eventually("the renewal ahead has failed", func() bool { return len(w.sts.Requests()) == 13 })
}

// Their Secret may have been deleted.
func TestKeysThatNobodyAsksForAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.providers.SetIdle(50 * time.Millisecond)
	first := w.must(mine(auth.Role{ARN: reader}, auth.Role{ARN: second}))
	w.must(node)
	w.eventually("no keys are kept", func() bool { return w.providers.Known() == 0 })
	if w.must(mine(auth.Role{ARN: reader}, auth.Role{ARN: second})) == first {
		t.Error("keys that were forgotten were handed out")
	}
}

func TestOneRenewalForAllWhoAsk(t *testing.T) {
	w := newWorld(t)
	hold := make(chan struct{})
	w.sts.Inject(authtest.Fault{Times: 1, Hold: hold})
	all := make([]auth.Keys, 20)
	var asking, done sync.WaitGroup
	for i := range all {
		asking.Add(1)
		done.Go(func() {
			asking.Done()
			keys, err := w.providers.Keys(t.Context(), pod)
			if err != nil {
				t.Error(err)
			}
			all[i] = keys
		})
	}
	asking.Wait()
	w.eventually("STS is asked", func() bool { return len(w.sts.Requests()) > 0 })
	close(hold)
	done.Wait()
	for _, keys := range all {
		if keys != all[0] || keys == (auth.Keys{}) {
			t.Error("two who asked together got different keys")
		}
	}
	if n := w.sts.Issued(); n != 1 {
		t.Errorf("%d keys were obtained", n)
	}
}

func TestAWaiterLeavesWhenItsContextEnds(t *testing.T) {
	w := newWorld(t)
	hold := make(chan struct{})
	w.sts.Inject(authtest.Fault{Times: 1, Hold: hold})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := w.providers.Keys(ctx, pod)
		left <- err
	}()
	w.eventually("STS is asked", func() bool { return len(w.sts.Requests()) == 1 })
	cancel()
	failure := (*auth.Error)(nil)
	if err := <-left; !errors.As(err, &failure) || failure.Code != auth.CodeWaited || failure.Provider != auth.TKEOIDC ||
		!errors.Is(err, context.Canceled) {
		t.Errorf("the waiter left with %v", err)
	}
	// The renewal that it began continues for later callers.
	close(hold)
	w.must(pod)
	if n := w.sts.Issued(); n != 1 {
		t.Errorf("%d keys were obtained", n)
	}
}

func TestTheTokenIsReadAtEachRenewal(t *testing.T) {
	w := newWorld(t)
	w.writeToken(w.token(30 * time.Minute))
	first := w.must(pod)
	w.pass(time.Hour)
	w.writeToken(w.token(time.Hour))
	if w.must(pod) == first {
		t.Error("the keys were not renewed")
	}
}

func TestOtherKeysBehindASourceAreAnotherQuestion(t *testing.T) {
	w := newWorld(t)
	id := mine(auth.Role{ARN: guarded, ExternalID: "shibboleth"})
	first := w.must(id)
	for name, change := range map[string]func(*auth.Identity){
		"another key":         func(id *auth.Identity) { id.Keys.SecretKey = "wrong" },
		"another role":        func(id *auth.Identity) { id.Roles[0].ARN = second },
		"another external id": func(id *auth.Identity) { id.Roles[0].ExternalID = "x" },
		"one more role":       func(id *auth.Identity) { id.Roles[1].ARN = reader },
	} {
		changed := id
		change(&changed)
		if keys, err := w.providers.Keys(t.Context(), changed); err == nil {
			t.Errorf("%s: got the keys %s of what was there before", name, keys.SecretID.Reveal())
		}
	}
	if w.must(id) == first {
		t.Error("the keys of the former identity were kept beside others of its source")
	}
}

// The cloud rejects keys before they expire if the role's sessions are revoked.
func TestRefusedKeysAreReplacedUnlessTheyAreNew(t *testing.T) {
	w := newWorld(t)
	for _, id := range []auth.Identity{mine(auth.Role{ARN: reader}), pod, node} {
		first := w.must(id)
		w.providers.Refused(id)
		if w.must(id) != first {
			t.Errorf("%s: keys that were refused at once were replaced", id.Source)
		}
		w.pass(61 * time.Second)
		if w.must(id) != first {
			t.Errorf("%s: keys were replaced that nobody refused", id.Source)
		}
		w.providers.Refused(id)
		w.metadata.SetRole("node-role", nodeUIN) // then the metadata service has other keys, too
		if w.must(id) == first {
			t.Errorf("%s: refused keys were kept", id.Source)
		}
		w.providers.Refused(auth.Identity{Source: "secret/unknown"})
	}
}

// The metadata service returns the same keys until it issues new ones.
func TestTheSameKeysAgainAreNoReasonToAskAllTheTime(t *testing.T) {
	w := newWorld(t)
	w.metadata.SetLife(20*time.Minute, time.Minute)
	first := w.must(node)
	w.pass(17 * time.Minute)
	w.must(node)
	w.eventually("the renewal has asked", func() bool { return len(w.metadata.Paths()) == 4 })
	for range 50 {
		if w.must(node) != first {
			t.Fatal("the service had others too early")
		}
	}
	if n := len(w.metadata.Paths()); n != 4 {
		t.Errorf("the service was asked %d times", n/2)
	}
}

// If our clock is late, the expiry returned by the cloud is later than the requested one.
func TestALateClockDoesNotProlongKeys(t *testing.T) {
	w := newWorld(t)
	o := *w.options
	o.Now = func() time.Time { return w.now().Add(-4 * time.Minute) }
	w.providers = auth.New(o)
	if keys := w.must(pod); keys.Expires.After(o.Now().Add(time.Hour)) {
		t.Errorf("the keys last for %s on our clock", keys.Expires.Sub(o.Now()))
	}
}
