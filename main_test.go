// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
)

func parseOnly(args ...string) (options, error) {
	f := flag.NewFlagSet("manager", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return parse(f, args)
}

func TestDefaultsOfFlags(t *testing.T) {
	o, err := parseOnly()
	if err != nil {
		t.Fatal(err)
	}
	if o.cvm != (cvm.Options{Endpoint: "cvm.tencentcloudapi.com", STS: "sts.tencentcloudapi.com", Metadata: "http://169.254.0.23", QPS: 10, Burst: 10}) {
		t.Errorf("%+v", o.cvm)
	}
	if o.defaultCredentials != "secret" || o.concurrent != 4 || o.maxStatusImages != 500 || o.credentialsNamespace != "image-catalog-system" || !o.metricsSecure {
		t.Errorf("%+v", o)
	}
	if _, err := cvm.New(o.cvm); err != nil {
		t.Error(err)
	}
}

func TestAWrongFlagGetsASentence(t *testing.T) {
	for args, want := range map[string]string{
		"--concurrent=0":              "--concurrent must be at least 1, got 0",
		"--max-status-images=2001":    "--max-status-images must be between 1 and 2000, got 2001",
		"--cvm-qps=0":                 "--cvm-qps must be above 0",
		"--cvm-burst=0":               "--cvm-burst at least 1",
		"--default-credentials=magic": `--default-credentials must be secret, env, cvm-role or tke-oidc, got "magic"`,
		"--default-credentials=":      "--default-credentials must be",
		"--default-account-id=1":      "--default-account-id is for --default-credentials=env, cvm-role and tke-oidc; a Secret says it by its key accountID",
		"--default-account-id=me --default-credentials=env": `--default-account-id must be the id of an account (uin), which has digits only, got "me"`,
		"--leader-elect false --no-such":                    `got "false"; write --flag=value`,
		"--no-such":                                         "no-such",
		"--regions=guangzhou":                               `"guangzhou" is no region; write regions such as ap-guangzhou,ap-shanghai`,
	} {
		if _, err := parseOnly(strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// What is wrong without a cluster is said without one.
func TestTheCloudsFlagsAreCheckedBeforeTheClusterIsAsked(t *testing.T) {
	t.Setenv("KUBECONFIG", "/nowhere")
	t.Setenv("TENCENTCLOUD_SECRET_ID", "")
	t.Setenv("TKE_ROLE_ARN", "")
	for args, want := range map[string]string{
		"--cvm-endpoint=http://cvm.tencentcloudapi.com": "--cvm-endpoint: the endpoint",
		"--sts-endpoint=sts.tencentcloudapi.com/v3":     "--sts-endpoint: the endpoint",
		"--metadata-endpoint=http://example.com":        "--metadata-endpoint: the endpoint",
		"--default-credentials=env":                     "needs TENCENTCLOUD_SECRET_ID",
		"--default-credentials=tke-oidc":                "--default-credentials=tke-oidc: the environment lacks ",
		"--default-credentials=cvm-role":                "finding the cluster",
	} {
		o, err := parseOnly(args)
		if err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestDefaultCredentialsAreAnAccount(t *testing.T) {
	for name, value := range map[string]string{
		"TENCENTCLOUD_SECRET_ID": "id", "TENCENTCLOUD_SECRET_KEY": "key", "TENCENTCLOUD_TOKEN": "",
		"TKE_REGION": "ap-nanjing", "TKE_PROVIDER_ID": "cls-1", "TKE_WEB_IDENTITY_TOKEN_FILE": "/token", "TKE_ROLE_ARN": "arn",
	} {
		t.Setenv(name, value)
	}
	for choice, want := range map[string]*catalog.Account{
		"secret":   nil,
		"env":      {Source: "env", SecretID: "id", SecretKey: "key", AccountID: "100000000001"},
		"cvm-role": {Source: "cvm-role", Ambient: auth.CVMRole, AccountID: "100000000001"},
		"tke-oidc": {Source: "tke-oidc", Ambient: auth.TKEOIDC, AccountID: "100000000001"},
	} {
		o := options{defaultCredentials: choice, defaultAccountID: "100000000001"}
		got, err := defaultAccount(&o)
		if err != nil || (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s is %v, %v", choice, got, err)
		}
		identity := auth.WebIdentity{}
		if choice == "tke-oidc" {
			identity = auth.WebIdentity{Region: "ap-nanjing", ProviderID: "cls-1", TokenFile: "/token", RoleARN: "arn"}
		}
		if o.cvm.WebIdentity != identity {
			t.Errorf("with %s the pod's identity is %+v", choice, o.cvm.WebIdentity)
		}
	}
}

// serving runs the servers of a manager whose cluster can't be reached, and returns the addresses of probes and metrics.
func serving(t *testing.T) (probes, metrics string) {
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

// ask sends a request with a header on a connection of its own, and returns the answer's code; 0 where there is none.
func ask(t *testing.T, url, name, value string) int {
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
	probes, metrics := serving(t)
	for url, want := range map[string]int{"http://" + probes + "/healthz": http.StatusOK, "https://" + metrics + "/metrics": http.StatusUnauthorized} {
		for size, want := range map[int]int{0: want, 15 << 10: want, 17 << 10: http.StatusRequestHeaderFieldsTooLarge, 1_000_000: http.StatusRequestHeaderFieldsTooLarge} {
			// A server that ends the connection while more is sent may not be heard.
			if got := ask(t, url, "X-Long", strings.Repeat("x", size)); got != want && (got != 0 || size <= 15<<10) {
				t.Errorf("%s with %d bytes of headers answers %d, want %d", url, size, got, want)
			}
		}
	}
}

// Who connects and sends nothing, or half a request, is cut off, and others get in then.
func TestConnectionsAreBounded(t *testing.T) {
	probes, metrics := serving(t)
	for address, url := range map[string]string{probes: "http://" + probes + "/healthz", metrics: "https://" + metrics + "/metrics"} {
		began := time.Now()
		for range maxConnections {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			// The beginning of a handshake, and of a request.
			if _, err := conn.Write([]byte("\x16")); err != nil {
				t.Fatal(err)
			}
		}
		if code := ask(t, url, "", ""); code == 0 {
			t.Errorf("%s does not answer once the others are cut off", url)
		}
		if took := time.Since(began); took < 3*time.Second {
			t.Errorf("%s answers beside %d other connections, after %s", url, maxConnections, took)
		}
	}
}

func TestStrangersAreLetOnTenTimesASecond(t *testing.T) {
	g := newGate(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") }))
	asked := map[string]int{}
	g.filtered = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("Authorization")
		if asked[token]++; token == "Bearer reader" && asked[token] < 50 {
			r.Header.Del("Authorization") // as the filter does
			g.admitted(w, r)
			return
		}
		http.Error(w, "no", http.StatusForbidden)
	})
	answer := func(token string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if closes := w.Header().Get("Connection") == "close"; closes != (w.Code != http.StatusOK) {
			t.Errorf("the answer %d to %.20q ends the connection: %t", w.Code, token, closes)
		}
		return w
	}
	for _, token := range []string{"", strings.Repeat("x", maxToken+1)} {
		if code := answer(token).Code; code != http.StatusUnauthorized || asked[token] > 0 {
			t.Errorf("a token of %d bytes gets %d", len(token), code)
		}
	}
	began := time.Now()
	codes := map[int]int{}
	for i := range 480 {
		codes[answer(fmt.Sprint("Bearer ", i)).Code]++
		if i < 40 {
			// Who got in before is not held up.
			if code := answer("Bearer reader").Code; code != http.StatusOK {
				t.Fatalf("the reader gets %d after %d strangers", code, i)
			}
		}
	}
	if most := reviewsPerSecond + int(reviewsPerSecond*time.Since(began).Seconds()) + 1; codes[http.StatusForbidden] > most || codes[http.StatusTooManyRequests] == 0 {
		t.Errorf("of 480 strangers: %v, want at most %d let on", codes, most)
	}
	// Who was refused once is a stranger again.
	for range 50 {
		answer("Bearer reader")
	}
	if asked["Bearer reader"] > 50+reviewsPerSecond {
		t.Errorf("who is no reader any more was let on %d times", asked["Bearer reader"])
	}
}
