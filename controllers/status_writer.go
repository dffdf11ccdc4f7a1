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

// writeTries bounds how often a status is read again after a conflict. Others write it once per poll.
const writeTries = 5

// fieldOwner names the operator in managedFields.
const fieldOwner = "image-catalog-operator"

// errSuperseded says that the query is not the one that was read: it was deleted, or its spec changed. What was found out
// for it answers nothing any more.
var errSuperseded = errors.New("the query changed meanwhile")

// statusWriter writes the status of ImageQueries. Nothing else of an ImageQuery is ever written.
type statusWriter struct {
	client  client.Client
	live    client.Reader
	own     *ownStatuses
	metrics *Metrics
}

// write brings the status of a query to what next says, in one write, and in none if it is there already. After a conflict
// the query is read again and next asked anew. The query is afterwards as the API server has it, but where that called the
// status invalid: such a status is dropped, since it would be refused again.
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

// put replaces the whole status, so that nothing stays of what others wrote there. It carries the resourceVersion that
// was read.
func (w statusWriter) put(ctx context.Context, query *imagev1alpha1.ImageQuery, status *imagev1alpha1.ImageQueryStatus) error {
	desired := &imagev1alpha1.ImageQuery{ObjectMeta: *query.ObjectMeta.DeepCopy(), Spec: *query.Spec.DeepCopy(), Status: *status.DeepCopy()}
	w.own.sending(query, status)
	err := w.client.Status().Update(ctx, desired, client.FieldOwner(fieldOwner))
	w.own.answered(query, desired, err)
	w.metrics.status.WithLabelValues(writeResult(err)).Inc()
	if err == nil {
		query.Status, query.ResourceVersion = *desired.Status.DeepCopy(), desired.ResourceVersion
	}
	return err
}

// dropped says whether the API server called a status invalid, and tells of it: that is a fault of this program, which no
// retry mends.
func (w statusWriter) dropped(ctx context.Context, err error) bool {
	if !isInvalid(err) {
		return false
	}
	w.metrics.invalid.Inc()
	ctrl.LoggerFrom(ctx).Error(errors.New(shorten(err.Error())), "The API server called a status invalid. This is a fault of the operator: please report it. "+
		"The query's status stays as it was, and the next poll tries again")
	return true
}

// etcdTooLarge is in what the API server answers where etcd doesn't take an object, with code 500.
const etcdTooLarge = "request is too large"

// isInvalid says whether a write was refused by the schema or because of its size. An admission policy's refusal has the
// same code, but names no field; it may be another one the next time.
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

// reread returns the query as the API server has it now, or errMoved.
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
