// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// firstSync is a new query of n images, from its creation until its status says that it is synced, beside the floor: a loop of POSTs
// of the same objects. Ours includes what the floor has no part in: asking the cloud, two writes of the status, and a watch of all
// that is written.
// Each side has a control plane of its own, since what a former side leaves in etcd and in the API server's memory costs the next
// one up to a third more.
func firstSync(b *bench, n int) *result {
	r := &result{N: n}
	b.fill(n)
	images := b.recorded()
	for round := range b.rounds {
		var ours, rival usage
		sides := []func(){
			func() {
				b.apart(func(b *bench) {
					b.fill(n)
					ours = b.syncOnce()
				})
			},
			func() {
				b.apart(func(b *bench) {
					rival = b.during(b.servers().with("client", os.Getpid()), func() { floor(b, images, b.post) })
				})
			},
		}
		for i := range sides {
			sides[(i+round)%len(sides)]()
		}
		r.pair(ours, rival, "floor")
	}
	return r
}

// syncOnce measures the first sync of a query by a manager that was just started.
func (b *bench) syncOnce() usage {
	m := b.manager(unlimited...)
	defer m.Stop()
	return b.during(b.servers().with("client", m.Pid()), func() { b.create(query("all")) })
}

// recorded are the objects that the manager makes of what the cloud lists.
func (b *bench) recorded() []*imagev1alpha1.CloudImage {
	b.syncOnce()
	images := b.images()
	b.wipe()
	return images
}

// kubectlApply is a first sync and an unchanged poll, beside what people do today.
func kubectlApply(b *bench, n int) *result {
	r := &result{N: n}
	b.fill(n)
	ready := byImageID(b.recorded())
	for round := range b.rounds {
		var ours, rival [2]usage
		sides := []func(){
			func() {
				m := b.manager(unlimited...)
				defer m.Stop()
				processes := b.servers().with("client", m.Pid())
				ours[0] = b.during(processes, func() { b.create(query("all")) })
				ours[1] = b.during(processes, func() { b.request("all", fmt.Sprint(round)) })
			},
			func() {
				// Nobody tells of kubectl's own CPU time once it has ended: what is compared is the servers'.
				for i := range rival {
					rival[i] = b.during(b.servers(), func() { b.apply(ready) })
				}
			},
		}
		for i := range sides {
			sides[(i+round)%len(sides)]()
			b.wipe()
		}
		r.pair(ours[0], rival[0], "kubectl")
		r.pair(ours[1], rival[1], "kubectl again")
	}
	return r
}

// request asks for a poll, and returns once it has ended.
func (b *bench) request(name, token string) {
	b.until(func() {
		q := &imagev1alpha1.ImageQuery{}
		q.Name = name
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, imagev1alpha1.AnnotationRequestedAt, token)
		if err := b.admin.Patch(b.Context(), q, rawMerge(patch)); err != nil {
			b.Fatalf("asking for a poll: %v", err)
		}
	}, func(now *imagev1alpha1.ImageQuery) bool {
		return now.Name == name && now.Status.LastHandledReconcileAt == token
	})
}
