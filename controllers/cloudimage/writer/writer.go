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

// writesAtOnce bounds the writes of one query that are under way together. From four on the API server is the
// limit, and beyond eight only latency grows (measured against kube-apiserver on two cores).
const writesAtOnce = 8

// conflictBackoff is how an object that others write as well is tried again: some seconds in all, and with jitter, since
// those who have met once would meet again.
var conflictBackoff = wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Jitter: 1, Steps: 10}

// Writer carries plans out. It is the only writer of CloudImages.
type Writer struct {
	Images    Requests
	APIReader client.Reader

	// Peers completes the queries that a claim knows by those that an object names.
	Peers func(context.Context, map[string]*imagev1alpha1.ImageQuery, *cloudimage.Entry) (map[string]*imagev1alpha1.ImageQuery, error)
}

// Refusals counts the writes that the API server did not take. One refused object holds back no other.
type Refusals struct {
	Count int
	// First names the first of them, in the order of names, and why: the same refusals give the same words.
	First string

	// Invalid counts those of objects that the API server, or an admission policy, calls invalid: they stay so.
	Invalid int
}

// Apply tries every step and reports which were refused; the error is the context's, when it ends in between.
func (a Writer) Apply(ctx context.Context, c cloudimage.Claim, steps []cloudimage.Step) (Refusals, error) {
	failures := make([]error, len(steps))
	group := errgroup.Group{}
	group.SetLimit(writesAtOnce)
	for i := range steps {
		group.Go(func() error {
			if ctx.Err() == nil {
				failures[i] = a.applyOne(ctx, c, &steps[i])
			}
			return nil
		})
	}
	_ = group.Wait() // no step returns an error to it
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

	// errPartial says that the cache has an object without the metadata that others gave it, which a write would take off.
	errPartial = errors.New("the object is not known as a whole")
)

// refusalReason is the API server's reason for a refusal. Its message may name times or other objects, which would change.
func refusalReason(err error) string {
	if errors.Is(err, ErrTerminating) {
		return "Terminating"
	}
	if reason := apierrors.ReasonForError(err); reason != "" {
		return string(reason)
	}
	return "Unreachable"
}

// applyOne brings one object to its desired state. What is written carries the resourceVersion that was read, so a cache
// that lags behind leads to a conflict and a fresh look, never to a lost change. A write that is given up is an error.
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

// IsStale says that the object is not what it was taken for.
func IsStale(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || errors.Is(err, errPartial)
}

func (a Writer) Read(ctx context.Context, name string) (*cloudimage.Entry, error) {
	image := &imagev1alpha1.CloudImage{}
	err := a.APIReader.Get(ctx, types.NamespacedName{Name: name}, image)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an answer here
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
