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

	// Peers adds the queries that an object names to those that a claim knows.
	Peers func(context.Context, map[string]*imagev1alpha1.ImageQuery, *cloudimage.Entry) (map[string]*imagev1alpha1.ImageQuery, error)
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
	failures := make([]error, len(steps))
	group := errgroup.Group{}
	group.SetLimit(maxConcurrentWrites)
	for i := range steps {
		group.Go(func() error {
			if ctx.Err() == nil {
				failures[i] = a.applyOne(ctx, c, &steps[i])
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

// applyOne brings one object to its desired state. Each write carries the resourceVersion that was read, so an outdated
// cache leads to a conflict and a new read, and no change is lost. Giving up is an error.
func (a Writer) applyOne(ctx context.Context, c cloudimage.Claim, s *cloudimage.Step) error {
	current := s.Current
	var conflict error
	err := wait.ExponentialBackoffWithContext(ctx, conflictBackoff, func(ctx context.Context) (bool, error) {
		if conflict != nil {
			var err error
			if current, err = a.Read(ctx, s.Name); err != nil {
				return false, err
			}
			if c.Peers, err = a.Peers(ctx, c.Peers, current); err != nil {
				return false, err
			}
		}
		s.Result = s.Desire(c, current.Object())
		conflict = a.Write(ctx, current, s.Result)
		if kindMissing := current == nil && apierrors.IsNotFound(conflict); IsStale(conflict) && !kindMissing {
			return false, nil
		}
		return true, conflict
	})
	if wait.Interrupted(err) && conflict != nil {
		return conflict
	}
	return err
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

func (a Writer) Write(ctx context.Context, current *cloudimage.Entry, desired *imagev1alpha1.CloudImage) error {
	switch {
	case current.IsAt(desired):
		return nil
	case current != nil && current.Partial:
		return errPartial
	case current == nil:
		return a.Images.create(ctx, desired)
	case desired == nil:
		return a.Images.delete(ctx, current.CloudImage)
	}
	return a.Images.update(ctx, desired)
}
