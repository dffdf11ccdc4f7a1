// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

func (w *world) gather() []*dto.MetricFamily {
	w.Helper()
	registry := prometheus.NewPedanticRegistry() // which also holds Collect to Describe
	registry.MustRegister(w.metrics)
	families, err := registry.Gather()
	if err != nil {
		w.Fatal(err)
	}
	return families
}

// series returns the current series of metrics with the prefix, in Prometheus' notation, with their values.
func (w *world) series(prefix string) map[string]float64 {
	w.Helper()
	out := map[string]float64{}
	for _, family := range w.gather() {
		if !strings.HasPrefix(family.GetName(), prefix) {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			out[family.GetName()+"{"+strings.Join(labels, ",")+"}"] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

// seriesOf returns the series of a query by metric. The values of metrics with more labels are omitted.
func (w *world) seriesOf(query string) map[string]float64 {
	w.Helper()
	out := map[string]float64{}
	for series, value := range w.series("imagequery_") {
		if metric, labels, _ := strings.Cut(series, "{"); strings.Contains(labels, fmt.Sprintf("name=%q", query)) {
			out[strings.TrimPrefix(metric, "imagequery_")] = value
		}
	}
	return out
}

func TestAQuerysSeriesShowItsStatusAndGoWithIt(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1), newImage(2))
	w.Create(newQuery("golden"))
	query := w.UntilSynced("golden")

	want := map[string]float64{
		"interval_seconds": 600, "ready": 1, "stalled": 0, "suspended": 0, "removal_blocked": 0, "images": 2, "removing": 0,
		"selected": float64(len(query.Status.Selected)),
	}
	w.Eventually(func() error {
		got := w.seriesOf("golden")
		fresh, success := got["fresh_until_timestamp_seconds"], got["last_success_timestamp_seconds"]
		if age := time.Since(time.Unix(int64(success), 0)); age > kit.Patience || fresh != success+4*600 {
			return fmt.Errorf("last success %v and fresh until %v are wrong", success, fresh)
		}
		for metric, value := range want {
			if got[metric] != value {
				return fmt.Errorf("imagequery_%s is %v, want %v", metric, got[metric], value)
			}
		}
		return nil
	})

	// A recreated query of the same name starts without a history.
	w.cloud.Inject(cvmtest.Fault{Code: "InternalError"})
	w.clock.offset.Add(int64(time.Minute)) // the first one's listing isn't shared any more
	w.Delete(query)
	w.Create(newQuery("golden"))
	w.UntilReady("golden", metav1.ConditionFalse, imagev1alpha1.ReasonUnavailable)
	w.Eventually(func() error {
		got := w.seriesOf("golden")
		if _, old := got["last_success_timestamp_seconds"]; old || got["images"] != 0 || got["ready"] != 0 {
			return fmt.Errorf("a namesake has series of its predecessor: %v", got)
		}
		return nil
	})

	w.Delete(newQuery("golden"))
	w.Eventually(func() error {
		if left := w.seriesOf("golden"); len(left) > 0 {
			return fmt.Errorf("a deleted query has series: %v", left)
		}
		return nil
	})
}

// Dashboards show how old the selected image is, and why a query isn't Ready.
func TestASelectedImagesAgeIsToldIfTheCloudTellsIt(t *testing.T) {
	w := newWorld(t)
	ageless := cvmtest.PublicImages()[0]
	ageless.CreatedTime = nil
	dated := newImage(1)
	w.cloud.Put(region, dated, ageless)
	byID := func(id string) func(*imagev1alpha1.ImageQuerySpec) {
		return func(s *imagev1alpha1.ImageQuerySpec) {
			s.Filters, s.ImageIDs = nil, []imagev1alpha1.ImageID{imagev1alpha1.ImageID(id)}
		}
	}
	w.Create(newQuery("dated", byID(dated.ImageID)), newQuery("ageless", byID(ageless.ImageID)))
	created := w.UntilSynced("dated").Status.Selected[0].CreatedTime.Unix()
	w.UntilSynced("ageless")
	w.Eventually(func() error {
		const age = "selected_image_created_timestamp_seconds"
		if got := w.seriesOf("dated"); got[age] != float64(created) {
			return fmt.Errorf("the creation of the selected image is told as %v, want %d", got[age], created)
		}
		got := w.seriesOf("ageless")
		if _, told := got[age]; told || got["selected"] != 1 {
			return fmt.Errorf("of an image without creation time is told %v", got)
		}
		return nil
	})
}

func TestReadyTellsItsReason(t *testing.T) {
	w := newWorld(t)
	w.cloud.Inject(cvmtest.Fault{Code: "InternalError"})
	w.Create(newQuery("golden"))
	w.UntilReady("golden", metav1.ConditionFalse, imagev1alpha1.ReasonUnavailable)
	want := map[string]float64{`imagequery_ready{name="golden",reason="Unavailable"}`: 0}
	w.Eventually(func() error {
		if diff := cmp.Diff(want, w.series("imagequery_ready")); diff != "" {
			return fmt.Errorf("series (-want +got):\n%s", diff)
		}
		return nil
	})
}

func TestSeriesAreThereAfterARestartBeforeAPoll(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden"), newQuery("off", func(s *imagev1alpha1.ImageQuerySpec) { s.Suspend = true }))
	w.UntilSynced("golden")
	w.restart()
	w.Eventually(func() error {
		golden, off := w.seriesOf("golden"), w.seriesOf("off")
		if golden["images"] != 1 || golden["last_success_timestamp_seconds"] == 0 || off["suspended"] != 1 {
			return fmt.Errorf("golden has %v, off %v", golden, off)
		}
		return nil
	})
}

func TestPollsAndWritesAreCountedByWhatTheyCameTo(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1), newImage(2))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	w.cloud.Inject(cvmtest.Fault{Code: "RequestLimitExceeded"})
	w.Poll("golden")
	w.Eventually(func() error {
		got := w.series("")
		for series, want := range map[string]float64{
			`imagequery_polls_total{result="Synced"}`: 1, `imagequery_polls_total{result="Throttled"}`: 1,
			`imagecatalog_cloudimage_writes_total{operation="create",result="written"}`: 2,
		} {
			if got[series] != want {
				return fmt.Errorf("%s is %v, want %v", series, got[series], want)
			}
		}
		if got[`imagequery_status_writes_total{result="written"}`] < 3 {
			return fmt.Errorf("status writes are %v", got)
		}
		return nil
	})
}

