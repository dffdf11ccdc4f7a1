// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

func rawMerge(patch []byte) client.Patch { return client.RawPatch(types.MergePatchType, patch) }

func trimScheme(endpoint string) string { return strings.TrimPrefix(endpoint, "http://") }

// unchangedPoll is a poll of n images of which none has changed, beside a listing of them by the SDK alone.
func unchangedPoll(b *bench, n int) *result {
	r := &result{N: n}
	b.fill(n)
	m := b.manager(unlimited...)
	b.create(query("all"))
	for round := range b.rounds {
		p := b.poll(m, round)
		rival := b.during(processes{"client": os.Getpid()}, func() { b.list() })
		r.pair(p.usage, rival, "the SDK alone")
		p.note(r)
	}
	return r
}

// changedPoll is a poll of n images of which one in a hundred has changed, beside a loop of as many PUTs.
func changedPoll(b *bench, n int) *result {
	r := &result{N: n}
	b.fill(n)
	m := b.manager(unlimited...)
	b.create(query("all"))
	some := b.cloud.Images(region)[:n/100]
	for round := range b.rounds {
		for i := range some {
			some[i].ImageDescription = fmt.Sprintf("changed %d", round)
		}
		b.cloud.Put(region, some...)
		var rival usage
		p := b.poll(m, round)
		p.note(r)
		present := b.present(some)
		rival = b.inClient(func() { floor(b, present, b.put(fmt.Sprint(round))) })
		r.pair(p.usage, rival, "PUTs")
	}
	return r
}

// present are the objects of some images as the API server has them.
func (b *bench) present(some []cvmtest.Image) []*imagev1alpha1.CloudImage {
	var out []*imagev1alpha1.CloudImage
	for _, image := range some {
		o := &imagev1alpha1.CloudImage{}
		if err := b.admin.Get(b.Context(), client.ObjectKey{Name: region + "-" + image.ImageID}, o); err != nil {
			b.Fatalf("%v", err)
		}
		out = append(out, o)
	}
	return out
}

// poll is what one poll took.
type poll struct {
	usage

	manager              *cluster.Manager
	allocated            float64
	reads, writes, asked float64
}

// poll has the manager poll without a write of anybody's to the query, by giving it another key of the same account: a request
// would have to be answered in the status. Nothing but the manager's own counters is looked at meanwhile, and those only before
// and after.
func (b *bench) poll(m *cluster.Manager, round int) poll {
	key := b.anotherKey(round)
	b.idle(m)
	b.cloud.ResetRequests()
	p := poll{manager: m}
	before, _ := b.scrape(m.Metrics), b.scrape(m.Metrics)
	scrapes := b.scrape(m.Metrics)
	perScrape := allocated(scrapes) - allocated(before)
	before = scrapes
	var last time.Time
	p.usage = b.during(b.servers().with("client", m.Pid()), func() {
		b.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, key)
		b.wait("the cloud was asked", func(context.Context) bool { return len(b.cloud.Requests()) > 0 })
		last = b.idle(m)
	})
	p.wall = last.Sub(b.cloud.Requests()[0].Time)
	after := b.scrape(m.Metrics)
	reads, writes := before.requests()
	p.reads, p.writes = after.requests()
	p.reads, p.writes = p.reads-reads, p.writes-writes
	p.allocated = allocated(after) - allocated(before) - perScrape/2
	p.asked = float64(len(b.cloud.Requests()))
	return p
}

// anotherKey is one of the same account, which the cloud takes.
func (b *bench) anotherKey(round int) cvmtest.Credential {
	key := cvmtest.DefaultCredential
	key.SecretID = fmt.Sprintf("AKIDbench%027d", round)
	b.cloud.SetCredential(key)
	return key
}

func allocated(m metrics) float64 { return m.sum("go_memstats_alloc_bytes_total") }

// note adds what a poll of unchanged or changed images counts.
func (p poll) note(r *result) {
	r.add("count reads", p.reads)
	r.add("count writes", p.writes)
	r.add("count cloud requests", p.asked)
	r.add("MB allocated", p.allocated/1e6)
}

