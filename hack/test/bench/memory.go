// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// memory is what a manager holds while n CloudImages are there: without any beside a bare manager, and else for each of them.
func memory(b *bench, n int) *result {
	r := &result{N: n}
	if n == 0 {
		return b.idleMemory(r)
	}
	sample := min(n, 1000)
	b.fill(sample)
	m := b.manager("GOGC=10")
	empty := b.smallestHeap(m)
	m.Stop()
	m = b.manager(unlimited...)
	b.create(query("all"))
	m.Stop()
	b.multiply(b.images(), n)
	for range b.rounds {
		// With so little room to grow, the smallest heap that is seen is hardly more than what is reachable.
		m := b.manager("GOGC=10")
		b.wait("the cache has every CloudImage", func(context.Context) bool {
			return b.scrape(m.Metrics).sum("imagecatalog_cloudimages") >= float64(n)
		})
		r.add("KB of heap for each CloudImage", (b.smallestHeap(m)-empty)/float64(n)/1e3)
		seen := b.scrape(m.Metrics)
		r.add("RSS MB with GOGC=10", seen.sum("process_resident_memory_bytes")/1e6)
		r.add("goroutines", seen.sum("go_goroutines"))
		m.Stop()
	}
	return r
}

// multiply adds copies of images under other ids until there are n.
func (b *bench) multiply(images []*imagev1alpha1.CloudImage, n int) {
	var more []*imagev1alpha1.CloudImage
	for i := len(images); i < n; i++ {
		o := images[i%len(images)].DeepCopy()
		o.Image.ID = fmt.Sprintf("img-%08d", i)
		o.Name = region + "-" + o.Image.ID
		o.Labels[imagev1alpha1.LabelImageID] = o.Image.ID
		more = append(more, o)
	}
	floor(b, more, b.post)
}

// smallestHeap is the least that a process has on its heap over many looks. Looking allocates, so that the collector runs.
func (b *bench) smallestHeap(m *cluster.Manager) float64 {
	least := math.Inf(1)
	for range 100 {
		least = min(least, b.scrape(m.Metrics).sum("go_memstats_heap_alloc_bytes"))
	}
	return least
}

// idleMemory is a manager without queries and images beside a bare one.
func (b *bench) idleMemory(r *result) *result {
	bare := b.build("./bench/bare")
	for range b.rounds {
		address := b.FreeAddress()
		p := b.StartProcess(bare, "--kubeconfig="+b.OperatorKubeconfig, "--metrics="+address)
		b.wait("the bare manager works", func(context.Context) bool {
			return b.scrape(address).sum("controller_runtime_max_concurrent_reconciles") > 0
		})
		rival := b.scrape(address)
		m := b.manager()
		ours := b.scrape(m.Metrics)
		r.add("RSS/a bare manager", ours.sum("process_resident_memory_bytes")/rival.sum("process_resident_memory_bytes"))
		r.add("RSS MB ours", ours.sum("process_resident_memory_bytes")/1e6)
		r.add("RSS MB a bare manager", rival.sum("process_resident_memory_bytes")/1e6)
		r.add("goroutines", ours.sum("go_goroutines"))
		m.Stop()
		p.Stop()
	}
	return r
}
