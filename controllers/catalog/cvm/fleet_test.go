// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/controllers/polltime"
)

// fleetOf makes TestFleet simulate a part of the table in docs/fleet.md, as make bench does.
var fleetOf = flag.Int("clusters", 0, "number of clusters to simulate at several intervals and numbers of sub-accounts")

// roundTrip is the simulated time of a request.
const roundTrip = 50 * time.Millisecond

// fleet describes clusters whose operators poll one cloud, each with the default flags.
type fleet struct {
	clusters, queries, pages int
	interval                 time.Duration
	subAccounts              int

	// sameRequest makes all queries of a cluster ask for the same thing.
	sameRequest bool

	// rounds is the number of intervals that are measured, after two in which the clusters start at random times.
	rounds int
}

// usage is what the cloud saw of a fleet, and how old its data became.
type usage struct {
	Clusters    int     `json:"clusters"`
	Interval    string  `json:"interval"`
	SubAccounts int     `json:"subAccounts"`
	Mean        float64 `json:"meanPerSecond"` // requests of the busiest sub-account
	Peak        int     `json:"peakPerSecond"`
	Throttled   float64 `json:"throttledPercent"` // of all requests
	Failed      float64 `json:"failedPercent"`    // of all polls
	Oldest      float64 `json:"oldestIntervals"`  // age of a query's data before the poll that replaced it
	Late        float64 `json:"latePercent"`      // polls whose data was older than 1.5 intervals
	Listings    float64 `json:"listingsPerRound"` // of one cluster, whatever its queries ask for
}

// simulation runs a fleet in simulated time. Everything but the connection is real: the SDK, its signatures, the limiter, and the
// simulated cloud's rate limit.
type simulation struct {
	fleet
	cloud *cvmtest.Server

	// Measured is what happens between the two.
	from, until time.Time

	mu        sync.Mutex
	seconds   map[string]map[int64]int
	requests  int
	throttled int
	listings  int
	polls     int
	failed    int
	late      int
	oldest    time.Duration
}

// RoundTrip implements http.RoundTripper.
func (s *simulation) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(roundTrip):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	recorder := httptest.NewRecorder()
	s.cloud.ServeHTTP(recorder, r)
	s.count(r.Header.Get("Authorization"), strings.Contains(recorder.Body.String(), "RequestLimitExceeded"))
	return recorder.Result(), nil
}

func (s *simulation) measures() bool { return !time.Now().Before(s.from) && time.Now().Before(s.until) }

func (s *simulation) count(authorization string, throttled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.measures() {
		return
	}
	_, key, _ := strings.Cut(authorization, "Credential=")
	key, _, _ = strings.Cut(key, "/")
	if s.seconds[key] == nil {
		s.seconds[key] = map[int64]int{}
	}
	s.seconds[key][time.Now().Unix()]++
	s.requests++
	if throttled {
		s.throttled++
	}
}

// polled records a poll that replaced data of some age.
func (s *simulation) polled(err error, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.measures() {
		return
	}
	if s.polls++; err != nil {
		s.failed++
		return
	}
	s.oldest = max(s.oldest, age)
	if age > s.interval*3/2 {
		s.late++
	}
}

// counted counts the listings that reach the client.
type counted struct {
	*Client

	s *simulation
}

func (c counted) List(ctx context.Context, account catalog.Account, query catalog.Query) (catalog.Listing, error) {
	c.s.mu.Lock()
	if c.s.measures() {
		c.s.listings++
	}
	c.s.mu.Unlock()
	return c.Client.List(ctx, account, query)
}

// cluster runs one operator until ctx ends.
func (s *simulation) cluster(ctx context.Context, number int) error {
	client, err := New(Options{Endpoint: s.cloud.URL()})
	if err != nil {
		return err
	}
	client.transport = guard{next: s, meter: client.meter}
	shared := catalog.NewShared(counted{client, s}, time.Now)
	account := accountOf(subAccount(number % s.subAccounts))
	slots := make(chan struct{}, 4) // --concurrent
	var group sync.WaitGroup
	for i := range s.queries {
		query := catalog.Query{Region: region}
		if !s.sameRequest {
			// Another request, which all images match.
			query.Filters = []catalog.Filter{{Name: "image-name", Values: []string{"node", fmt.Sprint("query-", i)}}}
		}
		group.Go(func() { s.query(ctx, shared, account, query, slots) })
	}
	group.Wait()
	return nil
}

