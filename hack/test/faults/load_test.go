// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// many returns the number of queries of a row, or a tenth of it in a short run.
func many(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// queries creates n queries with five different requests.
func (w *world) queries(n int) {
	w.t.Helper()
	questions := []string{"TencentOS", "Ubuntu", "CentOS", "Windows", "Rocky Linux"}
	for i := range n {
		query := &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("many-%04d", i)}}
		query.Spec.Region = region
		query.Spec.Match.Platforms = []string{questions[i%len(questions)]}
		query.Spec.MinImages = ptr.To[int32](0)
		query.Spec.CloudImages.Policy = imagev1alpha1.CloudImagesNone // only the requests to the cloud matter
		if err := w.Client.Create(w.t.Context(), query); err != nil {
			w.t.Fatal(err)
		}
	}
}

// untilAllSynced waits until n queries are synced.
func (w *world) untilAllSynced(n int) {
	w.t.Helper()
	deadline := time.Now().Add(10 * time.Minute)
	for synced := -1; synced < n; {
		if time.Now().After(deadline) {
			w.t.Fatalf("%d of %d queries are synced", synced, n)
		}
		<-time.After(500 * time.Millisecond)
		var list imagev1alpha1.ImageQueryList
		if err := w.Client.List(w.t.Context(), &list); err != nil {
			w.t.Fatal(err)
		}
		synced = 0
		for i := range list.Items {
			if kit.Ready(&list.Items[i]).Status == metav1.ConditionTrue {
				synced++
			}
		}
	}
}

// budgetKept fails if the cloud got more requests in a second than --cvm-qps and --cvm-burst allow.
func (w *world) budgetKept(perSecond, burst int) {
	w.t.Helper()
	requests := w.cloud.Requests()
	for i, first := range requests {
		in := 0
		for _, r := range requests[i:] {
			if r.Time.Sub(first.Time) >= time.Second {
				break
			}
			in++
		}
		if in > perSecond+burst+1 {
			w.t.Errorf("the cloud got %d requests in the second after %s, and the budget is %d with a burst of %d", in, first.Time, perSecond, burst)
			return
		}
	}
}

func TestFault52ManyQueriesAreDueAtTheStart(t *testing.T) {
	w := begin(t, 52)
	w.cloud.Put(region, cvmtest.PrivateImages(52, 40, cvmtest.DefaultCredential.UIN)...)
	n := many(1000)
	w.queries(n)
	w.start()
	w.untilAllSynced(n)
	w.budgetKept(10, 10)
	// All queries have the same request: match is evaluated by the operator.
	if asked := w.asked(); asked > n/10 {
		t.Errorf("%d queries with the same question asked the cloud %d times", n, asked)
	}
}

func TestFault53AHugeQueryBesideSmallOnes(t *testing.T) {
	w := begin(t, 53)
	huge := many(3000)
	w.cloud.Put(elsewhere, cvmtest.PrivateImages(53, huge, cvmtest.DefaultCredential.UIN)...)
	w.cloud.Put(region, cvmtest.PrivateImages(1, 5, cvmtest.DefaultCredential.UIN)...)
	w.start("--cvm-qps=100", "--cvm-burst=100")
	w.query("huge", "region: "+elsewhere, "cloudImages: {maxImages: 20000}")
	w.Until("the huge one is being written", func(ctx context.Context) error {
		if len(w.Images("huge")) == 0 {
			return errNotYet
		}
		return nil
	})
	small := many(100)
	w.queries(small)
	w.Until("the small ones are synced", func(ctx context.Context) error {
		var list imagev1alpha1.ImageQueryList
		if err := w.Client.List(ctx, &list); err != nil {
			return err
		}
		synced := 0
		for i := range list.Items {
			if list.Items[i].Name != "huge" && kit.Ready(&list.Items[i]).Status == metav1.ConditionTrue {
				synced++
			}
		}
		if synced < small {
			return fmt.Errorf("%d of %d are", synced, small)
		}
		return nil
	})
	t.Logf("%d small queries were synced when %d of %d objects of the huge one were written", small, len(w.Images("huge")), huge)
	w.untilAllSynced(small + 1)
}

func TestFault61MemoryWithManyQueries(t *testing.T) {
	w := begin(t, 61)
	w.cloud.Put(region, cvmtest.PrivateImages(61, 40, cvmtest.DefaultCredential.UIN)...)
	n := many(1000)
	w.queries(n)
	w.start("GOMEMLIMIT=460MiB") // as the Deployment has it
	w.untilAllSynced(n)
	peak := peakMemory(t, w.manager)
	t.Logf("%d queries took %d MiB at most", n, peak>>20)
	if peak > 512<<20 {
		t.Errorf("the manager took %d MiB, more than its limit", peak>>20)
	}
}
