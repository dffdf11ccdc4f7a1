// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/lru"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

const (
	// writesAtOnce bounds the writes of one query that are under way together. From four on the API server is the
	// limit, and beyond eight only latency grows (measured against kube-apiserver on two cores).
	writesAtOnce = 8

	// writeTries bounds how often a status is read again after a conflict. Others write it once per poll.
	writeTries = 5

	// maxDeleted bounds the memory of own deletions that the watch hasn't told of: more than one query may have objects.
	maxDeleted = 32768
)

// conflictBackoff is how an object that others write as well is tried again: some seconds in all, and with jitter, since
// those who have met once would meet again.
var conflictBackoff = wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Jitter: 1, Steps: 10}

// applier carries plans out. It is the only writer of CloudImages.
type applier struct {
	images imageWriter
	live   client.Reader

	// peers completes the queries that a claim knows by those that an object names.
	peers func(context.Context, map[string]*imagev1alpha1.ImageQuery, *entry) (map[string]*imagev1alpha1.ImageQuery, error)
}

// refusals counts the writes that the API server did not take. One refused object holds back no other.
type refusals struct {
	count int
	// first names the first of them, in the order of names, and why: the same refusals give the same words.
	first string

	// invalid counts those of objects that the API server, or an admission policy, calls invalid: they stay so.
	invalid int
}

// run tries every step and reports which were refused; the error is the context's, when it ends in between.
func (a applier) run(ctx context.Context, c claim, steps []step) (refusals, error) {
	failures := make([]error, len(steps))
	group := errgroup.Group{}
	group.SetLimit(writesAtOnce)
	for i := range steps {
		group.Go(func() error {
			if ctx.Err() == nil {
				failures[i] = a.one(ctx, c, &steps[i])
			}
			return nil
		})
	}
	_ = group.Wait() // no step returns an error to it
	if err := ctx.Err(); err != nil {
		return refusals{}, fmt.Errorf("writing CloudImages: %w", err)
	}
	var r refusals
	for i, err := range failures {
		if err == nil {
			continue
		}
		if r.count == 0 {
			r.first = fmt.Sprintf("%s: %s", steps[i].name, refusalReason(err))
		}
		if apierrors.IsInvalid(err) {
			r.invalid++
		}
		r.count++
	}
	return r, nil
}

var (
	errTerminating = errors.New("the object is being deleted")

	// errPartial says that the cache has an object without the metadata that others gave it, which a write would take off.
	errPartial = errors.New("the object is not known as a whole")
)

// refusalReason is the API server's word for a refusal; its message may name times or other objects.
func refusalReason(err error) string {
	if errors.Is(err, errTerminating) {
		return "Terminating"
	}
	if reason := apierrors.ReasonForError(err); reason != "" {
		return string(reason)
	}
	return "Unreachable"
}

// one brings one object to its desired state. What is written carries the resourceVersion that was read, so a cache
// that lags behind leads to a conflict and a fresh look, never to a lost change. A write that is given up is an error.
func (a applier) one(ctx context.Context, c claim, s *step) error {
	current := s.current
	var conflict error
	err := wait.ExponentialBackoffWithContext(ctx, conflictBackoff, func(ctx context.Context) (bool, error) {
		if conflict != nil {
			var err error
			if current, err = a.read(ctx, s.name); err != nil {
				return false, err
			}
			if c.peers, err = a.peers(ctx, c.peers, current); err != nil {
				return false, err
			}
		}
		s.result = s.desire(c, current.object())
		conflict = a.write(ctx, current, s.result)
		if kindMissing := current == nil && apierrors.IsNotFound(conflict); stale(conflict) && !kindMissing {
			return false, nil
		}
		return true, conflict
	})
	if wait.Interrupted(err) && conflict != nil {
		return conflict
	}
	return err
}

// stale says that the object is not what it was taken for.
func stale(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || errors.Is(err, errPartial)
}

func (a applier) read(ctx context.Context, name string) (*entry, error) {
	image := &imagev1alpha1.CloudImage{}
	err := a.live.Get(ctx, types.NamespacedName{Name: name}, image)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	if err == nil && image.DeletionTimestamp != nil {
		err = errTerminating
	}
	return newEntry(image), err
}

func (a applier) write(ctx context.Context, current *entry, desired *imagev1alpha1.CloudImage) error {
	switch {
	case current.isAt(desired):
		return nil
	case current != nil && current.partial:
		return errPartial
	case current == nil:
		return a.images.create(ctx, desired)
	case desired == nil:
		return a.images.delete(ctx, current.CloudImage)
	}
	return a.images.update(ctx, desired)
}

// tracker is told of writes that were done: of the API server's answer, and of deleted objects.
type tracker interface {
	Stored(answer []byte)
	Deleted(image *imagev1alpha1.CloudImage)
}

// imageWriter writes CloudImages and counts the writes. A client.Client would decode each answer, of which nobody reads more
// than the resourceVersion: a sixth of all that a first sync cost the operator.
type imageWriter struct {
	api rest.Interface

	// count is told of each write and its result.
	count func(operation string, err error)

	// deleted are the UIDs of objects that this process deletes, until the watch tells of it.
	deleted *lru.Cache

	// written takes note of what was done, where that isn't nil.
	written tracker
}

func newImageWriter(mgr ctrl.Manager, count func(operation string, err error)) (imageWriter, error) {
	kind := imagev1alpha1.GroupVersion.WithKind("CloudImage")
	api, err := apiutil.RESTClientForGVK(kind, false, false, mgr.GetConfig(), serializer.NewCodecFactory(mgr.GetScheme()), mgr.GetHTTPClient())
	if err != nil {
		return imageWriter{}, fmt.Errorf("preparing to write CloudImages: %w", err)
	}
	return imageWriter{api: api, count: count, deleted: lru.New(maxDeleted)}, nil
}

func (w imageWriter) create(ctx context.Context, image *imagev1alpha1.CloudImage) error {
	return w.put(ctx, "create", w.api.Post().Body(withDerived(image)))
}

func (w imageWriter) update(ctx context.Context, image *imagev1alpha1.CloudImage) error {
	return w.put(ctx, "update", w.api.Put().Name(image.Name).Body(withDerived(image)))
}

// delete deletes the object only as it was read.
func (w imageWriter) delete(ctx context.Context, image *imagev1alpha1.CloudImage) error {
	asRead := &metav1.Preconditions{UID: &image.UID, ResourceVersion: &image.ResourceVersion}
	w.deleted.Add(image.UID, nil)
	_, err := w.send(ctx, "delete", w.api.Delete().Name(image.Name).Body(&metav1.DeleteOptions{Preconditions: asRead}))
	switch {
	case err != nil:
		w.deleted.Remove(image.UID)
	case w.written != nil:
		w.written.Deleted(image)
	}
	return err
}

func (w imageWriter) put(ctx context.Context, operation string, request *rest.Request) error {
	answer, err := w.send(ctx, operation, request)
	if err == nil && w.written != nil {
		w.written.Stored(answer)
	}
	return err
}

// send returns the API server's answer as it came.
func (w imageWriter) send(ctx context.Context, operation string, request *rest.Request) ([]byte, error) {
	result := request.Resource("cloudimages").Do(ctx)
	err := result.Error() // Raw's error doesn't say why
	w.count(operation, err)
	answer, _ := result.Raw()
	return answer, err
}
