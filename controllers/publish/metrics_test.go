// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"k8s.io/apimachinery/pkg/types"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// A sentence never becomes a label, and a standby has no series of ConfigMaps.
func TestMetricsCountByState(t *testing.T) {
	m, elected := NewMetrics(), make(chan struct{})
	m.watch(caches{"team-a": {}}, elected)
	for name, state := range map[string]string{
		"one": imagev1alpha1.PublishCurrent, "two": imagev1alpha1.PublishCurrent, "three": imagev1alpha1.PublishKept,
		"four": "The ConfigMap is immutable.", "gone": imagev1alpha1.PublishKept,
	} {
		m.published(types.NamespacedName{Namespace: "team-a", Name: name}, state)
	}
	m.failed(types.NamespacedName{Namespace: "team-a", Name: "five"})
	m.forget(types.NamespacedName{Namespace: "team-a", Name: "gone"})
	registry := prometheus.NewRegistry()
	registry.MustRegister(m)
	if got := series(t, registry); len(got) != 0 {
		t.Errorf("a standby has %v", got)
	}
	close(elected)
	want := map[string]float64{
		"imagecatalog_published_configmaps Current": 2, "imagecatalog_published_configmaps Kept": 1,
		"imagecatalog_published_configmaps Problem": 1, "imagecatalog_published_configmaps Failed": 1,
		"imagecatalog_publish_namespace_readable": 0,
	}
	if diff := cmp.Diff(want, series(t, registry)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// series returns the values of all gauges by name and state. All are of the namespace team-a, and as promlint likes them.
func series(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				if label.GetName() == "state" {
					name += " " + label.GetValue()
				}
			}
			if metric.GetGauge() != nil {
				values[name] = metric.GetGauge().GetValue()
			}
		}
	}
	return values
}
