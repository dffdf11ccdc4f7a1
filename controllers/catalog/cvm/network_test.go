// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// nameserver answers each DNS query over UDP until the test ends.
func nameserver(t *testing.T, answer func(query []byte) []byte) *net.Resolver {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for message := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(message)
			if err != nil {
				return
			}
			if a := answer(message[:n]); a != nil {
				_, _ = conn.WriteTo(a, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		query, err := (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
		if err == nil {
			t.Cleanup(func() { _ = query.Close() }) // a lookup outlives its context by seconds, until it has no connection
		}
		return query, err
	}}
}

// code returns a function that answers a query with an RCODE (RFC 1035, 4.1.1).
func code(rcode byte) func([]byte) []byte {
	return func(query []byte) []byte {
		query[2], query[3] = query[2]|0x80, 0x80|rcode
		return query
	}
}

func TestANameThatCannotBeResolvedIsACloudThatWasNotReached(t *testing.T) {
	slow(t)
	for name, tc := range map[string]struct {
		answer func([]byte) []byte
		code   string
	}{
		"no such name":           {code(3), "ClientError.UnknownHost"},
		"the nameserver fails":   {code(2), "ClientError.NoDNSAnswer"},
		"the nameserver refuses": {code(5), "ClientError.NoDNSAnswer"},
		"the nameserver is mute": {func([]byte) []byte { return nil }, "ClientError.NoDNSAnswer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := New(Options{})
			if err != nil {
				t.Fatal(err)
			}
			real := c.transport.(guard).next.(*http.Transport)
			real.Proxy = nil
			real.DialContext = (&net.Dialer{Resolver: nameserver(t, tc.answer)}).DialContext
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err = c.List(ctx, account, everything)
			failure := (*catalog.Error)(nil)
			if !errors.As(err, &failure) || failure.Kind != catalog.Unavailable || failure.Code != tc.code {
				t.Fatalf("%v, want Unavailable, %s", err, tc.code)
			}
			if !strings.Contains(failure.Message, "DNS") || !strings.Contains(failure.Message, DefaultEndpoint) {
				t.Errorf("it doesn't name DNS and the host: %s", failure)
			}
			// Unknown hosts in specs must not add series.
			label := region
			if tc.code == "ClientError.UnknownHost" {
				label = labelOther
			}
			if diff := cmp.Diff(map[string]float64{"DescribeImages " + tc.code + " " + label: 1}, requestCounts(t, c)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			wantConfidential(t, start(t, cvmtest.Options{}), account, failure)
		})
	}
}

// counting counts the bytes read from bodies, after the transport has decompressed them.
type counting struct {
	next http.RoundTripper
	read *atomic.Int64
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	if err == nil {
		resp.Body = countingBody{resp.Body, c.read}
	}
	return resp, err
}

type countingBody struct {
	io.ReadCloser
	read *atomic.Int64
}

func (b countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	return n, err
}

// Not parallel: it measures the allocations of the whole process.
func TestAFloodIsNotTakenIn(t *testing.T) {
	slow(t)
	for name, tc := range map[string]struct {
		fault cvmtest.Fault
		most  int64 // maximum bytes read of it
	}{
		"100 MB":                       {cvmtest.Fault{BigBody: 100_000_000}, maxBody + 1},
		"100 MB on the second page":    {cvmtest.Fault{BigBody: 100_000_000, Page: 2}, maxBody + 200<<10},
		"a gzip bomb of 64 MiB":        {cvmtest.Fault{GzipBomb: 64 << 20}, maxBody + 1},
		"a deflate bomb of 64 MiB":     {cvmtest.Fault{DeflateBomb: 64 << 20}, 0},
		"100 MB that are called a 502": {cvmtest.Fault{BigBody: 100_000_000, Status: 502, KeepBody: true}, 0},
		"300 000 entries in a page":    {cvmtest.Fault{Body: entries(300_000)}, maxBody},
		"an event stream of 100 MB":    {cvmtest.Fault{BigBody: 100_000_000, Header: map[string]string{"Content-Type": "text/event-stream"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{}, private(150)...)
			s.Inject(tc.fault)
			c := connect(t, s)
			var read atomic.Int64
			c.transport = guard{next: counting{c.transport.(guard).next, &read}}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			failure := mustFail(t, c, account, everything)
			runtime.ReadMemStats(&after)
			if failure.Kind != catalog.Unavailable || failure.Code != "ClientError.AnswerRefused" {
				t.Errorf("%v, want Unavailable, ClientError.AnswerRefused", failure)
			}
			if read.Load() > tc.most {
				t.Errorf("%d bytes were read, want at most %d", read.Load(), tc.most)
			}
			// A slice that grows to 8 MiB allocates about five times that; the simulator and the SDK add a little.
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 8*maxBody {
				t.Errorf("%d MiB were allocated, want at most %d", allocated>>20, 8*maxBody>>20)
			}
			wantConfidential(t, s, account, failure)
		})
	}
}

// entries returns a page of n images with a TotalCount of one.
func entries(n int) *string {
	var page strings.Builder
	page.WriteString(`{"Response":{"TotalCount":1,"RequestId":"r","ImageSet":[`)
	for i := range n {
		fmt.Fprintf(&page, `{"ImageId":"img-%d"},`, i)
	}
	text := strings.TrimSuffix(page.String(), ",") + "]}}"
	return &text
}

func TestAPageHasNoMoreEntriesThanWereAskedFor(t *testing.T) {
	tags := strings.TrimSuffix(strings.Repeat(`{"Key":"a","Value":"b"},`, maxValues/2), ",")
	for name, tc := range map[string]struct {
		body string
		want bool
	}{
		"a full page":              {*entries(pageSize), false},
		"one entry more":           {*entries(pageSize + 1), true},
		"entries of nothing":       {`{"Response":{"ImageSet":[` + strings.Repeat("null,", pageSize) + `null]}}`, true},
		"commas in a text":         {`{"Response":{"ImageSet":[{"ImageName":"` + strings.Repeat(",", 2*maxValues) + `"}]}}`, false},
		"quotes in a text":         {`{"Response":{"ImageSet":[{"ImageName":"\"` + strings.Repeat(`\\\",{[`, pageSize) + `"}]}}`, false},
		"the tags of a whole page": {`{"Response":{"ImageSet":[{"Tags":[` + tags + `]}]}}`, false},
		"more tags":                {`{"Response":{"ImageSet":[{"Tags":[` + tags + `,{"Key":"a","Value":"b"}]}]}}`, true},
		"no JSON":                  {`]]]]"`, false},
		"nothing":                  {"", false},
	} {
		if got := tooManyEntries([]byte(tc.body)); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}

// A listing is bounded, however many pages the cloud promises and however large they are.
func TestAListingIsNoLargerThanItsAllowance(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(1)...)
	s.Inject(cvmtest.Fault{TotalCount: new(int64(100 * pageSize)), BigBody: 1 << 20})
	c := connect(t, s)
	var read atomic.Int64
	c.transport = guard{next: counting{c.transport.(guard).next, &read}}
	failure := mustFail(t, c, account, everything)
	if failure.Kind != catalog.Incomplete || !strings.Contains(failure.Message, "larger than 32 MiB") ||
		!strings.Contains(failure.Message, "spec.filters") {
		t.Errorf("%s: %s", failure.Kind, failure)
	}
	if most := int64(maxListing + pagesAtOnce<<20); read.Load() > most {
		t.Errorf("%d MiB were read, want at most %d", read.Load()>>20, most>>20)
	}
	// The allowance is per listing.
	s.Heal()
	if got := mustList(t, c, everything); len(got.Images) != 1 {
		t.Errorf("%d images, want 1", len(got.Images))
	}
}

// A listing belongs to one account. Keys rotated while it is read are used by the next one.
func TestAListingIsReadWithOneKey(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(150)...)
	c := connect(t, s)
	other := cvmtest.Credential{SecretID: "AKIDother", SecretKey: "o", UIN: "100000000002"}
	s.SetCredential(other)
	rotated := accountOf(other)
	rotated.Source = account.Source
	s.OnRequest(func(r cvmtest.Request) {
		if r.Page == 1 && r.SecretID == account.SecretID.Reveal() {
			if listing, err := c.List(context.Background(), rotated, everything); err != nil || len(listing.Images) > 0 {
				t.Errorf("with the other account's keys: %d images, %v, want none", len(listing.Images), err)
			}
		}
	})
	if got := mustList(t, c, everything); len(got.Images) != 150 || got.Inconsistent {
		t.Errorf("%d images, inconsistent %t, want 150", len(got.Images), got.Inconsistent)
	}
	pages := map[string]int{}
	for _, r := range s.Requests() {
		pages[r.SecretID]++
	}
	if diff := cmp.Diff(map[string]int{account.SecretID.Reveal(): 2, other.SecretID: 1}, pages); diff != "" {
		t.Errorf("requests by key (-want +got):\n%s", diff)
	}
}
