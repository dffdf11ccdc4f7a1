// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// Two queries hold back the same images, and each finds them gone at each poll.
func TestQueriesThatHoldBackTheSameImagesDoNotPollEachOther(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)...)
	w.Create(newQuery("one"), newQuery("two"))
	w.UntilSynced("one")
	w.UntilSynced("two")
	polls := func() float64 { return w.polls(imagev1alpha1.ReasonRemovalBlocked) }

	w.deleteImages(0, 1, 2, 3, 4, 5, 6, 7)
	w.clock.offset.Add(int64(2 * time.Second)) // the minimum between two polls
	w.Poll("one")
	w.UntilReady("two", metav1.ConditionTrue, imagev1alpha1.ReasonRemovalBlocked)
	const more = 5
	before := polls()
	for range more {
		w.clock.offset.Add(int64(2 * time.Second))
		w.Poll("one")
	}
	w.pass(2 * time.Second)
	w.idle()
	if got := polls() - before; got != more {
		t.Errorf("%d requested polls of one query made %v of both", more, got)
	}

	// An image that came back and is gone again is a new reason.
	w.cloud.Put(region, newImage(7))
	w.Poll("one")
	w.Poll("two")
	w.deleteImages(7)
	w.clock.offset.Add(int64(2 * time.Second))
	before = polls()
	w.Poll("one")
	w.Eventually(func() error {
		if got := polls() - before; got < 2 {
			return fmt.Errorf("%v polls after an image was gone again, want one of each query", got)
		}
		return nil
	})
}

// polls returns the number of polls with a result.
func (w *world) polls(result string) float64 {
	return w.series("imagequery_polls_total")[fmt.Sprintf("imagequery_polls_total{result=%q}", result)]
}

func TestQueriesThatNeverSyncDoNotStarveTheOthers(t *testing.T) {
	const others = 250
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("healthy", func(s *imagev1alpha1.ImageQuerySpec) { s.Interval.Duration = time.Hour }))
	w.UntilSynced("healthy")
	for i := range others {
		w.Create(newQuery(fmt.Sprintf("hungry-%03d", i), func(s *imagev1alpha1.ImageQuerySpec) {
			s.Filters = []imagev1alpha1.Filter{{Name: "image-name", Values: []string{fmt.Sprint("node-", i)}}} // not shared
			s.MinImages = new(int32(99))
		}))
	}
	for i := range others {
		w.UntilReady(fmt.Sprintf("hungry-%03d", i), metav1.ConditionFalse, imagev1alpha1.ReasonTooFewImages)
	}

	// All of them are overdue, and the cloud is slow.
	w.cloud.Inject(cvmtest.Fault{Delay: 50 * time.Millisecond})
	w.pass(2 * time.Minute)
	before, _ := w.listings()
	w.Poll("healthy")
	if after, _ := w.listings(); after-before > others/5 {
		t.Errorf("%d others were polled before the one that somebody asked for", after-before)
	}
}
