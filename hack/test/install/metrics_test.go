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
	"strings"
	"testing"

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
		"a ServiceAccount without the role":    {c.Token("neighbour"), http.StatusForbidden},
		"somebody without a token":             {"", http.StatusUnauthorized},
		"somebody with a token that isn't one": {"none", http.StatusUnauthorized},
	} {
		response, body, err := get("https://"+manager.Metrics+"/metrics", tc.token, &tls.Config{})
		if err != nil || response.StatusCode != tc.want || strings.Contains(body, "# HELP") {
			t.Errorf("%s gets %s, want %d: %v", who, status(response), tc.want, err)
		}
	}
}

// A scrape is a reader's every few seconds: the API server is asked about each of them once for a while.
func TestReadersOfMetricsAreRemembered(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true})
	manager := c.StartManager(c.StartCloud())
	scrapeAsPrometheus(t, c, manager)
	scraper := c.Token("scraper")
	mark := c.Mark()
	for _, tc := range []struct {
		token string
		want  int
	}{{scraper, http.StatusOK}, {"none", http.StatusUnauthorized}} {
		for range 3 {
			if response, _, err := get("https://"+manager.Metrics+"/metrics", tc.token, &tls.Config{}); err != nil || response.StatusCode != tc.want {
				t.Fatalf("got %s, want %d: %v", status(response), tc.want, err)
			}
		}
	}
	asked := map[string]int{}
	for _, r := range c.RequestsSince(mark) {
		if r.User == cluster.OperatorUser && r.Verb == "create" {
			asked[r.Resource]++
		}
	}
	// The scraper's second token is another than the one that it got in with; a refusal may have been forgotten on a slow machine.
	if asked["tokenreviews"] < 2 || asked["tokenreviews"] > 3 || asked["subjectaccessreviews"] != 1 {
		t.Errorf("for six requests of two readers the API server was asked %v", asked)
	}
}

func TestMetricsAreServedOverHTTP1AndTodaysTLSOnly(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	manager := c.StartManager(c.StartCloud())
	url := "https://" + manager.Metrics + "/metrics"

	// The server starts a moment after the probes', which say that the manager is ready.
	c.Until("the metrics are served", func(context.Context) error {
		_, _, err := get(url, "", &tls.Config{})
		return err
	})
	response, _, err := get(url, "", &tls.Config{NextProtos: []string{"h2", "http/1.1"}})
	if err != nil || response.ProtoMajor != 1 || response.TLS.NegotiatedProtocol != "http/1.1" {
		t.Errorf("who would like HTTP/2 gets %s: %v", status(response), err)
	}
	if _, _, err := get(url, "", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1 is to be refused, but: %v", err)
	}
	if response, _, err := get("http://"+manager.Metrics+"/metrics", "", nil); err == nil && response.StatusCode == http.StatusOK {
		t.Error("metrics are served without TLS")
	}
	if response, _, err := get("https://"+manager.Metrics+"/debug/pprof/heap", "", &tls.Config{}); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("the address of the metrics answers %s where memory could be dumped: %v", status(response), err)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if response, _, err := get("http://"+manager.Probes+path, "", nil); err != nil || response.StatusCode != http.StatusNotFound {
			t.Errorf("the address of the probes answers %s on %s: %v", status(response), path, err)
		}
	}
}

// scrapeAsPrometheus reads the metrics by a ServiceAccount with the role that is meant for it.
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

// get asks with a token, or without one. The manager makes its certificate for itself, so nobody could have signed it.
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
