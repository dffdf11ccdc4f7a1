// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// maxBody bounds a response, after decompression. A page of 100 images is about 80 KiB; the API's own bound is 50 MiB.
const maxBody = 8 << 20

// maxListing bounds the answers of one reading of a list together. It is 20 000 images, as many as a query may have objects
// of, of twice the size that they usually have.
const maxListing = 32 << 20

// maxValues bounds the members and elements in one answer: each costs memory, however few bytes it has. A hundred images
// with all the tags and snapshots that they can have are 40 000.
const maxValues = 100_000

// maxConnections bounds connections to the gateway: as many as one listing fetches pages at once, for four listings.
const maxConnections = 4 * pagesAtOnce

// idleTimeout ends idle connections. The SDK's own client has it, too: gateways close them earlier than Go's usual 90 s.
const idleTimeout = 30 * time.Second

// refusal is an answer that the transport doesn't hand to the SDK. Its text is ours: it may be shown.
type refusal struct{ what string }

func (r *refusal) Error() string { return r.what }

var (
	errBodyTooLarge   = &refusal{what: fmt.Sprintf("it is larger than %d MiB", maxBody>>20)}
	errTooManyEntries = &refusal{what: "it has more entries than were asked for"}

	errListingTooLarge = &catalog.Error{
		Kind: catalog.Incomplete, Code: codeIncomplete,
		Message: fmt.Sprintf("the cloud's list of images is larger than %d MiB, which is all that is read; narrow the query with spec.filters or spec.imageIDs", maxListing>>20),
	}
)

type allowanceKey struct{}

// withAllowance lets the answers to all requests with the context have maxListing bytes together.
func withAllowance(ctx context.Context) context.Context {
	left := &atomic.Int64{}
	left.Store(maxListing)
	return context.WithValue(ctx, allowanceKey{}, left)
}

// allowed reads what is left of an allowance.
type allowed struct {
	io.ReadCloser
	left *atomic.Int64
}

func (a allowed) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if a.left.Add(-int64(n)) < 0 {
		return 0, errListingTooLarge
	}
	return n, err
}

// guard hands on to the SDK only what the API is known to answer, because the SDK believes too much (seen with
// common v1.3.210): it follows redirects to other hosts and takes their JSON for the cloud's, leaks a reader for
// every event stream, copies bodies that aren't JSON into its errors, and unpacks encodings without a bound.
// It also reads the body, since the SDK drops the cause of a read that fails and doesn't close the body then.
// The API answers 200 for everything it has processed, errors among it.
type guard struct {
	next  http.RoundTripper
	meter *meter
}

func newTransport(m *meter) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = maxConnections
	t.MaxConnsPerHost = maxConnections
	t.IdleConnTimeout = idleTimeout
	t.MaxResponseHeaderBytes = 64 << 10
	t.OnProxyConnectResponse = askedProxy
	return guard{next: t, meter: m}
}

// RoundTrip implements http.RoundTripper.
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, body, err := g.exchange(req)
	g.meter.sent(req, time.Since(began), body, err)
	if err != nil {
		return nil, err
	}
	resp.Header.Del("Content-Encoding") // the SDK refuses identity, too
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// exchange sends a request and reads the whole answer.
func (g guard) exchange(req *http.Request) (*http.Response, []byte, error) {
	p := &progress{}
	resp, err := g.next.RoundTrip(req.WithContext(p.watch(req.Context())))
	if err != nil {
		return nil, nil, p.unanswered(err, req.URL.Hostname())
	}
	if why := refuse(resp); why != nil {
		// Closing without reading drops the connection, which is what an answer like this deserves.
		return nil, nil, errors.Join(why, resp.Body.Close())
	}
	if left, ok := req.Context().Value(allowanceKey{}).(*atomic.Int64); ok {
		resp.Body = allowed{resp.Body, left}
	}
	body, err := readBody(resp.Body)
	if err == nil && tooManyEntries(body) {
		return nil, nil, errTooManyEntries
	}
	return resp, body, err
}

// readBody reads a body to its end, or says why it has none that can be used.
func readBody(body io.ReadCloser) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	err = errors.Join(err, body.Close())
	switch {
	case len(content) > maxBody:
		return nil, errBodyTooLarge
	case contextError(err) != nil, errors.Is(err, errListingTooLarge):
		return nil, err
	case err != nil:
		v := judge(codeCutOff)
		return nil, &catalog.Error{Kind: v.kind, Code: codeCutOff, Message: v.message}
	}
	return content, nil
}

// tooManyEntries says whether a JSON text has more entries than a page, or more values than any page. It is asked before
// anything is decoded: an entry of three bytes becomes one of two hundred.
func tooManyEntries(body []byte) bool {
	// {"Response":{"ImageSet":[ is three deep. As many commas as entries in a page separate one more than that.
	const entry = 3
	depth, entries, values, quoted := 0, 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',':
			values++
			if depth == entry {
				entries++
			}
		}
	}
	return entries >= pageSize || values > maxValues
}

func refuse(resp *http.Response) error {
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return &refusal{what: fmt.Sprintf("it is a redirect (HTTP status %d)", resp.StatusCode)}
	}
	if resp.StatusCode != http.StatusOK {
		return &refusal{what: fmt.Sprintf("its HTTP status is %d", resp.StatusCode)}
	}
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return &refusal{what: "it has an encoding that was not asked for"}
	}
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return &refusal{what: "it is not JSON"}
	}
	return nil
}
