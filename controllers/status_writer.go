// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// writeTries bounds the attempts to write a status that conflicts. Other writers write it once per poll.
const writeTries = 5

// fieldOwner names the operator in managedFields.
const fieldOwner = "image-catalog-operator"

// errSuperseded means that the query was deleted or its spec changed since it was read. Results for it are obsolete.
var errSuperseded = errors.New("the query changed meanwhile")

// statusWriter writes the status of ImageQueries. The operator writes nothing else of an ImageQuery.
type statusWriter struct {
	client  client.Client
	live    client.Reader
	own     *ownStatuses
	metrics *Metrics
}

func (r *Reconciler) statusWriter() statusWriter {
	return statusWriter{client: r.Client, live: r.APIReader, own: &r.statuses, metrics: r.Metrics}
}

// write sets the status of a query to what next returns, in one write, or in none if nothing changed. After a conflict it
// reads the query again and calls next again. Afterwards the query is as the API server has it. A status that the API
// server rejects as invalid is dropped, since it would be rejected again.
func (w statusWriter) write(ctx context.Context, query *imagev1alpha1.ImageQuery, next func(*imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQueryStatus) error {
	for range writeTries {
		status := next(query)
		if equality.Semantic.DeepEqual(*status, query.Status) {
			return nil
		}
		err := w.put(ctx, query, status)
		if err == nil || w.dropped(ctx, err) {
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			return fmt.Errorf("writing the status: %w", err)
		}
		now, err := reread(ctx, w.live, query)
		if err != nil {
			return err
		}
		if w.own.instead(now) != nil {
			return errForeignStatus
		}
		now.DeepCopyInto(query)
	}
	return fmt.Errorf("writing the status: the query changed %d times meanwhile", writeTries)
}

// put replaces the whole status, so that nothing written by others remains. It carries the resourceVersion that was read.
func (w statusWriter) put(ctx context.Context, query *imagev1alpha1.ImageQuery, status *imagev1alpha1.ImageQueryStatus) error {
	desired := &imagev1alpha1.ImageQuery{ObjectMeta: *query.ObjectMeta.DeepCopy(), Spec: *query.Spec.DeepCopy(), Status: *status.DeepCopy()}
	desired.ManagedFields = nil // not sent: the cache has only a part of them
	w.own.sending(query, status)
	err := w.client.Status().Update(ctx, desired, client.FieldOwner(fieldOwner))
	w.own.answered(query, desired, err)
	w.metrics.status.WithLabelValues(writeResult(err)).Inc()
	if err == nil {
		query.Status, query.ResourceVersion = *desired.Status.DeepCopy(), desired.ResourceVersion
	}
	return err
}

// dropped reports whether the API server rejected a status as invalid, and logs it. That is a bug in the operator, which
// retries don't fix.
func (w statusWriter) dropped(ctx context.Context, err error) bool {
	if !isInvalid(err) {
		return false
	}
	w.metrics.invalid.Inc()
	ctrl.LoggerFrom(ctx).Error(errors.New(shorten(err.Error())), "The API server rejected a status as invalid. This is a bug in the operator: please report it. "+
		"The query's status stays unchanged, and the next poll tries again")
	return true
}

// etcdTooLarge is part of the API server's message when etcd rejects an object because of its size, with code 500.
const etcdTooLarge = "request is too large"

// isInvalid reports whether the schema rejected a write, or its size did. A rejection by an admission policy has the same
// code but names no field, and may not repeat.
func isInvalid(err error) bool {
	if apierrors.IsRequestEntityTooLargeError(err) || apierrors.IsInternalError(err) && strings.Contains(err.Error(), etcdTooLarge) {
		return true
	}
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(cause metav1.StatusCause) bool { return cause.Field != "" })
}

// reread returns the current query from the API server, or errSuperseded.
func reread(ctx context.Context, live client.Reader, query *imagev1alpha1.ImageQuery) (*imagev1alpha1.ImageQuery, error) {
	now := &imagev1alpha1.ImageQuery{}
	err := live.Get(ctx, types.NamespacedName{Name: query.Name}, now)
	if apierrors.IsNotFound(err) {
		return nil, errSuperseded
	}
	if err != nil {
		return nil, fmt.Errorf("reading the query again: %w", err)
	}
	if now.UID != query.UID || now.Generation != query.Generation || now.DeletionTimestamp != nil {
		return nil, errSuperseded
	}
	return now, nil
}
