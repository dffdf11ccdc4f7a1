// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// maxBody bounds a response, after decompression. A page of 100 images is about 80 KiB; the API's own bound is 50 MiB.
const maxBody = 8 << 20

// maxConnections bounds connections to the gateway: as many as one listing fetches pages at once, for four listings.
const maxConnections = 4 * pagesAtOnce

// refusal is an answer that the transport doesn't hand to the SDK. Its text is ours: it may be shown.
type refusal struct{ what string }

func (r *refusal) Error() string { return r.what }

var errBodyTooLarge = &refusal{what: fmt.Sprintf("it is larger than %d MiB", maxBody>>20)}

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
	t.IdleConnTimeout = 90 * time.Second
	t.MaxResponseHeaderBytes = 64 << 10
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
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	if why := refuse(resp); why != nil {
		// Closing without reading drops the connection, which is what an answer like this deserves.
		return nil, nil, errors.Join(why, resp.Body.Close())
	}
	body, err := readBody(resp.Body)
	return resp, body, err
}

// readBody reads a body to its end, or says why it has none that can be used.
func readBody(body io.ReadCloser) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	err = errors.Join(err, body.Close())
	switch {
	case len(content) > maxBody:
		return nil, errBodyTooLarge
	case contextError(err) != nil:
		return nil, err
	case err != nil:
		v := judge(codeCutOff)
		return nil, &catalog.Error{Kind: v.kind, Code: codeCutOff, Message: v.message}
	}
	return content, nil
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
