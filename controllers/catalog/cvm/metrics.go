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
	// codeOK is the label of an answer without an error. labelOther replaces values that would create series without bound.
	codeOK     = "OK"
	labelOther = "other"

	// maxRegions bounds the regions that have series of their own. The cloud has about thirty, but a spec may name any.
	maxRegions = 64
)

// ownCodes are the codes that don't come from the cloud.
var ownCodes = map[string]bool{
	codeOK: true, codePanic: true, codeMalformed: true, codeIncomplete: true, codeRefused: true, codeTimeout: true, codeUnknown: true,
}

// meter counts the requests to the cloud. A nil meter counts nothing.
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

// Collectors returns the metrics of a Client, for registration.
func (c *Client) Collectors() []prometheus.Collector {
	return []prometheus.Collector{c.meter.requests, c.meter.duration, c.meter.wait}
}

// sent records a finished request. err is set if no answer was read.
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

// waited records how long a request waited for its token.
func (m *meter) waited(d time.Duration) {
	if m != nil {
		m.wait.Observe(d.Seconds())
	}
}

// region returns the label of a region. A region that the cloud doesn't know, or that may be the reason why a host doesn't
// resolve, has no label of its own, because series outlive the query that named it.
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

// failureCode returns the code of a request without an answer.
func failureCode(err error) string {
	if code := classify(err).Code; code != codeUnknown {
		return boundLabel(code)
	}
	return codeNetwork
}

// answerCode returns the code in an answer, and whether it is about the region. The quotation marks distinguish a key from text
// in a value, where they would be escaped, so a successful page needn't be decoded twice.
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

// boundLabel prevents the endpoint from creating series without bound: an unknown code counts under its family, or under
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