// idle returns once a process has used no CPU for a while, and since when it hasn't.
func (b *bench) idle(m *cluster.Manager) time.Time {
	const quiet = 2 * time.Second
	var used float64
	since := time.Now()
	b.wait("the manager is idle", func(context.Context) bool {
		now, err := cpuOf(m.Pid())
		if err != nil {
			b.Fatalf("%v", err)
		}
		if now-used > 1.5/ticksPerSecond {
			used, since = now, time.Now()
		}
		return time.Since(since) > quiet
	})
	return since
}

// restart is a manager that starts while n CloudImages of a hundred queries or more are there and none is due, beside one that does
// nothing but fill the same cache.
func restart(b *bench, n int) *result {
	queries := max(100, n/50)
	r := &result{N: n}
	b.shares(n, queries)
	bare := b.build("./bench/bare")
	for round := range b.rounds {
		var ours, rival usage
		sides := []func(){
			func() {
				b.cloud.ResetRequests()
				var m *cluster.Manager
				ours = b.started(func() (string, int) {
					m = b.StartManager(b.cloud, "--metrics-secure=false", "--zap-log-level=error")
					return m.Metrics, m.Pid()
				}, float64(queries))
				b.idle(m)
				reads, writes := b.scrape(m.Metrics).requests()
				r.add("count writes", writes)
				r.add("reads", reads)
				r.add("count cloud requests", float64(len(b.cloud.Requests())))
				m.Stop()
			},
			func() {
				var p *cluster.Process
				rival = b.started(func() (string, int) {
					address := b.FreeAddress()
					p = b.StartProcess(bare, "--kubeconfig="+b.OperatorKubeconfig, "--metrics="+address)
					return address, p.Pid()
				}, float64(queries))
				p.Stop()
			},
		}
		for i := range sides {
			sides[(i+round)%len(sides)]()
		}
		r.pair(ours, rival, "a bare manager")
	}
	return r
}

// shares has queries of n images in all, each of its own, and all of them synced.
func (b *bench) shares(n, queries int) {
	b.cloud.Clear(region)
	images := cvmtest.PrivateImages(1, n, cvmtest.DefaultCredential.UIN)
	for i := range images {
		images[i].Tags, images[i].Absent = []cvmtest.Tag{{Key: "share", Value: fmt.Sprint(i % queries)}}, nil
	}
	for chunk := range slices.Chunk(images, 1000) {
		b.cloud.Put(region, chunk...)
	}
	m := b.manager(append(unlimited, "--concurrent=8")...)
	b.createAll(queries, func(i int, q *imagev1alpha1.ImageQuery) { q.Spec.Filters = byTag(fmt.Sprint(i)) })
	m.Stop()
}

func byTag(value string) []imagev1alpha1.Filter {
	return []imagev1alpha1.Filter{{Name: "tag:share", Values: []string{value}}}
}

// createAll creates many queries at once, and returns when all are synced.
func (b *bench) createAll(queries int, shape func(int, *imagev1alpha1.ImageQuery)) {
	left := map[string]bool{}
	b.until(func() {
		for i := range queries {
			q := query(fmt.Sprintf("query-%d", i))
			shape(i, q)
			left[q.Name] = true
			if err := b.admin.Create(b.Context(), q); err != nil {
				b.Fatalf("creating the query: %v", err)
			}
		}
	}, func(now *imagev1alpha1.ImageQuery) bool {
		if now.Status.SyncedGeneration == now.Generation {
			delete(left, now.Name)
		}
		return len(left) == 0
	})
}

// started measures a manager from its start until it has looked at every query.
func (b *bench) started(start func() (metrics string, pid int), queries float64) usage {
	began := time.Now()
	before, err := b.servers().cpu()
	if err != nil {
		b.Fatalf("%v", err)
	}
	address, pid := start()
	b.wait("every query was looked at", func(context.Context) bool {
		return b.scrape(address).sum("controller_runtime_reconcile_total") >= queries
	})
	wall := time.Since(began)
	after, err := b.servers().with("client", pid).cpu()
	if err != nil {
		b.Fatalf("%v", err)
	}
	for name := range before {
		after[name] -= before[name]
	}
	return usage{wall: wall, cpu: after}
}
