// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// manyQueries are n new queries that ask for twenty different things, with the default budget of cloud requests, and a round of
// polls after it. They make no CloudImages, as many queries of the same images should not.
func manyQueries(b *bench, n int) *result {
	const distinct = 20
	r := &result{N: n}
	b.tagged(distinct * 10)
	for round := range b.rounds {
		m := b.manager()
		b.cloud.ResetRequests()
		u := b.during(b.servers().with("client", m.Pid()), func() {
			b.createAll(n, func(i int, q *imagev1alpha1.ImageQuery) {
				q.Spec.Filters = byTag(fmt.Sprint(i % distinct))
				q.Spec.CloudImages = imagev1alpha1.CloudImagePolicy{Policy: imagev1alpha1.CloudImagesNone}
			})
		})
		requests := b.cloud.Requests()
		r.add("cloud requests until the last is synced", float64(len(requests)))
		r.budget(requests, 10, 10)
		r.add("s until the last is synced", u.wall.Seconds())
		r.add("count cloud requests of a round", b.round(m, float64(n), round))
		r.add("cpu-s/1000 ours client", u.cpu["client"]*1000/float64(n))
		m.Stop()
		b.wipe()
	}
	return r
}

// round makes every query due at once by another key, and says how many requests the cloud got.
func (b *bench) round(m *cluster.Manager, queries float64, round int) float64 {
	key := b.anotherKey(round)
	b.idle(m)
	b.cloud.ResetRequests()
	polls := func() float64 { return b.scrape(m.Metrics).sum("imagequery_polls_total") }
	before := polls()
	b.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, key)
	b.wait("every query was polled", func(context.Context) bool { return polls() >= before+queries })
	b.idle(m)
	return float64(len(b.cloud.Requests()))
}

// tagged fills the cloud with images of which ten each have the same value of the tag "share".
func (b *bench) tagged(n int) {
	b.cloud.Clear(region)
	images := cvmtest.PrivateImages(1, n, cvmtest.DefaultCredential.UIN)
	for i := range images {
		images[i].Tags, images[i].Absent = []cvmtest.Tag{{Key: "share", Value: fmt.Sprint(i / 10)}}, nil
	}
	b.cloud.Put(region, images...)
}

// budget notes how much of what the limiter lets through was used, and whether it was kept.
func (r *result) budget(requests []cvmtest.Request, qps, burst int) {
	most := busiest(requests)
	r.add("cloud requests in the busiest second", float64(most))
	r.add("count cloud requests above the budget in it", float64(max(0, most-qps-burst)))
}

