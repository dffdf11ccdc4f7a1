// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// behind returns a client that reaches the cloud only through a proxy with a password.
func behind(t *testing.T, address string) *Client {
	t.Helper()
	c, err := New(Options{QPS: 100_000, Burst: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	c.transport.(guard).next.(*http.Transport).Proxy = http.ProxyURL(&url.URL{
		Scheme: "http", Host: address, User: url.UserPassword("operator", canary),
	})
	return c
}

func TestAProxysAnswerHasWords(t *testing.T) {
	for status, tc := range map[int]struct{ code, says string }{
		http.StatusProxyAuthRequired: {code: "ClientError.ProxyPassword", says: "write the proxy's user and password into HTTPS_PROXY"},
		http.StatusForbidden: {
			code: "ClientError.ProxyRefused",
			says: "the proxy does not let the operator through to cvm.tencentcloudapi.com:443",
		},
		http.StatusBadGateway: {
			code: "ClientError.ProxyRefused",
			says: "the proxy does not connect to cvm.tencentcloudapi.com:443: it answers with the HTTP status 502",
		},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			proxy := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: %d\r\n\r\n%s", status, canary, len(canary), canary)
				_ = conn.Close()
			})}
			go func() { _ = proxy.Serve(l) }()
			t.Cleanup(func() { _ = proxy.Close() })
			wantUnanswered(t, behind(t, l.Addr().String()), tc.code, tc.says)
		})
	}
}

func TestAProxyThatIsNotThereIsNotTakenForTheCloud(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	wantUnanswered(t, behind(t, server.Listener.Addr().String()), "ClientError.ConnectionRefused", "the proxy refuses the connection")
}

// wantUnanswered lists, and checks the code and the message of the failure, and that it quotes nothing else.
func wantUnanswered(t *testing.T, c *Client, code, says string) {
	t.Helper()
	failure := mustFail(t, c, account, everything)
	if failure.Kind != catalog.Unavailable || failure.Code != code || !strings.Contains(failure.Message, says) {
		t.Errorf("%s: %v, want Unavailable, %s with %q", failure.Kind, failure, code, says)
	}
	if diff := cmp.Diff(map[string]float64{"DescribeImages " + code + " " + region: 1}, requestCounts(t, c)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	wantConfidential(t, start(t, cvmtest.Options{}), account, failure)
}

// A machine between the operator and the cloud chooses the name of its authority.
func TestTheNameOfAnUnknownAuthorityIsBounded(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		Subject: pkix.Name{Organization: []string{"Example\x1b[31m\u202e Corp" + strings.Repeat("!", 500)}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, cvmtest.Options{TLS: &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
	}})
	wantUnanswered(t, connect(t, s), "ClientError.UnknownAuthority", `"Example[31m Corp`+strings.Repeat("!", 48)+`";`)
}

func TestAHandshakeThatNeverEndsIsNoSlowAnswer(t *testing.T) {
	slow(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c, err := New(Options{Endpoint: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = c.List(ctx, account, everything)
	failure := (*catalog.Error)(nil)
	if !errors.As(err, &failure) || failure.Code != "ClientError.ConnectTimeout" || !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(failure.Message, "no connection to the host 127.0.0.1") {
		t.Errorf("%v, want ClientError.ConnectTimeout by the context's deadline", err)
	}
}
