// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

func TestMetricsAreForWhoMayReadThem(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	manager := c.StartManager(c.StartCloud())
	scrapeAsPrometheus(t, c, manager)
	c.CreateServiceAccount("neighbour")
	for who, tc := range map[string]struct {
		token string
		want  int
	}{
		"a ServiceAccount without the role": {c.Token("neighbour"), http.StatusForbidden},
		"somebody without a token":          {"", http.StatusUnauthorized},
		// The answer of controller-runtime's filter if the API server doesn't know a token.
		"somebody with a token that isn't one": {"none", http.StatusInternalServerError},
		"somebody with a token without end":    {strings.Repeat("x", 9<<10), http.StatusUnauthorized},
	} {
		response, body, err := get("https://"+manager.Metrics+"/metrics", tc.token, &tls.Config{})
		if err != nil || response.StatusCode != tc.want || strings.Contains(body, "# HELP") {
			t.Errorf("%s gets %s, want %d: %v", who, status(response), tc.want, err)
		}
	}
}

// Scrapes come every few seconds. The API server is asked about each reader only once in a while.
func TestReadersOfMetricsAreRemembered(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true})
	manager := c.StartManager(c.StartCloud())
	scrapeAsPrometheus(t, c, manager)
	scraper := c.Token("scraper")
	mark := c.Mark()
	for range 3 {
		response, _, err := get("https://"+manager.Metrics+"/metrics", scraper, &tls.Config{})
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("got %s: %v", status(response), err)
		}
	}
	// The scraper's second token is another than the one that it got in with.
	if asked := reviews(c, mark); asked["tokenreviews"] != 1 || asked["subjectaccessreviews"] != 1 {
		t.Errorf("for three requests of one reader the API server was asked %v", asked)
	}
}

// reviews counts the operator's reviews of other clients since a mark.
func reviews(c *cluster.Cluster, mark int64) map[string]int {
	c.Helper()
	asked := map[string]int{}
	for _, r := range c.RequestsSince(mark) {
		if r.User == cluster.OperatorUser && r.Verb == "create" && strings.HasSuffix(r.Resource, "reviews") {
			asked[r.Resource]++
		}
	}
	return asked
}

// flood sends requests concurrently and counts the status codes; 0 means no response.
func flood(requests int, send func(number int) int) map[int]int {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(16)
	codes := map[int]int{}
	for number := range requests {
		group.Go(func() error {
			code := send(number)
			mu.Lock()
			defer mu.Unlock()
			codes[code]++
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return codes
}

func TestAFloodOfBogusTokensIsNotForTheAPIServer(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true})
	manager := c.StartManager(c.StartCloud())
	scrapeAsPrometheus(t, c, manager)
	scraper, url := c.Token("scraper"), "https://"+manager.Metrics+"/metrics"
	ask := func(token string) int {
		response, _, err := get(url, token, &tls.Config{})
		if err != nil {
			return 0
		}
		return response.StatusCode
	}
	if code := ask(scraper); code != http.StatusOK {
		t.Fatalf("the scraper gets %d", code)
	}
	mark, began := c.Mark(), time.Now()
	codes := flood(480, func(number int) int {
		if number%20 == 0 {
			// An authorized reader stays authorized.
			if code := ask(scraper); code != http.StatusOK {
				return code
			}
		}
		return -ask(fmt.Sprint("bogus-", number))
	})
	tooMany := codes[-http.StatusTooManyRequests]
	if codes[-http.StatusOK] > 0 || tooMany == 0 || tooMany+codes[-http.StatusInternalServerError] != 480 {
		t.Errorf("the answers (negative those to strangers): %v", codes)
	}
	// Ten at once, ten a second, and the scraper.
	if asked, most := reviews(c, mark)["tokenreviews"], 10+10*int(time.Since(began).Seconds()+1)+2; asked > most {
		t.Errorf("the API server was asked %d times within %s, want at most %d", asked, time.Since(began), most)
	}
}

func TestAFloodOfLargeHeadersTakesNoMemory(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	manager := c.StartManager(c.StartCloud())
	scrapeAsPrometheus(t, c, manager)
	before := peakMemory(t, manager.Pid())
	header := strings.Repeat("x", 1_000_000)
	for _, url := range []string{"https://" + manager.Metrics + "/metrics", "http://" + manager.Probes + "/healthz"} {
		codes := flood(500, func(int) int {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			if err != nil {
				t.Error(err)
				return 0
			}
			request.Header.Set("X-Long", header)
			transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			response, err := transport.RoundTrip(request)
			if err != nil {
				return 0 // the connection was closed while sending
			}
			_ = response.Body.Close()
			return response.StatusCode
		})
		if codes[0]+codes[http.StatusRequestHeaderFieldsTooLarge] != 500 {
			t.Errorf("%s answers %v", url, codes)
		}
	}
	if grown := peakMemory(t, manager.Pid()) - before; grown > 32<<20 {
		t.Errorf("the manager has grown by %d MiB", grown>>20)
	}
}

// peakMemory returns the peak memory of a process in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("this system has no /proc: %v", err)
	}
	for line := range strings.Lines(string(content)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatal("the peak is not in /proc")
	return 0
}

