// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"errors"
	"testing"

	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// pageBody is a page of 100 private images as the cloud sends it.
func pageBody(b *testing.B) []byte {
	b.Helper()
	s := start(b, cvmtest.Options{}, private(100)...)
	c := connect(b, s)
	var body []byte
	c.transport = tap{next: c.transport, after: func(answer []byte) { body = answer }}
	mustList(b, c, everything)
	return body
}

// BenchmarkDecodePage decodes a page once, as the SDK does, for comparison.
func BenchmarkDecodePage(b *testing.B) {
	body := pageBody(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := sdk.NewDescribeImagesResponse().FromJsonString(string(body)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConvertPage decodes a page and converts it.
func BenchmarkConvertPage(b *testing.B) {
	body := pageBody(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		response := &answer{}
		if err := response.ParseErrorFromHTTPResponse(body); !errors.Is(err, errDecoded) {
			b.Fatal(err)
		}
		if p, err := convertPage(response, 0); err != nil || len(p.images) != 100 {
			b.Fatalf("%d images, %v", len(p.images), err)
		}
	}
}

// BenchmarkList408 is the API page's second example, over loopback, with both ends in this process.
func BenchmarkList408(b *testing.B) {
	s := start(b, cvmtest.Options{}, cvmtest.PageExample()...)
	c := connect(b, s)
	b.ReportAllocs()
	for b.Loop() {
		if listing, err := c.List(b.Context(), account, everything); err != nil || len(listing.Images) != 408 {
			b.Fatalf("%d images, %v", len(listing.Images), err)
		}
	}
}