// query polls as the controller does.
func (s *simulation) query(ctx context.Context, lister catalog.Lister, account catalog.Account, query catalog.Query, slots chan struct{}) {
	phase := polltime.PhaseOf(fmt.Sprint(rand.Uint64())) // a cluster has a seed of its own
	if s.sameRequest {
		phase = polltime.PhaseOf(catalog.Key(account, query))
	}
	failures, last := 0, time.Now()
	for {
		slots <- struct{}{}
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, min(s.interval, 5*time.Minute))
		_, err := lister.List(limited, account, query)
		cancel()
		<-slots
		if ctx.Err() != nil {
			return
		}
		s.polled(err, began.Sub(last))
		wait := phase.UntilDue(s.interval, time.Now())
		if failures++; err == nil {
			failures, last = 0, began
		} else {
			wait = polltime.RetryAfter(failures, s.interval)
			wait += time.Duration(rand.Float64() * 0.2 * float64(wait))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

func subAccount(i int) cvmtest.Credential {
	return cvmtest.Credential{SecretID: fmt.Sprint("AKIDfleet", i), SecretKey: "key", UIN: cvmtest.DefaultCredential.UIN}
}

// simulate runs a fleet against a cloud, whose connections it doesn't use.
func simulate(t *testing.T, f fleet) (u usage) {
	t.Helper()
	cloud := cvmtest.NewServer(cvmtest.Options{})
	defer cloud.Close()
	images := cvmtest.PrivateImages(1, f.pages*pageSize, cvmtest.DefaultCredential.UIN)
	for i := range images {
		images[i].ImageName = fmt.Sprint("node-", i)
		images[i].Tags, images[i].SnapshotSet, images[i].ImageDescription = nil, nil, "" // a simulation decodes millions of them
	}
	cloud.Put(region, images...)
	for i := range f.subAccounts {
		cloud.SetCredential(subAccount(i))
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := &simulation{fleet: f, cloud: cloud, from: began.Add(2 * f.interval), seconds: map[string]map[int64]int{}}
		s.until = s.from.Add(time.Duration(f.rounds) * f.interval)
		ctx, cancel := context.WithDeadline(t.Context(), s.until)
		defer cancel()
		var group sync.WaitGroup
		for number := range f.clusters {
			group.Go(func() {
				<-time.After(time.Duration(rand.Float64() * float64(f.interval)))
				if err := s.cluster(ctx, number); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		<-time.After(10 * time.Minute) // listings that are shared outlive those who asked
		u = s.usage()
	})
	return u
}

func (s *simulation) usage() usage {
	u := usage{Clusters: s.clusters, Interval: strings.TrimSuffix(s.interval.String(), "0s"), SubAccounts: s.subAccounts}
	busiest := 0
	for _, seconds := range s.seconds {
		total := 0
		for _, n := range seconds {
			u.Peak = max(u.Peak, n)
			total += n
		}
		busiest = max(busiest, total)
	}
	percent := func(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
	u.Mean = float64(busiest) / (time.Duration(s.rounds) * s.interval).Seconds()
	u.Throttled, u.Failed, u.Late = percent(s.throttled, s.requests), percent(s.failed, s.polls), percent(s.late, s.polls-s.failed)
	u.Oldest = s.oldest.Seconds() / s.interval.Seconds()
	u.Listings = float64(s.listings) / float64(s.clusters*s.rounds)
	return u
}

// The table of docs/fleet.md, for one number of clusters. Without -clusters, only few of them.
func TestFleet(t *testing.T) {
	clusters, intervals, accounts := 10, []time.Duration{10 * time.Minute}, []int{1}
	if *fleetOf > 0 {
		clusters, accounts = *fleetOf, []int{1, 10}
		intervals = []time.Duration{10 * time.Minute, 30 * time.Minute, time.Hour}
	}
	for _, interval := range intervals {
		for _, subAccounts := range accounts {
			f := fleet{clusters: clusters, queries: 5, pages: 5, interval: interval, subAccounts: subAccounts, rounds: 2}
			u := simulate(t, f)
			line, err := json.Marshal(u)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("fleet: %s", line)
			// Far below the limit, nothing is throttled, and no data gets older than the interval and a moment.
			if u.Mean < 5 && (u.Throttled > 1 || u.Failed > 0 || u.Late > 0 || u.Listings > float64(f.queries)+0.1) {
				t.Errorf("%d clusters: %+v", clusters, u)
			}
		}
	}
}

// Queries of one request, created at different times, are due together from their second poll on.
func TestQueriesOfOneRequestShareTheirListings(t *testing.T) {
	const day = 24 * time.Hour
	u := simulate(t, fleet{
		clusters: 1, queries: 20, pages: 1, interval: 10 * time.Minute, subAccounts: 1, sameRequest: true, rounds: int(day / (10 * time.Minute)),
	})
	if u.Listings > 1.05 || u.Failed > 0 || u.Late > 0 {
		t.Errorf("20 queries caused %.2f listings in each interval: %+v", u.Listings, u)
	}
}
