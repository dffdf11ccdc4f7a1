// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// States that the metric has besides Current and Kept.
const (
	stateProblem = "Problem"
	stateFailed  = "Failed"
)

var (
	descConfigMaps = prometheus.NewDesc("imagecatalog_published_configmaps",
		"Labelled ConfigMaps by state: Current, Kept, Problem (see the annotation publish-state) or Failed (a read or write was refused).",
		[]string{"namespace", "state"}, nil)
	descReadable = prometheus.NewDesc("imagecatalog_publish_namespace_readable",
		"1 while the operator can read the labelled ConfigMaps of a namespace of --publish-namespaces, else 0.", []string{"namespace"}, nil)
)

// Metrics are the metrics of publishing. Only the leader has series of ConfigMaps and namespaces.
type Metrics struct {
	writes *prometheus.CounterVec

	mu      sync.Mutex
	states  map[types.NamespacedName]string
	caches  caches
	elected <-chan struct{}
}

var _ prometheus.Collector = &Metrics{}

// NewMetrics returns Metrics for the process to register.
func NewMetrics() *Metrics {
	return &Metrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imagecatalog_configmap_writes_total",
			Help: "Writes of labelled ConfigMaps: written, conflict (tried again) or failed.",
		}, []string{"result"}),
		states: map[types.NamespacedName]string{},
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.writes.Describe(ch)
	ch <- descConfigMaps
	ch <- descReadable
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.writes.Collect(ch)
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.elected:
	default:
		return // a standby reads no ConfigMaps
	}
	counts := map[[2]string]int{}
	for name, state := range m.states {
		counts[[2]string{name.Namespace, state}]++
	}
	for labels, count := range counts {
		ch <- prometheus.MustNewConstMetric(descConfigMaps, prometheus.GaugeValue, float64(count), labels[:]...)
	}
	for namespace, cache := range m.caches {
		readable := 0.0
		if cache.readable.Load() {
			readable = 1
		}
		ch <- prometheus.MustNewConstMetric(descReadable, prometheus.GaugeValue, readable, namespace)
	}
}

// watch has the namespaces counted, once this process leads.
func (m *Metrics) watch(caches caches, elected <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.caches, m.elected = caches, elected
}

// published keeps the state of a ConfigMap.
func (m *Metrics) published(name types.NamespacedName, state string) {
	if !slices.Contains([]string{imagev1alpha1.PublishCurrent, imagev1alpha1.PublishKept}, state) {
		state = stateProblem
	}
	m.set(name, state)
}

// failed keeps that a ConfigMap couldn't be read or written.
func (m *Metrics) failed(name types.NamespacedName) {
	m.writes.WithLabelValues("failed").Inc()
	m.set(name, stateFailed)
}

func (m *Metrics) set(name types.NamespacedName, state string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states[name] = state
}

// forget drops a ConfigMap that isn't published into any more.
func (m *Metrics) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.states, name)
}

func (m *Metrics) written()  { m.writes.WithLabelValues("written").Inc() }
func (m *Metrics) conflict() { m.writes.WithLabelValues("conflict").Inc() }
