// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// eventsOf returns the events of queries with a name prefix. Events of cluster-scoped objects are in the namespace
// default.
func (w *world) eventsOf(prefix string) []corev1.Event {
	w.Helper()
	var list corev1.EventList
	if err := w.Client.List(w.Context(), &list, client.InNamespace("default")); err != nil {
		w.Fatal(err)
	}
	var out []corev1.Event
	for _, e := range list.Items {
		if e.InvolvedObject.Kind == "ImageQuery" && strings.HasPrefix(e.InvolvedObject.Name, prefix) {
			out = append(out, e)
		}
	}
	return out
}

func TestAHundredFailingPollsAreOneEvent(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("hundred"))
	w.UntilSynced("hundred")
	w.cloud.Inject(cvmtest.Fault{Code: "InternalError"})
	for range 100 {
		w.clock.offset.Add(int64(time.Second)) // more often nobody is polled
		w.Poll("hundred")
	}
	// The event of the recovery is recorded after all previous ones.
	w.cloud.Heal()
	w.clock.offset.Add(int64(time.Minute))
	w.Poll("hundred")
	w.Eventually(func() error {
		warnings, recoveries := 0, 0
		for _, e := range w.eventsOf("hundred") {
			switch {
			case e.Type == corev1.EventTypeWarning && e.Reason == imagev1alpha1.ReasonUnavailable:
				warnings++
				if e.Count > 1 || e.Series != nil {
					return fmt.Errorf("the event was repeated: %d times, series %v", e.Count, e.Series)
				}
			case e.Reason == imagev1alpha1.ReasonSynced:
				recoveries++
			}
		}
		if warnings != 1 || recoveries != 2 {
			return fmt.Errorf("%d warnings and %d events of good polls, want 1 and 2", warnings, recoveries)
		}
		return nil
	})
}

// reconciles returns the number of finished and of running reconciles.
func (w *world) reconciles() (done, active float64) {
	w.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		w.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			switch family.GetName() {
			case "controller_runtime_reconcile_total":
				done += m.GetCounter().GetValue()
			case "controller_runtime_active_workers":
				active += m.GetGauge().GetValue()
			}
		}
	}
	return done, active
}

// A day without changes, in simulated time: only the heartbeat of status.lastSyncTime is written.
func TestADayWithoutNewsIsHeartbeatsOnly(t *testing.T) {
	const (
		queries = 100
		day     = 24 * time.Hour
		step    = 12 * time.Minute // the longest interval with jitter, so every query is due at every step
	)
	w := newWorld(t)
	regions := []string{
		"ap-guangzhou", "ap-shanghai", "ap-beijing", "ap-nanjing", "ap-chengdu", "ap-chongqing", "ap-hongkong", "ap-singapore",
		"ap-bangkok", "ap-jakarta",
	}
	for _, r := range regions {
		w.cloud.Put(r, newImage(1))
	}
	for i := range queries {
		w.Create(newQuery(fmt.Sprintf("quiet-%02d", i), func(s *imagev1alpha1.ImageQuerySpec) { s.Region = regions[i%len(regions)] }))
	}
	for i := range queries {
		w.UntilSynced(fmt.Sprintf("quiet-%02d", i))
	}
	w.Eventually(func() error {
		if got := len(w.eventsOf("quiet-")); got < 2*queries {
			return fmt.Errorf("%d events of the first polls", got)
		}
		return nil
	})
	w.idle()
	w.writes.take()
	polls := w.series("imagequery_polls_total")[`imagequery_polls_total{result="Synced"}`]
	events := len(w.eventsOf("quiet-"))

	for range int(day / step) {
		before, _ := w.reconciles()
		w.pass(step)
		w.Eventually(func() error {
			if done, active := w.reconciles(); done < before+queries || active > 0 {
				return fmt.Errorf("%v of %d queries were looked at", done-before, queries)
			}
			return nil
		})
	}

	polls = w.series("imagequery_polls_total")[`imagequery_polls_total{result="Synced"}`] - polls
	writes := w.writes.take()
	t.Logf("in a day %d queries were polled %v times and written %d times; %d more events",
		queries, polls, len(writes), len(w.eventsOf("quiet-"))-events)
	// Every second poll writes, since lastSyncTime is then older than twice the interval. On a busy machine, one step's
	// polls may run in the next step.
	most, least := queries*int(day/(10*time.Minute)), queries*int(day/step)*9/10
	if int(polls) > most || int(polls) < least {
		t.Errorf("there were %v polls, want %d to %d", polls, least, most)
	}
	if len(writes) > most/2 || len(writes) < least/2 {
		t.Errorf("there were %d writes, want %d to %d", len(writes), least/2, most/2)
	}
	for _, write := range writes {
		if !strings.HasPrefix(write, "PUT imagequeries/quiet-") || !strings.Contains(write, "/status") {
			t.Fatalf("%s was written, and nothing had changed", write)
		}
	}
	if got := len(w.eventsOf("quiet-")); got != events {
		t.Errorf("there are %d events, and were %d before", got, events)
	}
}
