// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package writer

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/lru"

	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
)

// maxLatest bounds the objects that are remembered as written last. The watch reports most of them within milliseconds.
const maxLatest = 4096

// queues has the requests for each object. The queries of one process take turns at an object, since otherwise all but one of
// them would conflict. Each turn executes all requests that wait for the object, in one write: queries of the same images
// are often polled together.
type queues struct {
	mu     sync.Mutex
	byName map[string]*queue

	// latest has the objects as this process wrote them last, until the watch reports them.
	latest *lru.Cache
}

// queue is the queue of one object.
type queue struct {
	// turn is held while requests are executed.
	turn sync.Mutex

	// waiting are the requests to execute, users are all that haven't left. Both are guarded by the mutex of queues.
	waiting []*request
	users   int
}

// request asks to apply one step of one query.
type request struct {
	claim   cloudimage.Claim
	step    *cloudimage.Step
	tracker Tracker
	queue   *queue

	// done and err are guarded by the queue's turn.
	done bool
	err  error
}

func newQueues() *queues {
	return &queues{byName: map[string]*queue{}, latest: lru.New(maxLatest)}
}

// join adds a request to the queue of its object.
func (q *queues) join(r *request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r.queue = q.byName[r.step.Name]
	if r.queue == nil {
		r.queue = &queue{}
		q.byName[r.step.Name] = r.queue
	}
	r.queue.users++
	r.queue.waiting = append(r.queue.waiting, r)
}

// execute waits for the turn of a request. Unless it was executed in the turn of another one, it calls apply with the waiting
// requests, r first. apply returns how many of them it executed; the others go on waiting.
func (q *queues) execute(r *request, apply func([]*request) (executed int)) error {
	r.queue.turn.Lock()
	defer r.queue.turn.Unlock()
	if r.done {
		return r.err
	}
	batch := q.take(r)
	executed := apply(batch)
	q.mu.Lock()
	defer q.mu.Unlock()
	r.queue.waiting = append(batch[executed:], r.queue.waiting...)
	return r.err
}

// take removes the requests from the queue of first, and returns them with first at the beginning.
func (q *queues) take(first *request) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := []*request{first}
	for _, r := range first.queue.waiting {
		if r != first {
			batch = append(batch, r)
		}
	}
	first.queue.waiting = nil
	return batch
}

// leave removes a request from its queue, executed or not.
func (q *queues) leave(r *request) {
	r.queue.turn.Lock() // another turn may be executing it
	defer r.queue.turn.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if !r.done {
		r.queue.waiting = slices.DeleteFunc(r.queue.waiting, func(other *request) bool { return other == r })
	}
	if r.queue.users--; r.queue.users == 0 {
		delete(q.byName, r.step.Name)
	}
}

// newest returns the newer of an object as the cache has it and as this process wrote it last.
func (q *queues) newest(name string, cached *cloudimage.Entry) *cloudimage.Entry {
	latest, ok := q.latest.Get(name)
	if !ok || cached != nil && !isNewer(latest.(*cloudimage.Entry).ResourceVersion, cached.ResourceVersion) {
		return cached
	}
	return latest.(*cloudimage.Entry)
}

func isNewer(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order > 0
}
