// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package writer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
)

// maxConcurrentWrites bounds the concurrent writes of one query. From four on the API server is the bottleneck, and beyond
// eight only latency grows (measured against kube-apiserver on two cores).
const maxConcurrentWrites = 8

// conflictBackoff is the back-off after a conflict with another writer: some seconds in all. Jitter keeps two writers from
// colliding again.
var conflictBackoff = wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Jitter: 1, Steps: 10}

// Writer executes plans. Nothing else writes CloudImages.
type Writer struct {
	Images    Requests
	APIReader client.Reader

	// Cached returns an object from the cache, or nil.
	Cached func(name string) *cloudimage.Entry

	// Tracker, if set, is notified of successful writes.
	Tracker Tracker

	// Peers adds the queries that an object names to those that a claim knows.
	Peers func(context.Context, map[string]*imagev1alpha1.ImageQuery, *imagev1alpha1.CloudImage) (map[string]*imagev1alpha1.ImageQuery, error)
}

// Refusals counts the writes that the API server rejected. A rejected object doesn't block the others.
type Refusals struct {
	Count int
	// First is the first rejected object by name, and the reason. The same refusals give the same text.
	First string

	// Invalid counts the objects that the API server or an admission policy rejected as invalid. Retries don't help.
	Invalid int
}

// Apply executes every step and reports which were rejected. It returns an error only if ctx ends.
func (a Writer) Apply(ctx context.Context, c cloudimage.Claim, steps []cloudimage.Step) (Refusals, error) {
	requests, failures := make([]request, len(steps)), make([]error, len(steps))
	for i := range steps {
		requests[i] = request{claim: c, step: &steps[i], tracker: a.Tracker}
		a.Images.queues.join(&requests[i])
	}
	group := errgroup.Group{}
	group.SetLimit(maxConcurrentWrites)
	for i := range steps {
		group.Go(func() error {
			defer a.Images.queues.leave(&requests[i])
			if ctx.Err() == nil {
				failures[i] = a.execute(ctx, &requests[i])
			}
			return nil
		})
	}
	_ = group.Wait() // steps record their errors in failures
	if err := ctx.Err(); err != nil {
		return Refusals{}, fmt.Errorf("writing CloudImages: %w", err)
	}
	var r Refusals
	for i, err := range failures {
		if err == nil {
			continue
		}
		if r.Count == 0 {
			r.First = fmt.Sprintf("%s: %s", steps[i].Name, refusalReason(err))
		}
		if apierrors.IsInvalid(err) {
			r.Invalid++
		}
		r.Count++
	}
	return r, nil
}

var (
	ErrTerminating = errors.New("the object is being deleted")

	// errPartial means that the cached object lacks metadata of other clients, which a write would remove.
	errPartial = errors.New("the object is not known as a whole")

	// errRemembered means that the object is as desired only as far as this process remembers. It may be gone by now, which
	// no write would show.
	errRemembered = errors.New("the object is not known to be there")
)

// refusalReason returns the API server's reason for a rejection. The message isn't used, since it may contain times or
// other objects, which would change.
func refusalReason(err error) string {
	if errors.Is(err, ErrTerminating) {
		return "Terminating"
	}
	if reason := apierrors.ReasonForError(err); reason != "" {
		return string(reason)
	}
	return "Unreachable"
}

// execute executes a request, and together with it those of other queries that wait for the same object.
func (a Writer) execute(ctx context.Context, own *request) error {
	return a.Images.queues.execute(own, func(batch []*request) int {
		executed, err := a.apply(ctx, batch)
		if err != nil && executed > 1 {
			executed, err = a.apply(ctx, batch[:1]) // another one may be the reason
		}
		for _, r := range batch[:executed] {
			r.done, r.err = true, err
		}
		return executed
	})
}

