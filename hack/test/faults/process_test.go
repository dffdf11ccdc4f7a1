// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/apiproxy"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// lease returns the leader's Lease.
func (w *world) lease() *coordinationv1.Lease {
	w.t.Helper()
	lease := &coordinationv1.Lease{}
	key := types.NamespacedName{Namespace: cluster.Namespace, Name: cluster.ServiceAccount}
	if err := w.Client.Get(w.t.Context(), key, lease); err != nil {
		w.t.Fatal(err)
	}
	return lease
}

func (w *world) holder() string {
	if holder := w.lease().Spec.HolderIdentity; holder != nil {
		return *holder
	}
	return ""
}

func (w *world) untilHolder(what string, is func(string) bool) string {
	w.t.Helper()
	w.Until(what, func(context.Context) error {
		if holder := w.holder(); !is(holder) {
			return fmt.Errorf("%q holds the Lease", holder)
		}
		return nil
	})
	return w.holder()
}

func TestFault49TwoOperatorsAtOnce(t *testing.T) {
	t.Run("without leader election", func(t *testing.T) {
		w := synced(t, 49, 12)
		second := w.StartManager(w.cloud, w.flags...)
		w.Patch(golden, `{"spec":{"removal":{"gracePeriod":"0s"}}}`)
		for i := range 4 {
			w.another(i)
			w.cloud.Delete(region, w.cloudIDs()[0])
			w.Poll(golden)
		}
		w.Until("both agree with the cloud", w.matches)
		done := map[string]int{}
		for _, r := range w.api.Writes() {
			if r.Resource == "cloudimages" && r.Verb != "update" && r.Code < 300 {
				done[r.String()]++
			}
		}
		for what, times := range done {
			if times > 1 {
				t.Errorf("%q was done %d times", what, times)
			}
		}
		second.Kill()
		w.heals(golden)
	})
	t.Run("a leader that slept", func(t *testing.T) {
		w := begin(t, 49)
		w.cloud.Put(region, cvmtest.PrivateImages(49, 12, cvmtest.DefaultCredential.UIN)...)
		w.start("--leader-elect")
		w.query(golden, "removal: {gracePeriod: 0s}")
		w.UntilSynced(golden)
		sleeper, first := w.manager, w.holder()
		w.manager = w.StartManager(w.cloud, append(slices.Clone(w.flags), "--leader-elect")...)
		w.signal(sleeper, syscall.SIGSTOP)
		w.untilHolder("the second leads", func(now string) bool { return now != first && now != "" })
		w.cloud.Delete(region, w.cloudIDs()[0])
		w.another(1)
		w.Poll(golden)
		before := w.catalogue(golden)
		writes := len(w.api.Writes())
		w.signal(sleeper, syscall.SIGCONT)
		w.untilEnded(sleeper)
		w.kept(golden, before)
		// It may still try to write, but with an old resourceVersion.
		for _, r := range w.api.Writes()[writes:] {
			if r.Code < 300 {
				t.Errorf("after it woke there was a write: %s", r)
			}
		}
		w.heals(golden)
	})
}

// stop ends the manager with SIGTERM.
func (w *world) stop() {
	w.t.Helper()
	if err := w.manager.Stop(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) signal(m *cluster.Manager, s syscall.Signal) {
	w.t.Helper()
	if err := m.Signal(s); err != nil {
		w.t.Fatal(err)
	}
}

func TestFault50TheLeaseIsLostInMidPoll(t *testing.T) {
	w := begin(t, 50)
	w.cloud.Put(region, cvmtest.PrivateImages(50, 150, cvmtest.DefaultCredential.UIN)...)
	w.start("--leader-elect")
	w.query(golden)
	w.UntilSynced(golden)
	w.another(1)
	before := w.catalogue(golden)
	seen := w.asked()
	// The poll waits for the timeout of its request. Another manager has the Lease long before.
	w.cloud.Inject(cvmtest.Fault{Page: 2, Listing: true, Times: 1, Blackhole: true})
	w.RequestPoll(golden, "lost-lease")
	w.untilAskedSince("for a page that never comes", seen, func(r cvmtest.Request) bool { return r.Fault })
	writes := len(w.api.Writes())
	lease := w.lease()
	now := metav1.NowMicro()
	lease.Spec.HolderIdentity, lease.Spec.RenewTime, lease.Spec.AcquireTime = new("another"), &now, &now
	if err := w.Client.Update(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	w.untilEnded(w.manager)
	for _, r := range w.api.Writes()[writes:] {
		t.Errorf("after the Lease was lost there was a write: %s", r)
	}
	w.kept(golden, before)
	if holder := w.holder(); holder != "another" {
		t.Errorf("the Lease of another was taken or released: %q", holder)
	}
	w.restart() // ready at once, and leads when the Lease has expired
	w.untilHolder("it leads again", func(holder string) bool { return holder != "another" && holder != "" })
	w.heals(golden)
}

func TestFault51StatusFromAnotherTime(t *testing.T) {
	w := begin(t, 51)
	w.cloud.Put(region, cvmtest.PrivateImages(51, 3, cvmtest.DefaultCredential.UIN)...)
	w.start()
	w.query(golden, "interval: 1m") // limits the spread after a start to 6 s
	w.UntilSynced(golden)
	for name, ahead := range map[string]time.Duration{"a day ahead": 24 * time.Hour, "an hour behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			w.manager.Kill()
			query := w.Query(golden)
			patch := fmt.Sprintf(`{"status":{"lastSyncTime":%q}}`, query.Status.LastSyncTime.Add(ahead).UTC().Format(time.RFC3339))
			w.PatchStatus(golden, patch)
			w.another(len(name))
			w.restart()
			w.Until("the cloud's state is there without being asked for", w.matches)
			w.heals(golden)
			if behind := time.Since(w.Query(golden).Status.LastSyncTime.Time); behind < -time.Minute || behind > 10*time.Minute {
				t.Errorf("lastSyncTime is %s ago", behind)
			}
		})
	}
}

