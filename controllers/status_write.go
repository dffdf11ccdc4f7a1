// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	imagev1alpha1ac "github.com/image-catalog/image-catalog-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
)

// fieldOwner names the operator in managedFields.
const fieldOwner = "image-catalog-operator"

// errMoved says that the query is not the one that was read: it was deleted, or its spec changed. What was found out
// for it answers nothing any more.
var errMoved = errors.New("the query changed meanwhile")

// statusWriter writes the status of ImageQueries. Nothing else of an ImageQuery is ever written.
type statusWriter struct {
	client  client.Client
	live    client.Reader
	metrics *Metrics
}

// write brings the status of a query to what next says, in one write, and in none if it is there already. The write
// carries the resourceVersion that was read; after a conflict the query is read again and next asked anew. The query
// is afterwards as the API server has it.
func (w statusWriter) write(ctx context.Context, query *imagev1alpha1.ImageQuery, next func(*imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQueryStatus) error {
	for range writeTries {
		status := next(query)
		if equality.Semantic.DeepEqual(*status, query.Status) {
			return nil
		}
		desired, err := applyConfiguration(query, status)
		if err != nil {
			return err
		}
		err = w.client.Status().Apply(ctx, desired, client.FieldOwner(fieldOwner), client.ForceOwnership)
		w.metrics.status.WithLabelValues(writeResult(err)).Inc()
		if err == nil {
			query.Status, query.ResourceVersion = *status, ptr.Deref(desired.ResourceVersion, query.ResourceVersion)
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			return fmt.Errorf("writing the status: %w", err)
		}
		now, err := reread(ctx, w.live, query)
		if err != nil {
			return err
		}
		now.DeepCopyInto(query)
	}
	return fmt.Errorf("writing the status: the query changed %d times meanwhile", writeTries)
}

// reread returns the query as the API server has it now, or errMoved.
func reread(ctx context.Context, live client.Reader, query *imagev1alpha1.ImageQuery) (*imagev1alpha1.ImageQuery, error) {
	now := &imagev1alpha1.ImageQuery{}
	err := live.Get(ctx, types.NamespacedName{Name: query.Name}, now)
	if apierrors.IsNotFound(err) {
		return nil, errMoved
	}
	if err != nil {
		return nil, fmt.Errorf("reading the query again: %w", err)
	}
	if now.UID != query.UID || now.Generation != query.Generation || now.DeletionTimestamp != nil {
		return nil, errMoved
	}
	return now, nil
}

// applyConfiguration is a whole status for server-side apply: what is left out is given up.
func applyConfiguration(query *imagev1alpha1.ImageQuery, status *imagev1alpha1.ImageQueryStatus) (*imagev1alpha1ac.ImageQueryApplyConfiguration, error) {
	raw, err := json.Marshal(status)
	if err != nil {
		return nil, fmt.Errorf("encoding the status: %w", err)
	}
	desired := &imagev1alpha1ac.ImageQueryStatusApplyConfiguration{}
	if err := json.Unmarshal(raw, desired); err != nil {
		return nil, fmt.Errorf("encoding the status: %w", err)
	}
	return imagev1alpha1ac.ImageQuery(query.Name).WithUID(query.UID).WithResourceVersion(query.ResourceVersion).WithStatus(desired), nil
}
