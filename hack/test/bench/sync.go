// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// firstSync is a new query of n images, from its creation until its status says that it is synced, beside two floors: a loop of POSTs
// of the same objects, and the same loop in a client that also watches them, as whoever acts on what is stored must. Ours includes
// what neither has a part in: asking the cloud, planning, and two writes of the status.
// Each side has a control plane of its own, since what a former side leaves in etcd and in the API server's memory costs the next
// one up to a third more.
func firstSync(b *bench, n int) *result {
	r := &result{N: n}
	b.fill(n)
	images := b.recorded()
	for round := range b.rounds {
		var ours, loop, watched usage
		sides := []func(){
			func() {
				b.apart(func(b *bench) {
					b.fill(n)
					ours = b.syncOnce()
				})
			},
			func() { b.apart(func(b *bench) { loop = b.inClient(func() { floor(b, images, b.post) }) }) },
			func() { b.apart(func(b *bench) { watched = b.watchedFloor(images) }) },
		}
		for i := range sides {
			sides[(i+round)%len(sides)]()
		}
		r.pair(ours, loop, "floor")
		r.pair(ours, watched, "watched floor")
	}
	return r
}

// watchedFloor measures the floor until an informer, such as every controller has, has all objects.
func (b *bench) watchedFloor(images []*imagev1alpha1.CloudImage) usage {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	watching, err := cache.New(b.rest, cache.Options{Scheme: b.Client.Scheme(), DefaultTransform: cache.TransformStripManagedFields()})
	if err != nil {
		b.Fatalf("%v", err)
	}
	go func() { _ = watching.Start(ctx) }() // it ends without an error when told to
	informer, err := watching.GetInformer(ctx, &imagev1alpha1.CloudImage{})
	if err != nil {
		b.Fatalf("watching CloudImages: %v", err)
	}
	left, done := int64(len(images)), make(chan struct{})
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: func(any) {
		if atomic.AddInt64(&left, -1) == 0 {
			close(done)
		}
	}})
	if err != nil {
		b.Fatalf("watching CloudImages: %v", err)
	}
	return b.inClient(func() {
		floor(b, images, b.post)
		select {
		case <-done:
		case <-time.After(patience):
			b.Fatalf("the watch lacks %d objects", atomic.LoadInt64(&left))
		}
	})
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
				<-time.After(time.Second) // a requested poll begins no sooner after the one before
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
