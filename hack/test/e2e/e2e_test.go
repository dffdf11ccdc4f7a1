// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

const (
	region = "ap-guangzhou"
	// elsewhere has few images, and beside the query with a short interval.
	elsewhere, beside = "ap-shanghai", "ap-beijing"

	// consented is a namespace in which the operator fills labelled ConfigMaps.
	consented = "team-a"
)

// second is the key of another account.
var second = cvmtest.Credential{
	SecretID: "AKIDcvmtest2222222222222222222222222", SecretKey: "cvmtest-secret-key-2222222222222", UIN: "100000000002",
}

// keyNames are the names of the keys in these tests.
var keyNames = map[string]string{cvmtest.DefaultCredential.SecretID: "default", second.SecretID: "acct2"}

func TestOperator(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	// The 408 private images of the API's documentation: five pages.
	cloud := c.StartCloud("-page-example", "-shared=0", "-regions="+region)
	cloud.Put(elsewhere, cvmtest.PrivateImages(2, 12, cvmtest.DefaultCredential.UIN)...)
	cloud.Put(beside, cvmtest.PrivateImages(3, 2, cvmtest.DefaultCredential.UIN)...)
	cloud.SetCredential(second)
	cloud.Put(region, cvmtest.PrivateImages(4, 3, second.UIN)...)
	c.Consent(consented)
	// Lists instead of WatchList, like with API servers before 1.34.
	s := &suite{cloud: cloud, manager: c.StartManager(cloud, "--publish-namespaces="+consented, "KUBE_FEATURE_WatchListClient=false")}
	s.bind(t, c)
	s.allowScraping()
	s.fillRegions()
	s.Apply(polledByItself)

	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"the first sync lists once and writes each image once", (*suite).firstSync},
		{"a poll on demand that finds nothing new writes nothing but its echo", (*suite).nothingNew},
		{"what changes in the cloud changes in place", (*suite).change},
		{"what vanishes from the cloud is confirmed by id, and goes", (*suite).vanish},
		{"two queries share the objects of the images that both have", (*suite).share},
		{"a query of another region asks that region only", (*suite).regions},
		{"a query with credentials of its own waits for them and uses no others", (*suite).credentials},
		{"an image that left keeps its object for the grace period, and may come back", (*suite).grace},
		{"most images at once don't leave unless somebody approves it", (*suite).breaker},
		{"a policy decides which images have objects, at once", (*suite).switchPolicy},
		{"events tell of transitions, in the namespace default", (*suite).events},
		{"what another writes at the same time stays", (*suite).others},
		{"metrics are for those with the role that ships", (*suite).metrics},
		{"a labelled ConfigMap in a consented namespace is filled", (*suite).publish},
		{"a query is polled by itself, not before a fifth of its interval has passed", (*suite).interval},
		{"a restart polls nothing before its time", (*suite).restart},
		{"an approved removal is carried out, also after a restart", (*suite).approve},
		{"two queries that lose an image let go of it in their own time", (*suite).twoOwners},
		{"a deleted query's images go by the garbage collector, without the operator", (*suite).collectGarbage},
		{"another manager takes over from a leader that was killed, and polls nothing before its time", (*suite).leaderChange},
		{"the operator may do what it does, and does all that it may", (*suite).roles},
	} {
		if !t.Run(test.name, func(t *testing.T) {
			s.bind(t, c)
			test.run(s)
		}) {
			break // the following tests depend on it
		}
	}
	if unknown := cloud.Unknown(); len(unknown) > 0 {
		t.Errorf("the cloud was asked for what nobody knows the answer to: %q", unknown)
	}
}

// suite is the installation that the tests share.
type suite struct {
	*cluster.Cluster

	t       *testing.T
	cloud   *cluster.Cloud
	manager *cluster.Manager
	scraper string // a token

	// The number of checked requests to the cloud, and of writes to the API server.
	seenAsked, seenWrites int

	settled int
}

// bind makes t the current test for failures. Processes that it starts are kept for the following tests.
func (s *suite) bind(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	s.t, s.Cluster = t, c.For(lasting{T: t, all: c})
}

