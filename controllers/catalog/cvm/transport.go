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

// maxBody bounds a response, after decompression. A page of 100 images has about 80 KiB; the API's own limit is 50 MiB.
const maxBody = 8 << 20

// maxListing bounds the total size of the answers of one reading of a list. It suffices for 20 000 images, the most objects
// of a query, of twice their usual size.
const maxListing = 32 << 20

// maxValues bounds the members and elements in one answer, since each costs memory however short it is. A hundred images
// with the maximum of tags and snapshots have 40 000.
const maxValues = 100_000

// maxConnections bounds connections to the gateway: enough for four listings that fetch pages concurrently.
const maxConnections = 4 * pagesAtOnce

// idleTimeout closes idle connections. The SDK's own client uses the same value, because gateways close them earlier than
// Go's usual 90 s.
const idleTimeout = 30 * time.Second

// refusal is an answer that the transport doesn't pass to the SDK. Its text is ours and may be shown.
type refusal struct{ what string }

func (r *refusal) Error() string { return r.what }

var (
	errBodyTooLarge   = &refusal{what: fmt.Sprintf("it is larger than %d MiB", maxBody>>20)}
	errTooManyEntries = &refusal{what: "it has more entries than were asked for"}

	errListingTooLarge = &catalog.Error{
		Kind: catalog.Incomplete, Code: codeIncomplete,
		Message: fmt.Sprintf("the cloud's list of images is larger than %d MiB, which is all that is read; narrow the query with "+
			"spec.filters or spec.imageIDs", maxListing>>20),
	}
)

type allowanceKey struct{}

// withAllowance limits the total size of the answers to all requests with the context to maxListing.
func withAllowance(ctx context.Context) context.Context {
	left := &atomic.Int64{}
	left.Store(maxListing)
	return context.WithValue(ctx, allowanceKey{}, left)
}

// allowed is a reader limited by an allowance.
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

// guard passes to the SDK only answers that the API is known to give, because the SDK is too lenient (seen with common
// v1.3.210): it follows redirects to other hosts and accepts their JSON, leaks a reader for every event stream, copies
// bodies that aren't JSON into its errors, and decompresses without a bound. guard also reads the body, since the SDK drops
// the cause of a failed read and then doesn't close the body. The API answers 200 for everything it has processed,
// including errors.
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
	t.OnProxyConnectResponse = onProxyConnectResponse
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
	resp.Header.Del("Content-Encoding") // the SDK rejects even identity
	// With this type the SDK doesn't decode the body twice more, in search of the error that its own retries look for.
	resp.Header.Set("Content-Type", "application/octet-stream")
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
		// Closing without reading drops the connection, which is intended here.
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

// readBody reads a body to its end. It returns an error if the body is unusable.
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

// tooManyEntries reports whether a JSON text has more entries than a page, or more values than any page. It runs before
// decoding, because an entry of three bytes decodes to two hundred.
func tooManyEntries(body []byte) bool {
	// {"Response":{"ImageSet":[ is three levels deep. A page is too long once it has as many commas as a full page has
	// entries.
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