func TestCloudImagesAreCountedByWordsThatAreKnown(t *testing.T) {
	w := newWorld(t)
	strange := newImage(2)
	strange.Platform, strange.ImageState = "Mallory 1", "PWNED"
	w.cloud.Put(region, newImage(1), strange)
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	series := func(platform, state string) string {
		return fmt.Sprintf(`imagecatalog_cloudimages{architecture="amd64",platform=%q,presence="Present",region=%q,state=%q}`,
			platform, region, state)
	}
	want := map[string]float64{series(newImage(1).Platform, "NORMAL"): 1, series("other", "other"): 1}
	w.Eventually(func() error {
		if diff := cmp.Diff(want, w.series("imagecatalog_cloudimages")); diff != "" {
			return fmt.Errorf("series (-want +got):\n%s", diff)
		}
		return nil
	})
}

// Only the series of selected images name an image, and Prometheus' linter finds no problem.
func TestMetricsAreWellFormed(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	var families []*dto.MetricFamily
	w.Eventually(func() error { // they follow the status
		families = w.gather()
		return lacks(families, "imagequery_last_success_timestamp_seconds", "imagequery_images", "imagequery_removal_blocked")
	})
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
	for series := range w.series("") {
		if strings.Contains(series, newImage(1).ImageID) && !strings.HasPrefix(series, "imagequery_selected_image_") {
			t.Errorf("%s names an image", series)
		}
	}
}

// lacks returns an error if one of the series, on which others rely, is missing.
func lacks(families []*dto.MetricFamily, names ...string) error {
	for _, name := range names {
		if !slices.ContainsFunc(families, func(family *dto.MetricFamily) bool { return family.GetName() == name }) {
			return fmt.Errorf("%s is missing", name)
		}
	}
	return nil
}
