// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package browser looks at the page (docs/page.md) in a real browser: bin/manager page under the rights that the chart gives it, on a
// real API server, with objects that the operator made of a simulated cloud. It needs chromium, and npm's packages of package.json;
// make browser says what is missing.
//
//	world_test.go    the cluster: a query in each state
//	browser_test.go  chromium, and what it must never do: print an error, ask another host
//	page_test.go     the tests
//	rights_test.go   what the page's token may do, and what the page asked for
//	load_test.go     10 000 images and 200 viewers: time, bytes, memory, requests
//	feed_test.go     what programs make of the feed
package browser