// lasting is a test with cleanups that run after the last test.
type lasting struct {
	*testing.T
	all cluster.T
}

func (l lasting) Cleanup(f func())                { l.all.Cleanup(f) }
func (l lasting) Failed() bool                    { return l.all.Failed() }
func (l lasting) Logf(format string, args ...any) { l.all.Logf(format, args...) }

// expect calls run and compares all requests that the cloud and the API server got meanwhile with the expected ones.
func (s *suite) expect(run func(), cloud, writes []string) {
	s.t.Helper()
	s.asked()
	s.settle()
	s.writes()
	run()
	s.same("requests to the cloud", s.asked(), cloud)
	// The audit log lags slightly behind the visible effect.
	var written []string
	for deadline := time.Now().Add(5 * time.Second); len(written) < len(writes) && time.Now().Before(deadline); {
		s.settle()
		written = append(written, s.writes()...)
	}
	s.same("writes to the API server", append(written, s.writes()...), writes)
}

// settle sends a unique request to the API server, and waits until it is in the audit log.
func (s *suite) settle() {
	s.t.Helper()
	s.settled++
	key := client.ObjectKey{Namespace: "default", Name: fmt.Sprint("settled-", s.settled)}
	if err := s.Client.Get(s.Context(), key, &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
		s.t.Fatalf("asking for what isn't there: %v", err)
	}
	s.Until("the audit log has come to "+key.Name, func(context.Context) error {
		if !slices.ContainsFunc(s.Requests(), func(r cluster.Request) bool { return r.Name == key.Name }) {
			return errors.New("it has not")
		}
		return nil
	})
}

func (s *suite) same(what string, got, want []string) {
	s.t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.t.Errorf("%s: got %d\n\t%s\nwant %d\n\t%s", what, len(got), strings.Join(got, "\n\t"), len(want), strings.Join(want, "\n\t"))
	}
}

// asked returns the new requests to the cloud, except those of the query with a short interval.
func (s *suite) asked() []string {
	requests := s.cloud.Requests()
	fresh := requests[s.seenAsked:]
	s.seenAsked = len(requests)
	var out []string
	for _, r := range fresh {
		if r.Region == beside {
			continue
		}
		what := fmt.Sprintf("from %d", r.Offset)
		if len(r.ImageIDs) > 0 {
			what = fmt.Sprintf("for %d ids", len(r.ImageIDs))
		}
		if r.Code != "" {
			what += ": " + r.Code
		}
		out = append(out, fmt.Sprintf("%s %s %s", keyNames[r.SecretID], r.Region, what))
	}
	return out
}

// pages returns the requests for a listing of a number of images.
func pages(key, region string, images int) []string {
	var out []string
	for offset := 0; offset == 0 || offset < images; offset += 100 {
		out = append(out, fmt.Sprintf("%s %s from %d", key, region, offset))
	}
	return out
}

// byID returns a request by id with the default key.
func byID(region string, ids int) []string {
	return []string{fmt.Sprintf("default %s for %d ids", region, ids)}
}

// writes returns the operator's new writes of ImageQueries and CloudImages, except those of the query with a short
// interval.
func (s *suite) writes() []string {
	s.t.Helper()
	requests := s.RequestsOf(cluster.OperatorUser)
	fresh := requests[s.seenWrites:]
	s.seenWrites = len(requests)
	var out []string
	for _, r := range fresh {
		if r.Group == "imagecatalog.dev" && !slices.Contains([]string{"get", "list", "watch"}, r.Verb) && !strings.Contains(r.Name, beside) {
			out = append(out, write(r.Verb, r.Resource, r.Name, r.Code))
		}
	}
	return out
}

func write(verb, resource, name string, code int32) string {
	return fmt.Sprintf("%d %s %s %s", code, verb, resource, name)
}

// statusOf returns a number of writes of a query's status.
func statusOf(query string, times int) []string {
	return slices.Repeat([]string{write("update", "imagequeries/status", query, 200)}, times)
}
