// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// interval waits for the second poll of the query with a short interval. The first one was at the start of all tests.
func (s *suite) interval() {
	var polls []time.Time
	s.Until("the query of "+beside+" is polled again", func(context.Context) error {
		if polls = s.pollsBeside(); len(polls) < 2 {
			return fmt.Errorf("it was polled %d times", len(polls))
		}
		return nil
	})
	// The first interval ends at the time at which all queries of this request are polled.
	if waited := polls[1].Sub(polls[0]); waited < time.Minute/5 {
		s.t.Errorf("it was polled again after %s, and its interval is a minute", waited)
	}
}

func (s *suite) pollsBeside() []time.Time {
	var polls []time.Time
	for _, r := range s.cloud.Requests() {
		if r.Region == beside {
			polls = append(polls, r.Time)
		}
	}
	return polls
}

// restart checks that a restarted manager has nothing to do.
func (s *suite) restart() {
	s.stop(s.manager)
	s.expect(func() {
		// This manager uses WatchList, the default.
		s.manager = s.RestartManager(s.manager, "KUBE_FEATURE_WatchListClient=true")
		s.untilIdle(s.manager)
	}, nil, nil)
}

func (s *suite) stop(m *cluster.Manager) {
	s.t.Helper()
	if err := m.Stop(); err != nil {
		s.t.Error(err)
	}
}

// collectGarbage deletes a query while no operator runs.
func (s *suite) collectGarbage() {
	s.stop(s.manager)
	s.expect(func() {
		s.Kubectl("", "delete", "imagequery", "shanghai")
		s.Until("its CloudImages are gone", func(context.Context) error {
			if left := len(s.Images("shanghai")); left > 0 {
				return fmt.Errorf("%d are there", left)
			}
			return nil
		})
	}, nil, nil)
}

// leaderChange kills a leader. Its successor waits until the Lease has expired.
func (s *suite) leaderChange() {
	first := s.RestartManager(s.manager, "--leader-elect")
	leader := s.untilLeader("")
	successor := s.StartManager(s.cloud, "--leader-elect")
	s.untilIdle(first)
	id := s.own(region, second)[1]
	s.cloud.Update(region, id, func(i *cvmtest.Image) { i.ImageDescription = "seen by the successor" })
	s.expect(func() {
		first.Kill()
		s.untilLeader(leader)
		s.untilIdle(successor)
	}, nil, nil)
	s.expect(func() { s.Poll("foreign") },
		pages("acct2", region, 3), append(statusOf("foreign", 1), write("update", "cloudimages", "acct2."+region+"-"+id, 200)))

	// A manager that ends gracefully releases the Lease.
	s.stop(successor)
	if holder := s.leader(s.Context()); holder != "" {
		s.t.Errorf("the Lease is still held by %s", holder)
	}
}

func (s *suite) untilLeader(another string) (holder string) {
	s.t.Helper()
	s.Until("there is a new leader", func(ctx context.Context) error {
		if holder = s.leader(ctx); holder == "" || holder == another {
			return fmt.Errorf("the leader is %q", holder)
		}
		return nil
	})
	return holder
}

// leader returns the holder of the Lease, or "".
func (s *suite) leader(ctx context.Context) string {
	var lease coordinationv1.Lease
	err := s.Client.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: "image-catalog-operator"}, &lease)
	if err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// allowScraping creates a ServiceAccount with the shipped role for metrics, and one without.
func (s *suite) allowScraping() {
	s.t.Helper()
	s.CreateServiceAccount("scraper")
	s.CreateServiceAccount("stranger")
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "scraper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "image-catalog-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: cluster.Namespace, Name: "scraper"}},
	}
	if err := s.Client.Create(s.Context(), binding); err != nil {
		s.t.Fatal(err)
	}
	s.scraper = s.Token("scraper")
}

func (s *suite) metrics() {
	for who, tc := range map[string]struct {
		token string
		want  int
	}{
		"a ServiceAccount with the role":    {s.scraper, http.StatusOK},
		"a ServiceAccount without the role": {s.Token("stranger"), http.StatusForbidden},
		"nobody":                            {"", http.StatusUnauthorized},
	} {
		status, _, err := s.scrape(s.Context(), s.manager, tc.token)
		if err != nil || status != tc.want {
			s.t.Errorf("%s got %d (%v), want %d", who, status, err, tc.want)
		}
	}
}

// scrape reads /metrics over HTTPS. The manager's certificate is self-signed.
func (s *suite) scrape(ctx context.Context, m *cluster.Manager, token string) (status int, body string, err error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+m.Metrics+"/metrics", nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// untilIdle waits until a manager has reconciled every query since it started, and is idle.
func (s *suite) untilIdle(m *cluster.Manager) {
	s.t.Helper()
	s.Until("the manager has looked at every query", func(ctx context.Context) error {
		var queries imagev1alpha1.ImageQueryList
		if err := s.Client.List(ctx, &queries); err != nil {
			return err
		}
		status, body, err := s.scrape(ctx, m, s.scraper)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("/metrics answers %d (%w)", status, err)
		}
		reconciles, busy, waiting, err := work(body)
		if err == nil && (int(reconciles) < len(queries.Items) || busy > 0 || waiting > 0) {
			err = fmt.Errorf("%v reconciles are done, %v under way and %v due, of %d queries", reconciles, busy, waiting, len(queries.Items))
		}
		return err
	})
}

// work returns the number of finished, running and waiting reconciles from metrics.
func work(text string) (done, busy, waiting float64, err error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return 0, 0, 0, err
	}
	if families["controller_runtime_active_workers"] == nil || families["workqueue_depth"] == nil {
		return 0, 0, 0, errors.New("the controller has not started")
	}
	for _, m := range families["controller_runtime_reconcile_total"].GetMetric() {
		done += m.GetCounter().GetValue()
	}
	for _, m := range families["controller_runtime_active_workers"].GetMetric() {
		busy += m.GetGauge().GetValue()
	}
	for _, m := range families["workqueue_depth"].GetMetric() {
		waiting += m.GetGauge().GetValue()
	}
	return done, busy, waiting, nil
}