// apply executes the first of some requests for the same object in one write, and returns how many. Each write carries the
// resourceVersion that was read, so an outdated cache leads to a conflict and a new read, and no change is lost. Giving up
// is an error.
func (a Writer) apply(ctx context.Context, batch []*request) (executed int, err error) {
	name, executed := batch[0].step.Name, 1
	cached := a.cached(name)
	current := a.Images.queues.newest(name, cached)
	remembered := current != cached
	var conflict error
	err = wait.ExponentialBackoffWithContext(ctx, conflictBackoff, func(ctx context.Context) (bool, error) {
		if conflict != nil {
			a.Images.queues.latest.Remove(name)
			if current, err = a.Read(ctx, name); err != nil {
				return false, err
			}
			remembered = false
		}
		var desired *imagev1alpha1.CloudImage
		if desired, executed, err = a.desire(ctx, batch, current); err != nil {
			return false, err
		}
		if remembered && current.IsAt(desired) {
			conflict = errRemembered
			return false, nil
		}
		var stored *imagev1alpha1.CloudImage
		stored, conflict = a.Write(ctx, current, desired)
		if kindMissing := current == nil && apierrors.IsNotFound(conflict); IsStale(conflict) && !kindMissing {
			return false, nil
		}
		if conflict == nil && !current.IsAt(desired) {
			a.written(current, stored, batch[:executed])
		}
		return true, conflict
	})
	if wait.Interrupted(err) && conflict != nil {
		return executed, conflict
	}
	return executed, err
}

// cached returns an object as the cache has it. A terminating object counts as absent.
func (a Writer) cached(name string) *cloudimage.Entry {
	current := a.Cached(name)
	if current != nil && current.DeletionTimestamp != nil {
		return nil
	}
	return current
}

// desire applies the claims of requests to an object, one after the other, and returns how many were applied. It ends with a
// claim that deletes the object.
func (a Writer) desire(ctx context.Context, batch []*request, current *cloudimage.Entry) (*imagev1alpha1.CloudImage, int, error) {
	desired := current.Object()
	for i, r := range batch {
		before, claim := desired, r.claim
		if before != r.step.Current.Object() {
			var err error
			if claim.Peers, err = a.Peers(ctx, claim.Peers, before); err != nil {
				return desired, max(i, 1), err
			}
		}
		desired = r.step.Desire(claim, before)
		r.step.Result = desired
		if desired == nil && before != nil {
			return nil, i + 1, nil
		}
	}
	return desired, len(batch), nil
}

// written records a write, for the next one and for the queries that asked for it. stored is nil if current was deleted.
func (a Writer) written(current *cloudimage.Entry, stored *imagev1alpha1.CloudImage, executed []*request) {
	name := executed[0].step.Name
	if stored == nil {
		a.Images.queues.latest.Remove(name)
	} else {
		a.Images.queues.latest.Add(name, &cloudimage.Entry{CloudImage: stored, DerivedIntact: true})
		if reported := a.Cached(name); reported != nil { // the watch may be faster than the answer
			a.Images.Seen(reported)
		}
	}
	for _, r := range executed {
		switch {
		case r.tracker == nil:
		case stored == nil:
			r.tracker.Deleted(current.CloudImage)
		default:
			r.tracker.Stored(stored.ResourceVersion)
		}
	}
}

// IsStale reports whether a write failed because the object changed since it was read.
func IsStale(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || errors.Is(err, errPartial)
}

func (a Writer) Read(ctx context.Context, name string) (*cloudimage.Entry, error) {
	image := &imagev1alpha1.CloudImage{}
	err := a.APIReader.Get(ctx, types.NamespacedName{Name: name}, image)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // nil means not found
	}
	if err == nil && image.DeletionTimestamp != nil {
		err = ErrTerminating
	}
	return cloudimage.NewEntry(image), err
}

// Write creates, replaces or deletes an object, and returns it as stored; nil if it was deleted. Nothing happens if it is as
// desired.
func (a Writer) Write(ctx context.Context, current *cloudimage.Entry, desired *imagev1alpha1.CloudImage) (*imagev1alpha1.CloudImage, error) {
	switch {
	case current.IsAt(desired):
		return desired, nil
	case current != nil && current.Partial:
		return nil, errPartial
	case current == nil:
		return a.Images.create(ctx, desired)
	case desired == nil:
		return nil, a.Images.delete(ctx, current.CloudImage)
	}
	return a.Images.update(ctx, desired)
}
