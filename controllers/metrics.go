// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/cache"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/writer"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

const (
	// maxInfo bounds the selected images of one query that have series of their own.
	maxInfo = 50

	// labelOther replaces values of the cloud that are unknown.
	labelOther = "other"
)

// The series of a query. They are generated on each scrape, so that they disappear together.
var (
	descLastSuccess = prometheus.NewDesc("imagequery_last_success_timestamp_seconds",
		"When a poll of the query last succeeded; absent as long as none has.", []string{"name"}, nil)
	descFreshUntil = prometheus.NewDesc("imagequery_fresh_until_timestamp_seconds",
		"When what is known stops being fresh unless a poll succeeds: max(4 x interval, 15m) after the last success, at most interval + 24h.", []string{"name"}, nil)
	descInterval = prometheus.NewDesc("imagequery_interval_seconds",
		"The interval of the query's spec.", []string{"name"}, nil)
	descReady = prometheus.NewDesc("imagequery_ready",
		"1 while Ready is True, else 0, with the reason that the condition gives.", []string{"name", "reason"}, nil)
	descStalled = prometheus.NewDesc("imagequery_stalled",
		"1 while a person must act, else 0.", []string{"name"}, nil)
	descSuspended = prometheus.NewDesc("imagequery_suspended",
		"1 while spec.suspend is true, else 0.", []string{"name"}, nil)
	descRemovalBlocked = prometheus.NewDesc("imagequery_removal_blocked",
		"1 while removals wait for an approval, else 0.", []string{"name"}, nil)
	descImages = prometheus.NewDesc("imagequery_images",
		"Members of the query.", []string{"name"}, nil)
	descRemoving = prometheus.NewDesc("imagequery_removing",
		"Images in their grace period, at most 100.", []string{"name"}, nil)
	descSelected = prometheus.NewDesc("imagequery_selected",
		"Images in status.selected.", []string{"name"}, nil)
	descSelectedGone = prometheus.NewDesc("imagequery_selected_gone",
		"Images in status.selected that are confirmed to be no longer visible to the credentials, while their removal waits for an approval.",
		[]string{"name"}, nil)
	descSelectionChanged = prometheus.NewDesc("imagequery_selection_changed_timestamp_seconds",
		"When the present selection replaced the one before, and why: a reason of status.selectedHistory.", []string{"name", "reason"}, nil)
	descSelectedInfo = prometheus.NewDesc("imagequery_selected_image_info",
		"1 for each of the first 50 images of status.selected.", []string{"name", "region", "image_id", "image_name", "architecture"}, nil)
	descSelectedCreated = prometheus.NewDesc("imagequery_selected_image_created_timestamp_seconds",
		"When such an image was created; absent where the cloud gives none, as for public images.", []string{"name", "region", "image_id", "image_name", "architecture"}, nil)
	descCloudImages = prometheus.NewDesc("imagecatalog_cloudimages",
		"CloudImages in the cluster. Words of the cloud that are not known count as other.", []string{"region", "platform", "architecture", "state", "presence"}, nil)
)

// Metrics are the metrics of the loop. Only the leader exports series.
type Metrics struct {
	polls       *prometheus.CounterVec
	status      *prometheus.CounterVec
	invalid     prometheus.Counter
	cloudImages *prometheus.CounterVec

	mu      sync.Mutex
	queries map[string][]prometheus.Metric // by name

	// elected is closed once this process leads. images is its cache, and shard selects the regions whose images are
	// counted here. All are nil before SetupWithManager.
	elected <-chan struct{}
	images  cache.Cache
	shard   Shard
}

var _ prometheus.Collector = &Metrics{}

// NewMetrics returns Metrics for the process to register.
func NewMetrics() *Metrics {
	return &Metrics{
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imagequery_polls_total",
			Help: "Polls by result: Synced, or the reason of the failure, such as IncompleteListing.",
		}, []string{"result"}),
		status: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imagequery_status_writes_total",
			Help: "Writes of a query's status: written, conflict (tried again) or failed.",
		}, []string{"result"}),
		invalid: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "imagequery_invalid_statuses_total",
			Help: "Statuses that the API server called invalid. Each is a fault of the operator: it is dropped, and the log names it.",
		}),
		cloudImages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imagecatalog_cloudimage_writes_total",
			Help: "Writes of CloudImages by operation (create, update, delete): written, conflict (tried again) or failed.",
		}, []string{"operation", "result"}),
		queries: map[string][]prometheus.Metric{},
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range []prometheus.Collector{m.polls, m.status, m.invalid, m.cloudImages} {
		c.Describe(ch)
	}
	for _, d := range []*prometheus.Desc{
		descLastSuccess, descFreshUntil, descInterval, descReady, descStalled, descSuspended, descRemovalBlocked, descImages, descRemoving,
		descSelected, descSelectedGone, descSelectionChanged, descSelectedInfo, descSelectedCreated, descCloudImages,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range []prometheus.Collector{m.polls, m.status, m.invalid, m.cloudImages} {
		c.Collect(ch)
	}
	m.mu.Lock()
	queries := maps.Clone(m.queries)
	m.mu.Unlock()
	for _, series := range queries {
		for _, s := range series {
			ch <- s
		}
	}
	m.collectCloudImages(ch)
}

