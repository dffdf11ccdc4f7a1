// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// BenchmarkPages serves 50 000 images in pages of 100, as for the operator's benchmarks.
func BenchmarkPages(b *testing.B) {
	s := cvmtest.NewServer(cvmtest.Options{RateLimit: -1})
	defer s.Close()
	s.Put(region, cvmtest.PrivateImages(1, 50_000, mine)...)
	var pages []*http.Request
	for i := range 500 {
		pages = append(pages, call{
			server: s,
			body:   fmt.Sprintf(`{"Filters":[{"Name":"image-type","Values":["PRIVATE_IMAGE"]}],"Offset":%d,"Limit":100}`, 100*i),
		}.request(b))
	}
	tr := &http.Transport{MaxIdleConnsPerHost: 16}
	defer tr.CloseIdleConnections()
	get := func(page int) {
		resp, err := tr.RoundTrip(fresh(pages[page%len(pages)]))
		if err != nil {
			b.Fatal(err)
		}
		size, _ := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if size < 10_000 {
			b.Fatalf("%d bytes", size)
		}
	}
	for page := range pages { // the first reading encodes the images
		get(page)
	}
	n := 0
	for b.Loop() {
		get(n)
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pages/s")
}

// fresh returns the request with an unread body.
func fresh(r *http.Request) *http.Request {
	c := *r
	c.Body, _ = r.GetBody()
	return &c
}
