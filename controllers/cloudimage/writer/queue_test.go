// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package writer

import (
	"errors"
	"slices"
	"testing"

	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
)

var errRejected = errors.New("rejected")

// executing returns an apply that executes at most a number of requests with an error, and records its calls.
func executing(most int, err error, calls *[][]*request) func([]*request) int {
	return func(batch []*request) int {
		*calls = append(*calls, slices.Clone(batch))
		executed := min(most, len(batch))
		for _, r := range batch[:executed] {
			r.done, r.err = true, err
		}
		return executed
	}
}

func joined(q *queues, names ...string) []*request {
	out := make([]*request, len(names))
	for i, name := range names {
		out[i] = &request{step: &cloudimage.Step{Name: name}}
		q.join(out[i])
	}
	return out
}

func TestATurnExecutesAllThatWaitForTheObject(t *testing.T) {
	q := newQueues()
	r := joined(q, "a", "a", "b", "a")
	var calls [][]*request
	// The second one is first in its own turn.
	for _, i := range []int{1, 0, 3, 2} {
		if err := q.execute(r[i], executing(9, errRejected, &calls)); !errors.Is(err, errRejected) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if len(calls) != 2 || !slices.Equal(calls[0], []*request{r[1], r[0], r[3]}) || !slices.Equal(calls[1], []*request{r[2]}) {
		t.Errorf("applied %v of %v", calls, r)
	}
}

func TestWhatATurnLeavesIsExecutedInTheNext(t *testing.T) {
	q := newQueues()
	r := joined(q, "a", "a")
	var calls [][]*request
	for _, one := range r {
		if err := q.execute(one, executing(1, nil, &calls)); err != nil {
			t.Error(err)
		}
	}
	if len(calls) != 2 || !slices.Equal(calls[1], r[1:]) {
		t.Errorf("applied %v of %v", calls, r)
	}
}

func TestARequestThatLeftIsNotExecuted(t *testing.T) {
	q := newQueues()
	r := joined(q, "a", "a")
	q.leave(r[0])
	var calls [][]*request
	if err := q.execute(r[1], executing(9, nil, &calls)); err != nil || len(calls) != 1 || !slices.Equal(calls[0], r[1:]) {
		t.Errorf("applied %v of %v, %v", calls, r, err)
	}
	q.leave(r[1])
	if len(q.byName) > 0 {
		t.Errorf("%d queues are left", len(q.byName))
	}
}
