// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// startServers starts the servers of a manager whose API server is unreachable, and returns the addresses of probes and metrics.
func startServers(t *testing.T) (probes, metrics string) {
	t.Helper()
	addresses := make([]string, 2)
	for i := range addresses {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses[i] = listener.Addr().String()
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
	o, err := parseOnly("--health-probe-bind-address="+addresses[0], "--metrics-bind-address="+addresses[1])
	if err != nil {
		t.Fatal(err)
	}
	ctrl.SetLogger(logr.Discard())
	mgr, err := ctrl.NewManager(&rest.Config{Host: "http://127.0.0.1:1"}, ctrl.Options{Metrics: server.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := addServers(t.Context(), mgr, o); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := mgr.Start(t.Context()); err != nil {
			t.Errorf("the manager ended: %v", err)
		}
	})
	t.Cleanup(running.Wait) // the context has ended by then
	return addresses[0], addresses[1]
}

// statusOf sends a request with a header on a new connection, and returns the response's status; 0 if there is none.
func statusOf(t *testing.T, url, name, value string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if name != "" {
		request.Header.Set(name, value)
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

func TestHeadersAreBounded(t *testing.T) {
	probes, metrics := startServers(t)
	const tooLarge = http.StatusRequestHeaderFieldsTooLarge
	for url, want := range map[string]int{
		"http://" + probes + "/healthz":   http.StatusOK,
		"https://" + metrics + "/metrics": http.StatusUnauthorized,
	} {
		for size, want := range map[int]int{0: want, 15 << 10: want, 17 << 10: tooLarge, 1_000_000: tooLarge} {
			// The client may miss the response if the server closes the connection before it has sent all.
			if got := statusOf(t, url, "X-Long", strings.Repeat("x", size)); got != want && (got != 0 || size <= 15<<10) {
				t.Errorf("%s with %d bytes of headers responds %d, want %d", url, size, got, want)
			}
		}
	}
}

// Connections that send nothing, or half a request, are closed, which makes room for others.
func TestConnectionsAreBounded(t *testing.T) {
	probes, metrics := startServers(t)
	for address, url := range map[string]string{probes: "http://" + probes + "/healthz", metrics: "https://" + metrics + "/metrics"} {
		began := time.Now()
		for range maxConnections {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			// The first byte of a TLS handshake, or of a malformed request.
			if _, err := conn.Write([]byte("\x16")); err != nil {
				t.Fatal(err)
			}
		}
		if code := statusOf(t, url, "", ""); code == 0 {
			t.Errorf("%s does not respond once the other connections are closed", url)
		}
		if took := time.Since(began); took < 3*time.Second {
			t.Errorf("%s responds beside %d other connections, after %s", url, maxConnections, took)
		}
	}
}
