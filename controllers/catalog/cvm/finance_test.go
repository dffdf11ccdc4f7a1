// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

const finance = "ap-shanghai-fsi"

// A client with default endpoints uses each region's own host.
func TestAFinanceRegionIsAskedAtItsOwnHost(t *testing.T) {
	const regional = "cvm.ap-shanghai-fsi.tencentcloudapi.com"
	cert, pool := cvmtest.SelfSigned(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), DefaultEndpoint, regional)
	options := cvmtest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}}
	common, isolated := start(t, options, private(3)...), start(t, options)
	isolated.Put(finance, private(2)...)
	c, err := New(Options{QPS: 100_000, Burst: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	real := c.transport.(guard).next.(*http.Transport)
	t.Cleanup(real.CloseIdleConnections)
	real.Proxy, real.TLSClientConfig = nil, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	real.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		to, ok := map[string]string{DefaultEndpoint + ":443": common.Host(), regional + ":443": isolated.Host()}[address]
		if !ok {
			return nil, errors.New("nobody is at " + address)
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}
	got := map[string]int{}
	for _, region := range []string{region, finance} {
		got[region] = len(mustList(t, c, catalog.Query{Region: region}).Images)
	}
	if diff := cmp.Diff(map[string]int{region: 3, finance: 2}, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if c.limits.buckets.Len() != 2 {
		t.Errorf("%d buckets for two hosts", c.limits.buckets.Len())
	}
}

// The message must blame whoever can fix it: the query is valid.
func TestAFinanceRegionAtTheWrongHostIsTheEndpointsFault(t *testing.T) {
	s := start(t, cvmtest.Options{})
	c := connect(t, s)
	failure := mustFail(t, c, account, catalog.Query{Region: finance})
	if failure.Kind != catalog.Unavailable || failure.Code != "UnsupportedRegion" || !strings.Contains(failure.Message, "--cvm-endpoint") ||
		strings.Contains(failure.Message, "spec") {
		t.Errorf("%s: %v, want one that blames --cvm-endpoint", failure.Kind, failure)
	}
	s.Inject(cvmtest.Fault{Code: "UnsupportedRegion"})
	failure = mustFail(t, c, account, everything)
	if failure.Kind != catalog.Invalid || !strings.Contains(failure.Message, "spec.region") {
		t.Errorf("%s: %v, want one that blames spec.region", failure.Kind, failure)
	}
}

// Keys of roles for a finance region are requested in that region.
func TestSTSOfAFinanceRegionIsItsOwn(t *testing.T) {
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := map[string]bool{}
	real := c.transport.(guard).next.(*http.Transport)
	real.Proxy = nil
	real.DialContext = func(_ context.Context, _, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		asked[address] = true
		return nil, errors.New("nobody is there")
	}
	assuming := account
	assuming.Roles[0].ARN = reader
	for _, region := range []string{region, "ap-tokyo", finance} {
		mustFail(t, c, assuming, catalog.Query{Region: region})
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(map[string]bool{
		"sts.tencentcloudapi.com:443": true, "sts.ap-shanghai-fsi.tencentcloudapi.com:443": true,
	}, asked); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
}

func TestARegionThatIsNoPartOfAHostIsNeverAsked(t *testing.T) {
	s := start(t, cvmtest.Options{})
	c := connect(t, s)
	for _, region := range []string{"", "evil.example/?", "ap-guangzhou.evil.example", "AP-GUANGZHOU", "-ap"} {
		if failure := mustFail(t, c, account, catalog.Query{Region: region}); failure.Kind != catalog.Invalid {
			t.Errorf("%q: %s, want Invalid", region, failure.Kind)
		}
	}
	if asked := s.Requests(); len(asked) > 0 {
		t.Errorf("the cloud was asked: %+v", asked)
	}
}
