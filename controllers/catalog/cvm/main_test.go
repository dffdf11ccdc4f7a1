// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slow skips what takes a second or more in go test -short, which runs for each mutant of make mutants.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes a second or more, and -short runs for each mutant")
	}
}

const region = "ap-guangzhou"

// account has the keys that every simulator accepts.
var account = accountOf(cvmtest.DefaultCredential)

func accountOf(c cvmtest.Credential) catalog.Account {
	return catalog.Account{
		Source: "secret/" + c.SecretID, SecretID: catalog.Secret(c.SecretID), SecretKey: catalog.Secret(c.SecretKey),
		Token: catalog.Secret(c.Token),
	}
}

// start starts a simulated cloud, without a rate limit unless o has one. Its cleanup fails the test if there was a
// request whose real answer is not known.
func start(t testing.TB, o cvmtest.Options, images ...cvmtest.Image) *cvmtest.Server {
	t.Helper()
	if o.RateLimit == 0 {
		o.RateLimit = -1
	}
	s := cvmtest.NewServer(o)
	t.Cleanup(func() {
		s.Close()
		if unknown := s.Unknown(); len(unknown) > 0 {
			t.Errorf("the simulator was asked what it doesn't know: %q", unknown)
		}
	})
	s.Put(region, images...)
	return s
}

// connect returns the client under test with a rate limit high enough not to matter.
func connect(t testing.TB, s *cvmtest.Server) *Client {
	t.Helper()
	c, err := New(Options{Endpoint: s.URL(), QPS: 100_000, Burst: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mustList lists, and sorts by id.
func mustList(t testing.TB, c *Client, query catalog.Query) catalog.Listing {
	t.Helper()
	listing, err := c.List(t.Context(), account, query)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(listing.Images, func(a, b catalog.Image) int { return cmp.Compare(a.ID, b.ID) })
	return listing
}

// mustFail lists and returns the classified failure.
func mustFail(t testing.TB, c *Client, account catalog.Account, query catalog.Query) *catalog.Error {
	t.Helper()
	listing, err := c.List(t.Context(), account, query)
	failure := (*catalog.Error)(nil)
	if !errors.As(err, &failure) {
		t.Fatalf("List() = %d images, %v, want a *catalog.Error", len(listing.Images), err)
	}
	if len(listing.Images) > 0 || listing.TagKeyNotFound || listing.Inconsistent || listing.Skipped > 0 {
		t.Errorf("a failed listing has contents: %+v", listing)
	}
	return failure
}

// everything selects all images that the account sees in the region.
var everything = catalog.Query{Region: region}

// private returns private images.
func private(n int) []cvmtest.Image {
	return cvmtest.PrivateImages(1, n, cvmtest.DefaultCredential.UIN)
}

func idsOf(images []catalog.Image) []string {
	var ids []string
	for _, image := range images {
		ids = append(ids, image.ID)
	}
	slices.Sort(ids)
	return ids
}

func idsAt(s *cvmtest.Server) []string {
	var ids []string
	for _, image := range s.Images(region) {
		ids = append(ids, image.ImageID)
	}
	slices.Sort(ids)
	return ids
}

// offsets returns the sorted offsets of the requests so far: pages after the first are requested in any order.
func offsets(s *cvmtest.Server) []int64 {
	var out []int64
	for _, r := range s.Requests() {
		out = append(out, r.Offset)
	}
	slices.Sort(out)
	return out
}

// canary is a text that no error may quote.
const canary = "canary-7d1f"

// wantConfidential checks that an error's texts quote nothing: no body, no request id, no key.
func wantConfidential(t testing.TB, s *cvmtest.Server, account catalog.Account, failure error) {
	t.Helper()
	for err := failure; err != nil; err = errors.Unwrap(err) {
		text := err.Error()
		secrets := []string{canary, "<html", "RequestId=", account.SecretID.Reveal(), account.SecretKey.Reveal(), account.Token.Reveal()}
		for _, r := range s.Requests() {
			secrets = append(secrets, r.RequestID)
		}
		for _, secret := range secrets {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("the error quotes %q: %q", secret, text)
			}
		}
		if len(text) > 300 {
			t.Errorf("the error has %d bytes: %q", len(text), text[:300])
		}
	}
}

// tap is a transport that observes the traffic.
type tap struct {
	next http.RoundTripper
	// before is called with a signed request and its body, after the answer's body was read.
	before func(r *http.Request, body []byte)
	after  func(body []byte)
}

func (tp tap) RoundTrip(r *http.Request) (*http.Response, error) {
	if tp.before != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		tp.before(r, body)
	}
	resp, err := tp.next.RoundTrip(r)
	if err == nil && tp.after != nil {
		var body []byte
		if body, err = io.ReadAll(resp.Body); err == nil {
			resp.Body = io.NopCloser(bytes.NewReader(body))
			tp.after(body)
		}
	}
	return resp, err
}