// observe updates a query's series from its status and from the time of the last success, which status shows late.
func (m *Metrics) observe(query *imagev1alpha1.ImageQuery, success time.Time) {
	series := seriesOf(query, success)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queries[query.Name] = series
}

// forget removes the series of a deleted query.
func (m *Metrics) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.queries, name)
}

// cloudImageWritten counts a write of a CloudImage.
func (m *Metrics) cloudImageWritten(operation string, err error) {
	m.cloudImages.WithLabelValues(operation, writeResult(err)).Inc()
}

// polled counts a poll by its result.
func (m *Metrics) polled(result string) { m.polls.WithLabelValues(result).Inc() }

func seriesOf(query *imagev1alpha1.ImageQuery, success time.Time) []prometheus.Metric {
	var out []prometheus.Metric
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out = append(out, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{query.Name}, labels...)...))
	}
	status := &query.Status
	if !success.IsZero() {
		gauge(descLastSuccess, seconds(success))
		gauge(descFreshUntil, seconds(staleAt(query, success)))
	}
	gauge(descInterval, query.Spec.Interval.Seconds())
	gauge(descReady, one(meta.IsStatusConditionTrue(status.Conditions, imagev1alpha1.ConditionReady)), readyReason(status))
	gauge(descStalled, one(meta.IsStatusConditionTrue(status.Conditions, imagev1alpha1.ConditionStalled)))
	gauge(descSuspended, one(query.Spec.Suspend))
	gauge(descRemovalBlocked, one(meta.IsStatusConditionTrue(status.Conditions, imagev1alpha1.ConditionRemovalBlocked)))
	gauge(descImages, float64(ptr.Deref(status.ImageCount, 0)))
	gauge(descRemoving, float64(len(status.Removing)))
	gauge(descSelected, float64(len(status.Selected)))
	gauge(descSelectedGone, float64(selectedGone(status)))
	if len(status.SelectedHistory) > 0 {
		last := status.SelectedHistory[0]
		gauge(descSelectionChanged, seconds(last.SelectedTime.Time), string(last.Reason))
	}
	// A duplicate series would make the whole /metrics fail. A foreign status may contain duplicates.
	shown := map[[3]string]bool{}
	for _, image := range status.Selected[:min(len(status.Selected), maxInfo)] {
		id := [3]string{image.ImageID, image.Name, image.Architecture}
		if shown[id] {
			continue
		}
		shown[id] = true
		labels := []string{query.Spec.Region, image.ImageID, image.Name, image.Architecture}
		gauge(descSelectedInfo, 1, labels...)
		if image.CreatedTime != nil {
			gauge(descSelectedCreated, seconds(image.CreatedTime.Time), labels...)
		}
	}
	return out
}

// selectedGone counts the selected images that are gone, and stay selected because their removal is blocked.
func selectedGone(status *imagev1alpha1.ImageQueryStatus) int {
	count, selected := 0, selection.SelectedIDs(status.Selected)
	for _, p := range status.PendingRemoval {
		if p.Reason == imagev1alpha1.RemovedGone && slices.Contains(selected, p.ImageID) {
			count++
		}
	}
	return count
}

// readyReason returns the reason of Ready, or "" before the first status.
func readyReason(status *imagev1alpha1.ImageQueryStatus) string {
	if ready := meta.FindStatusCondition(status.Conditions, imagev1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return ""
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// platforms are the known values of the cloud for operating systems. The set is open.
var platforms = []string{
	"AlmaLinux", "CentOS", "CentOS Stream", "CoreOS", "Debian", "Fedora", "FreeBSD", "OpenCloudOS", "Other Linux", "Red Hat",
	"Rocky Linux", "SUSE", "TencentOS", "Ubuntu", "Windows", "openSUSE",
}

var (
	architectures = []string{"amd64", "arm64", "386"}
	states        = []string{"CREATING", "NORMAL", "CREATEFAILED", "SYNCING", "IMPORTING", "IMPORTFAILED"}
)

// collectCloudImages counts the cached objects on each scrape. A counter of our own would have to stay right over
// every write, deletion and restart.
func (m *Metrics) collectCloudImages(ch chan<- prometheus.Metric) {
	select {
	case <-m.elected:
	default:
		return // a standby, or its counts would be added to the leader's
	}
	if !m.images.HasSynced() {
		return
	}
	type labels struct{ region, platform, architecture, state, presence string }
	counts := map[labels]int{}
	for o := range m.images.All() {
		image := &o.Image
		if !m.shard.Covers(image.Region) {
			continue
		}
		counts[labels{
			image.Region, known(platforms, image.Platform), known(architectures, image.Architecture), known(states, image.State),
			string(o.Lifecycle.Presence),
		}]++
	}
	for l, n := range counts {
		ch <- prometheus.MustNewConstMetric(descCloudImages, prometheus.GaugeValue, float64(n), l.region, l.platform, l.architecture, l.state, l.presence)
	}
}

func known(words []string, word string) string {
	if slices.Contains(words, word) {
		return word
	}
	return labelOther
}

func writeResult(err error) string {
	switch {
	case err == nil:
		return "written"
	case writer.IsStale(err):
		return "conflict"
	}
	return "failed"
}