func TestMetricsAreServedOverHTTP1AndTodaysTLSOnly(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	manager := c.StartManager(c.StartCloud())
	url := "https://" + manager.Metrics + "/metrics"

	// The server starts shortly after the probes, which report readiness.
	c.Until("the metrics are served", func(context.Context) error {
		_, _, err := get(url, "", &tls.Config{})
		return err
	})
	response, _, err := get(url, "", &tls.Config{NextProtos: []string{"h2", "http/1.1"}})
	if err != nil || response.ProtoMajor != 1 || response.TLS.NegotiatedProtocol != "http/1.1" {
		t.Errorf("who would like HTTP/2 gets %s: %v", status(response), err)
	}
	_, _, err = get(url, "", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1 is to be refused, but: %v", err)
	}
	if response, _, err := get("http://"+manager.Metrics+"/metrics", "", nil); err == nil && response.StatusCode == http.StatusOK {
		t.Error("metrics are served without TLS")
	}
	response, _, err = get("https://"+manager.Metrics+"/debug/pprof/heap", "", &tls.Config{})
	if err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("the address of the metrics answers %s where memory could be dumped: %v", status(response), err)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if response, _, err := get("http://"+manager.Probes+path, "", nil); err != nil || response.StatusCode != http.StatusNotFound {
			t.Errorf("the address of the probes answers %s on %s: %v", status(response), path, err)
		}
	}
}

// scrapeAsPrometheus reads the metrics with a ServiceAccount that has the role for it.
func scrapeAsPrometheus(t *testing.T, c *cluster.Cluster, m *cluster.Manager) {
	t.Helper()
	c.CreateServiceAccount("scraper")
	c.Apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: scraper},
		roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: image-catalog-metrics-reader},
		subjects: [{kind: ServiceAccount, name: scraper, namespace: image-catalog-system}]}`)
	token := c.Token("scraper")
	c.Until("who has the ClusterRole image-catalog-metrics-reader gets the metrics", func(context.Context) error {
		response, body, err := get("https://"+m.Metrics+"/metrics", token, &tls.Config{})
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(body, "controller_runtime_active_workers") {
			return errors.Join(fmt.Errorf("it gets %s", status(response)), err)
		}
		return nil
	})
}

// get requests with a token, or without one. The manager's certificate is self-signed.
func get(url, token string, config *tls.Config) (*http.Response, string, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return nil, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if config != nil {
		config.InsecureSkipVerify = true
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

func status(r *http.Response) string {
	if r == nil {
		return "nothing"
	}
	return fmt.Sprint(r.Proto, " ", r.Status)
}