func TestFault54APanicInOnePoll(t *testing.T) {
	w := synced(t, 54, 3)
	w.cloud.Put(elsewhere, cvmtest.PrivateImages(54, 2, cvmtest.DefaultCredential.UIN)...)
	w.query("poisoned", "region: "+elsewhere, "interval: 1m")
	w.UntilSynced("poisoned")
	before := w.catalogue("poisoned")
	w.cloud.Inject(cvmtest.Fault{Region: elsewhere, Body: new(`null`)})
	for range 3 {
		w.Poll("poisoned")
		w.another(1)
		w.Poll(golden)
	}
	w.agrees(golden)
	w.kept("poisoned", before)
	w.heals(golden)
}

func TestFault60SIGTERMInMidPoll(t *testing.T) {
	w := synced(t, 60, 150)
	w.another(1)
	before := w.catalogue(golden)
	seen := w.asked()
	w.cloud.Inject(cvmtest.Fault{Page: 2, Listing: true, Times: 1, Blackhole: true})
	w.RequestPoll(golden, "terminated")
	w.untilAskedSince("for a page that never comes", seen, func(r cvmtest.Request) bool { return r.Fault })
	began := time.Now()
	w.stop()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it ended after %s, and Kubernetes kills it after 30 s", took)
	}
	w.kept(golden, before)
	w.restart()
	w.UntilHandled(golden, "terminated") // the next one handles the request
	w.heals(golden)

	t.Run("in the middle of writing", func(t *testing.T) {
		var images []cvmtest.Image
		for i := range 40 {
			images = append(images, image(fmt.Sprintf("img-term%04d", i), fmt.Sprint("term ", i)))
		}
		w.api.Inject(apiproxy.Fault{Verb: "create", Resource: "cloudimages", Delay: 500 * time.Millisecond})
		w.cloud.Put(region, images...)
		w.RequestPoll(golden, "written-half")
		w.Until("some objects are written", func(context.Context) error {
			if len(w.objectIDs(golden)) == len(before.objects) {
				return errNotYet
			}
			return nil
		})
		w.stop()
		w.api.Heal()
		w.restart()
		w.UntilHandled(golden, "written-half")
		w.heals(golden)
	})
}

func TestFault62ProbesAndMetricsBeforeAndAfter(t *testing.T) {
	w := synced(t, 62, 3)
	w.manager.Kill()
	for _, resource := range []string{"imagequeries", "cloudimages", "secrets"} {
		w.api.Inject(apiproxy.Fault{Verb: "list", Resource: resource, Freeze: true})
	}
	w.frozen(func() {
		if code, _, err := w.fetch("http://" + w.manager.Metrics + "/metrics"); err != nil || code != http.StatusOK {
			t.Errorf("/metrics answers %d (%v) before the caches are filled", code, err)
		}
	})
	w.heals(golden)
	// It ends even if it is scraped continuously.
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-w.manager.Ended():
				return
			default:
				for _, url := range []string{w.manager.Metrics + "/metrics", w.manager.Probes + "/healthz", w.manager.Probes + "/readyz"} {
					_, _, _ = w.fetch("http://" + url) // it is ending
				}
			}
		}
	}()
	w.stop()
	<-stopped
	w.restart()
	w.heals(golden)
}

func TestFault57AskedForAllTheTime(t *testing.T) {
	w := synced(t, 57, 3)
	query := w.Query(golden)
	asked, began := w.asked(), time.Now()
	last := ""
	for i := range 300 {
		last = fmt.Sprint("impatient-", i)
		patch := []byte(fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, imagev1alpha1.AnnotationRequestedAt, last))
		if err := w.Client.Patch(t.Context(), query, mergePatch(patch)); err != nil {
			t.Fatal(err)
		}
	}
	w.UntilHandled(golden, last)
	if polls, most := w.asked()-asked, int(time.Since(began).Seconds())+2; polls > most {
		t.Errorf("300 requests made %d polls, want at most %d: one a second", polls, most)
	}
	w.heals(golden)
}