// busiest is the largest number of requests in any one second.
func busiest(requests []cvmtest.Request) int {
	most, first := 0, 0
	for i := range requests {
		for requests[i].Time.Sub(requests[first].Time) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// fairness is one query of n images beside 99 of ten, at the cloud's limit: until the last of the small ones is synced.
func fairness(b *bench, n int) *result {
	const small = 99
	r := &result{N: n}
	for range b.rounds {
		b.fill(n)
		images := cvmtest.PrivateImages(2, small*10, cvmtest.DefaultCredential.UIN)
		for i := range images {
			images[i].Tags, images[i].Absent = []cvmtest.Tag{{Key: "share", Value: fmt.Sprint(i / 10)}}, nil
		}
		b.cloud.Put(region, images...)
		m := b.manager("--cvm-qps=40", "--cvm-burst=10")
		u := b.during(b.servers().with("client", m.Pid()), func() {
			b.createAllBut(query("big"), small, func(i int, q *imagev1alpha1.ImageQuery) { q.Spec.Filters = byTag(fmt.Sprint(i)) })
		})
		r.add("s until the last small query is synced", u.wall.Seconds())
		r.add("cpu-s until then", u.total())
		r.budget(b.cloud.Requests(), 40, 10)
		m.Stop()
		b.cloud.ResetRequests()
		b.wipe()
	}
	return r
}

// createAllBut creates a big query and, once the cloud is being asked for it, small ones; it returns when those are synced.
func (b *bench) createAllBut(big *imagev1alpha1.ImageQuery, small int, shape func(int, *imagev1alpha1.ImageQuery)) {
	b.cloud.ResetRequests()
	if err := b.admin.Create(b.Context(), big); err != nil {
		b.Fatalf("creating the query: %v", err)
	}
	b.wait("the cloud was asked", func(context.Context) bool { return len(b.cloud.Requests()) > 0 })
	b.createAll(small, shape)
}

// hostile are n queries that never sync, beside ten that do, with the default flags and the shortest interval: the longest time
// between two polls of a query that syncs, in intervals.
func hostile(b *bench, n int) *result {
	const healthy, interval, watched = 10, time.Minute, 4 * time.Minute
	r := &result{N: n}
	b.tagged(100)
	m := b.manager()
	for i := range n + healthy {
		q := query(fmt.Sprint("never-", i))
		q.Spec.Filters = append(byTag("1"), imagev1alpha1.Filter{Name: "image-name", Values: []string{q.Name}}) // none has this name
		if i >= n {
			q = query(fmt.Sprint("healthy-", i-n))
			q.Spec.Filters = byTag(fmt.Sprint(i - n))
		}
		q.Spec.Interval = metav1.Duration{Duration: interval}
		if err := b.admin.Create(b.Context(), q); err != nil {
			b.Fatalf("creating the query: %v", err)
		}
	}
	b.wait("the healthy queries are synced", func(context.Context) bool { return len(pollsOf(b.cloud.Requests(), healthy)) == healthy })
	b.cloud.ResetRequests()
	began := time.Now()
	b.wait("some intervals have passed", func(context.Context) bool { return time.Since(began) > watched })
	longest := time.Duration(0)
	for _, polls := range pollsOf(b.cloud.Requests(), healthy) {
		for before, at := range pairs(append([]time.Time{began}, append(polls, began.Add(watched))...)) {
			longest = max(longest, at.Sub(before))
		}
	}
	r.add("longest time between two polls of a healthy query, in intervals", longest.Seconds()/interval.Seconds())
	r.add("requests/s of the never synced", float64(len(b.cloud.Requests()))/watched.Seconds())
	m.Stop()
	b.wipe()
	return r
}

// pollsOf returns when each of the first n tags was asked for alone.
func pollsOf(requests []cvmtest.Request, n int) map[string][]time.Time {
	polls := map[string][]time.Time{}
	for _, request := range requests {
		share := request.Filters["tag:share"]
		if number, err := strconv.Atoi(strings.Join(share, "")); err == nil && number < n && len(request.Filters) == 1 {
			polls[share[0]] = append(polls[share[0]], request.Time)
		}
	}
	return polls
}

// pairs iterates over each time with the one before it.
func pairs(times []time.Time) iter.Seq2[time.Time, time.Time] {
	return func(yield func(time.Time, time.Time) bool) {
		for i := 1; i < len(times); i++ {
			if !yield(times[i-1], times[i]) {
				return
			}
		}
	}
}

// throttled are n queries with a credential that the cloud throttles always, beside one query with another: from the creation of that
// until it is synced, and the same without the others.
func throttled(b *bench, n int) *result {
	r := &result{N: n}
	b.tagged(100)
	key := cvmtest.DefaultCredential
	key.SecretID = "AKIDthrottled00000000000000000000000"
	b.cloud.SetCredential(key)
	b.SetCredentials("throttled", key)
	alone := func(name string) float64 {
		began := time.Now()
		q := query(name)
		q.Spec.Filters = byTag("1")
		b.create(q)
		return time.Since(began).Seconds()
	}
	for range b.rounds {
		m := b.manager()
		without := alone("alone")
		heal := b.cloud.Inject(cvmtest.Fault{SecretID: key.SecretID, Code: "RequestLimitExceeded"})
		b.cloud.ResetRequests()
		for i := range n {
			q := query(fmt.Sprintf("throttled-%d", i))
			q.Spec.CredentialsRef = &imagev1alpha1.CredentialsReference{Name: "throttled"}
			q.Spec.Filters = byTag(fmt.Sprint(i % 10))
			q.Spec.Interval = metav1.Duration{Duration: time.Minute}
			if err := b.admin.Create(b.Context(), q); err != nil {
				b.Fatalf("creating the query: %v", err)
			}
		}
		// Long enough for every worker to have met the throttled credential.
		b.wait("the cloud has refused several requests", func(context.Context) bool { return len(b.cloud.Requests()) >= 4 })
		with := alone("beside")
		heal()
		r.add("s alone", without)
		r.add("s beside", with)
		m.Stop()
		b.wipe()
	}
	return r
}
