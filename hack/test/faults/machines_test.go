// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// same fails if an object of an image that was there all the time is another one.
func (w *world) same(before catalogue) {
	w.t.Helper()
	there := w.cloudIDs()
	now := w.Images("")
	for name, uid := range before.objects {
		for _, id := range there {
			if name == region+"-"+id && string(now[name].UID) != uid {
				w.t.Errorf("the object of %s was there all the time and was made anew", id)
			}
		}
	}
}

// written is a condition for Until: there are at least n CloudImages.
func (w *world) written(n int) func(context.Context) error {
	return func(context.Context) error {
		if got := len(w.Images("")); got < n {
			return fmt.Errorf("%d CloudImages are there", got)
		}
		return nil
	}
}

func TestFault66ALeaderOfEtcdIsKilledUnderLoad(t *testing.T) {
	w := beginOn(t, 66, cluster.Start(t, cluster.Options{EtcdMembers: 3, WithoutAudit: true}))
	w.cloud.Put(region, cvmtest.PrivateImages(66, 300, cvmtest.DefaultCredential.UIN)...)
	w.start("--cvm-qps=100", "--cvm-burst=100")
	w.query(golden, "removal: {gracePeriod: 0s}")
	w.Until("objects are being written", w.written(30))
	w.KillEtcdLeader()
	w.UntilSynced(golden)
	w.Until("all is there", w.matches)
	w.once()

	// Again, while images come and go; two of three members are a majority, and no third is left to lose.
	before := w.catalogue(golden)
	for i := range 20 {
		w.another(i)
	}
	w.cloud.Delete(region, w.cloudIDs()[:20]...)
	w.Poll(golden)
	w.Until("all is there", w.matches)
	w.same(before)
	w.once()
	w.heals(golden)
}

func TestFault67OneOfTwoAPIServersLags(t *testing.T) {
	w := begin(t, 67)
	w.cloud.Put(region, cvmtest.PrivateImages(67, 12, cvmtest.DefaultCredential.UIN)...)
	link := w.StartSlowLink(strings.TrimPrefix(w.EtcdURL(), "http://"))
	w.api.ReadFrom(t, w.AddAPIServer(nil, link), "cloudimages")
	w.start()
	w.query(golden, "removal: {gracePeriod: 0s}")
	w.UntilSynced(golden)
	w.agrees(golden)
	before := w.catalogue(golden)
	link.Delay(3 * time.Second)
	for i := range 4 {
		w.another(i)
		w.cloud.Delete(region, w.cloudIDs()[i])
		// A new list of CloudImages lacks what was just written. A started operator polls with it at once.
		token := fmt.Sprint("lagging-", i)
		if i == 0 {
			w.RequestPoll(golden, token)
			w.api.CutWatches("")
		} else {
			w.manager.Kill()
			w.RequestPoll(golden, token)
			w.restart()
		}
		if query := w.UntilHandled(golden, token); !isSynced(query) {
			t.Errorf("a poll failed: %s", kit.Describe(query))
		}
	}
	w.Until("all agrees", w.matches)
	w.same(before)
	w.once()
	link.Delay(0)
	w.heals(golden)
}

// limitMemory limits the memory of a running process as far as one may without a cgroup of one's own: its writable private
// memory (RLIMIT_DATA). Go reserves much more address space than it uses, so RLIMIT_AS would say nothing.
func limitMemory(t *testing.T, m *cluster.Manager, limit int64) {
	t.Helper()
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		t.Fatal("prlimit is missing, so no limit can be set: install util-linux")
	}
	pid := m.Pid()
	out, err := exec.CommandContext(t.Context(), prlimit, fmt.Sprintf("--pid=%d", pid), fmt.Sprintf("--data=%d", limit)).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
}

func TestFault68TheMemoryLimit(t *testing.T) {
	t.Run("that is too small", func(t *testing.T) {
		w := synced(t, 68, 12)
		before := w.catalogue(golden)
		w.cloud.Put(region, cvmtest.PrivateImages(680, 2000, cvmtest.DefaultCredential.UIN)...)
		w.Patch(golden, `{"spec":{"cloudImages":{"maxImages":5000}}}`)
		w.RequestPoll(golden, "anew") // not the listing of some seconds ago
		w.Until("objects are being written", w.written(50))
		limitMemory(t, w.manager, memory(t, w.manager, "VmData:"))
		w.untilEnded(w.manager)
		if !strings.Contains(w.manager.Log(), "out of memory") && !strings.Contains(w.manager.Log(), "cannot allocate memory") {
			t.Errorf("the manager ended for another reason: %.2000s", w.manager.Log())
		}
		w.same(before)
		w.restart()
		w.untilAllWritten(golden)
		w.once()
	})
	t.Run("of the Deployment", func(t *testing.T) {
		w := begin(t, 68)
		images := many(10000)
		w.cloud.Put(region, cvmtest.PrivateImages(68, images, cvmtest.DefaultCredential.UIN)...)
		w.start("GOMEMLIMIT=460MiB", "--cvm-qps=100", "--cvm-burst=100") // as the Deployment has it
		limitMemory(t, w.manager, 512<<20)
		w.query(golden, "cloudImages: {maxImages: 20000}")
		w.untilAllWritten(golden)
		t.Logf("%d images took %d MiB at most", images, peakMemory(t, w.manager)>>20)
	})
}

// untilAllWritten waits until a query is synced and all its objects are there, which takes minutes.
func (w *world) untilAllWritten(name string) {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); ; <-time.After(time.Second) {
		query := w.Query(name)
		if query.Status.SyncedGeneration == query.Generation && w.matches(w.t.Context()) == nil {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d objects are there: %s", len(w.Images(name)), kit.Describe(query))
		}
	}
}
