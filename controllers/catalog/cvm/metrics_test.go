// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// gather returns the client's metrics by family and by sorted labels.
func gather(t *testing.T, c *Client) map[string]map[string]*dto.Metric {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]*dto.Metric{}
	for _, family := range families {
		out[family.GetName()] = map[string]*dto.Metric{}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			out[family.GetName()][strings.Join(labels, " ")] = m
		}
	}
	return out
}

// requestCounts returns the number of requests by action, code and region.
func requestCounts(t *testing.T, c *Client) map[string]float64 {
	t.Helper()
	counts := map[string]float64{}
	for labels, m := range gather(t, c)["tencentcloud_api_requests_total"] {
		counts[labels] = m.GetCounter().GetValue()
	}
	return counts
}

func TestEveryRequestIsCountedByItsCode(t *testing.T) {
	body := func(s string) *string { return &s }
	for name, tc := range map[string]struct {
		fault cvmtest.Fault
		want  string
	}{
		"an error of the cloud":         {cvmtest.Fault{Code: "InternalError"}, "InternalError"},
		"an error in no table":          {cvmtest.Fault{Code: "InvalidParameterValue.Tomorrow"}, "InvalidParameterValue"},
		"an error of no family":         {cvmtest.Fault{Code: "Tomorrow.Morning"}, "other"},
		"an answer that is none":        {cvmtest.Fault{Body: body(`{"Response":{}}`)}, "ClientError.MalformedAnswer"},
		"null, which the SDK panics at": {cvmtest.Fault{Body: body(`null`)}, "ClientError.MalformedAnswer"},
		"JSON that ends in the middle":  {cvmtest.Fault{Body: body(`{"Response":{"RequestId":"1","Error":`)}, "ClientError.MalformedAnswer"},
		"a page of a proxy":             {cvmtest.Fault{Status: http.StatusBadGateway}, "ClientError.AnswerRefused"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{}, private(3)...)
			c := connect(t, s)
			mustList(t, c, everything)
			s.Inject(tc.fault)
			mustFail(t, c, account, everything)
			got := requestCounts(t, c)
			if diff := cmp.Diff(map[string]float64{
				"DescribeImages OK ap-guangzhou": 1, "DescribeImages " + tc.want + " ap-guangzhou": 1,
			}, got); diff != "" {
				t.Errorf("tencentcloud_api_requests_total (-want +got):\n%s", diff)
			}
		})
	}
}

func TestACloudThatIsNotThereIsCounted(t *testing.T) {
	s := start(t, cvmtest.Options{})
	c := connect(t, s)
	s.Close()
	mustFail(t, c, account, everything)
	if got := requestCounts(t, c)["DescribeImages ClientError.ConnectionRefused ap-guangzhou"]; got != 1 {
		t.Errorf("counts are %v", requestCounts(t, c))
	}
}

func TestAWordInAnImagesNameIsNoError(t *testing.T) {
	image := private(1)[0]
	image.ImageName = `"Error":{"Code":"AuthFailure"}`
	c := connect(t, start(t, cvmtest.Options{}, image))
	mustList(t, c, everything)
	if diff := cmp.Diff(map[string]float64{"DescribeImages OK ap-guangzhou": 1}, requestCounts(t, c)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// An endpoint that answers each request with another code, and specs with ever new regions, must not fill Prometheus.
func TestNobodyAddsSeriesWithoutEnd(t *testing.T) {
	asked := 0
	hostile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, fmt.Sprintf(`{"Response":{"RequestId":"1","Error":{"Code":"Hostile%d.Code%d","Message":"m"}}}`, asked, asked))
	}))
	t.Cleanup(hostile.Close)
	c, err := New(Options{Endpoint: hostile.URL, QPS: 100_000, Burst: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	const regions = 3 * maxRegions
	for i := range regions {
		mustFail(t, c, account, catalog.Query{Region: fmt.Sprintf("ap-nowhere-%d", i)})
	}
	counts := requestCounts(t, c)
	if len(counts) != maxRegions+1 {
		t.Errorf("%d regions made %d series, want %d and one for all others", regions, len(counts), maxRegions)
	}
	if got := counts["DescribeImages other other"]; got != regions-maxRegions {
		t.Errorf("the series of the others counts %v requests, want %d", got, regions-maxRegions)
	}
}

// Three codes are about an unknown region; two of them only with a certain message.
func TestARegionThatTheCloudDoesNotKnow(t *testing.T) {
	for region, code := range map[string]string{
		"gz": "InvalidParameter", "ap-nowhere": "InvalidParameterValue", "ap-shanghai-adc": "UnsupportedRegion",
	} {
		s := start(t, cvmtest.Options{})
		c := connect(t, s)
		failure := mustFail(t, c, account, catalog.Query{Region: region})
		if failure.Kind != catalog.Invalid || failure.Code != code || !strings.Contains(failure.Message, "correct spec.region") {
			t.Errorf("%s: %s, %v, want Invalid, %s that names spec.region", region, failure.Kind, failure, code)
		}
		wantConfidential(t, s, account, failure)
		// Series outlive the query that named it.
		if diff := cmp.Diff(map[string]float64{"DescribeImages " + code + " other": 1}, requestCounts(t, c)); diff != "" {
			t.Errorf("%s: counts (-want +got):\n%s", region, diff)
		}
	}
}

// A region in an unrelated message isn't unknown.
func TestARegionInAnotherMessageIsNotBlamed(t *testing.T) {
	s := start(t, cvmtest.Options{})
	c := connect(t, s)
	s.Inject(cvmtest.Fault{Code: "InvalidParameterValue", Message: "The filter is not supported in this region."})
	failure := mustFail(t, c, account, everything)
	if strings.Contains(failure.Message, "spec.region") {
		t.Errorf("it blames the region: %v", failure)
	}
	if diff := cmp.Diff(map[string]float64{"DescribeImages InvalidParameterValue " + region: 1}, requestCounts(t, c)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestDurationsAndWaitsAreMeasured(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(150)...)
	c, err := New(Options{Endpoint: s.URL(), QPS: 10, Burst: 1})
	if err != nil {
		t.Fatal(err)
	}
	mustList(t, c, everything)
	metrics := gather(t, c)
	if got := metrics["tencentcloud_api_request_duration_seconds"]["DescribeImages"].GetHistogram().GetSampleCount(); got != 2 {
		t.Errorf("%d durations were measured, want 2", got)
	}
	// The second page's token is granted a tenth of a second after the first's.
	wait := metrics["tencentcloud_api_limiter_wait_seconds"][""].GetHistogram()
	if wait.GetSampleCount() != 2 || wait.GetSampleSum() > time.Minute.Seconds() || wait.GetSampleSum() == 0 {
		t.Errorf("waits are %v", wait)
	}
}
