// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// codeOK stands for an answer without an error, and labelOther for whatever would add one value after another.
	codeOK     = "OK"
	labelOther = "other"

	// maxRegions bounds the regions that have series of their own. The cloud has about thirty; a spec may name what it
	// likes.
	maxRegions = 64
)

// ownCodes are the codes that are no verdict of the cloud's.
var ownCodes = map[string]bool{
	codeOK: true, codePanic: true, codeMalformed: true, codeIncomplete: true, codeRefused: true, codeTimeout: true, codeUnknown: true,
}

// meter counts what goes out to the cloud. A nil meter counts nothing.
type meter struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	wait     prometheus.Histogram

	mu      sync.Mutex
	regions map[string]bool
}

func newMeter() *meter {
	return &meter{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tencentcloud_api_requests_total",
			Help: "Requests sent to the cloud, by the code of the answer: OK, a code of the cloud's or the SDK's, or other.",
		}, []string{"action", "region", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tencentcloud_api_request_duration_seconds",
			Help:    "Time from sending a request to the cloud until its answer was read.",
			Buckets: []float64{0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20},
		}, []string{"action"}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tencentcloud_api_limiter_wait_seconds",
			Help:    "Time that requests waited for the operator's own budget (--cvm-qps), pauses after throttling included.",
			Buckets: []float64{0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300},
		}),
		regions: map[string]bool{},
	}
}

// Collectors are the metrics of a Client, for the process to register.
func (c *Client) Collectors() []prometheus.Collector {
	return []prometheus.Collector{c.meter.requests, c.meter.duration, c.meter.wait}
}

// sent notes a request that has ended. Where no answer came to be read, err says why.
func (m *meter) sent(req *http.Request, took time.Duration, body []byte, err error) {
	if m == nil {
		return
	}
	code, noRegion := answerCode(body)
	if err != nil {
		code = failureCode(err)
	}
	action := req.Header.Get("X-TC-Action")
	m.requests.WithLabelValues(action, m.region(req.Header.Get("X-TC-Region"), noRegion || code == codeUnknownHost), code).Inc()
	m.duration.WithLabelValues(action).Observe(took.Seconds())
}

// waited notes how long a request waited for its token.
func (m *meter) waited(d time.Duration) {
	if m != nil {
		m.wait.Observe(d.Seconds())
	}
}

// region is the label of a region. One that the cloud doesn't know, or that may be why nobody knows the host, gets none of
// its own: series outlive the query that named it.
func (m *meter) region(name string, doubtful bool) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.regions[name] {
		if doubtful || len(m.regions) == maxRegions {
			return labelOther
		}
		m.regions[name] = true
	}
	return name
}

// failureCode is the code of a request without an answer.
func failureCode(err error) string {
	if code := classify(err).Code; code != codeUnknown {
		return boundLabel(code)
	}
	return codeNetwork
}

// answerCode is the code in an answer, and whether it is about the region. The quotation mark before and after tells a key from a word in somebody's text,
// where it would be escaped, so that a good page is not decoded twice.
func answerCode(body []byte) (code string, noRegion bool) {
	if !bytes.Contains(body, []byte(`"RequestId"`)) {
		return codeMalformed, false
	}
	if !bytes.Contains(body, []byte(`"Error"`)) {
		return codeOK, false
	}
	var answer struct {
		Response struct {
			Error *struct{ Code, Message string }
		}
	}
	if json.Unmarshal(body, &answer) != nil {
		return codeMalformed, false
	}
	failure := answer.Response.Error
	if failure == nil {
		return codeOK, false
	}
	return boundLabel(failure.Code), refusesRegion(failure.Code, failure.Message)
}

// boundLabel keeps whoever answers from adding series: a code that is in no table counts under its family, or under
// labelOther.
func boundLabel(code string) string {
	family, _, _ := strings.Cut(code, ".")
	for _, known := range []string{code, family} {
		_, image := verdicts[known]
		_, keys := keyVerdicts[known]
		if image || keys || ownCodes[known] || slices.Contains(unansweredCodes, known) {
			return known
		}
	}
	return labelOther
}
