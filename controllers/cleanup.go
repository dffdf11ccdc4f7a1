// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/writer"
	"github.com/image-catalog/image-catalog-operator/controllers/polltime"
)

// forget cleans up after a deleted query. Objects that it owned alone are left to Kubernetes' garbage collector; its label
// is removed from shared ones.
func (r *Reconciler) forget(ctx context.Context, name string) (ctrl.Result, error) {
	r.states.forget(name)
	r.statuses.forget(name)
	r.Metrics.forget(name)
	existing, err := r.images.OfQuery(name)
	if err != nil || len(existing) == 0 {
		return ctrl.Result{}, err
	}
	peers, err := r.peersOf(ctx, existing)
	if err != nil {
		return ctrl.Result{}, err
	}
	c := cloudimage.NewClaim(&imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: name}}, r.Clock.Now(), peers)
	if !c.IsDeleted(name) {
		return ctrl.Result{}, nil
	}
	refused, err := r.writer().Apply(ctx, c, c.ForgetPlan(existing))
	if err != nil || refused.Count == 0 {
		return ctrl.Result{}, err
	}
	err = fmt.Errorf("taking the label of a deleted query off %d CloudImages (%s)", refused.Count, refused.First)
	if refused.Invalid == refused.Count {
		ctrl.LoggerFrom(ctx).Error(err, "The API server rejected CloudImages as invalid; retrying much later")
		return ctrl.Result{RequeueAfter: polltime.MaxRetry}, nil
	}
	return ctrl.Result{}, err
}

// forgetDeleted requeues queries that were deleted while no operator was running, or if their cleanup was interrupted.
// No event reports these.
func (r *Reconciler) forgetDeleted(ctx context.Context) error {
	for _, name := range r.images.Queries() {
		if err := r.Client.Get(ctx, client.ObjectKey{Name: name}, &imagev1alpha1.ImageQuery{}); !apierrors.IsNotFound(err) {
			continue
		}
		r.enqueue(ctx, name)
	}
	return nil
}

// sweepOwnerless registers the controller of CloudImages that no ImageQuery owns, as kubectl delete --cascade=orphan and
// restored backups leave them. Polls don't visit them.
func (r *Reconciler) sweepOwnerless(mgr ctrl.Manager) error {
	concerns := predicate.NewPredicateFuncs(func(o client.Object) bool {
		image, ok := o.(*cloudimage.Entry)
		return ok && cloudimage.Ownerless(image.CloudImage) && r.Shard.Covers(image.Image.Region)
	})
	noDelete := predicate.Funcs{DeleteFunc: func(event.DeleteEvent) bool { return false }}
	err := ctrl.NewControllerManagedBy(mgr).
		Named("cloudimage").
		For(&imagev1alpha1.CloudImage{}, builder.WithPredicates(concerns, noDelete)).
		Complete(reconcile.Func(r.sweep))
	if err != nil {
		return fmt.Errorf("preparing to sweep CloudImages without owners: %w", err)
	}
	return nil
}

// sweep marks a CloudImage without owners, and deletes it a day later. It reads the object from the API server first.
func (r *Reconciler) sweep(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	a, now := r.writer(), r.Clock.Now()
	current, err := a.Read(ctx, request.Name)
	if errors.Is(err, writer.ErrTerminating) || err == nil && (current == nil || !cloudimage.Ownerless(current.CloudImage)) {
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading a CloudImage without owners: %w", err)
	}
	desired := cloudimage.Unowned(current.CloudImage, now)
	if _, err := a.Write(ctx, current, desired); writer.IsStale(err) {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	} else if apierrors.IsInvalid(err) {
		ctrl.LoggerFrom(ctx).Error(err, "The API server rejected a CloudImage without owners as invalid; retrying much later")
		return ctrl.Result{RequeueAfter: polltime.MaxRetry}, nil
	} else if err != nil {
		return ctrl.Result{}, fmt.Errorf("writing a CloudImage without owners: %w", err)
	}
	if desired == nil {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: desired.Lifecycle.DeleteAfter.Sub(now)}, nil
}
