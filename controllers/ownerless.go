// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
)

// ownerlessGrace is how long a CloudImage without an ImageQuery among its owners stays.
const ownerlessGrace = 24 * time.Hour

// sweepOwnerless registers the controller of CloudImages without an ImageQuery among their owners, as kubectl delete
// --cascade=orphan and restored backups leave them. No poll ever comes by them.
func (r *Reconciler) sweepOwnerless(mgr ctrl.Manager) error {
	concerns := predicate.NewPredicateFuncs(func(o client.Object) bool {
		image, ok := o.(*entry)
		return ok && ownerless(image.CloudImage) && r.Shard.covers(image.Image.Region)
	})
	err := ctrl.NewControllerManagedBy(mgr).
		Named("cloudimage").
		For(&imagev1alpha1.CloudImage{}, builder.WithPredicates(concerns, predicate.Funcs{DeleteFunc: func(event.DeleteEvent) bool { return false }})).
		Complete(reconcile.Func(r.sweep))
	if err != nil {
		return fmt.Errorf("preparing to sweep CloudImages without owners: %w", err)
	}
	return nil
}

// sweep marks one CloudImage that nobody owns, and deletes it a day later. What it does rests on a live read.
func (r *Reconciler) sweep(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	a, now := r.applier(), r.Clock.Now()
	current, err := a.read(ctx, request.Name)
	if errors.Is(err, errTerminating) || err == nil && (current == nil || !ownerless(current.CloudImage)) {
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading a CloudImage without owners: %w", err)
	}
	desired := unowned(current.CloudImage, now)
	if err := a.write(ctx, current, desired); stale(err) {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	} else if apierrors.IsInvalid(err) {
		ctrl.LoggerFrom(ctx).Error(err, "The API server calls a CloudImage without owners invalid; it is tried again much later")
		return ctrl.Result{RequeueAfter: maxRetry}, nil
	} else if err != nil {
		return ctrl.Result{}, fmt.Errorf("writing a CloudImage without owners: %w", err)
	}
	if desired == nil {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: desired.Lifecycle.DeleteAfter.Sub(now)}, nil
}

// unowned is what becomes of a CloudImage that no query owns: no query's label or leaving is left, and a day later the object
// isn't either (nil). Whether it is in the cloud stays said.
func unowned(current *imagev1alpha1.CloudImage, now time.Time) *imagev1alpha1.CloudImage {
	l := current.Lifecycle
	marked := len(l.Leaving) == 0 && l.Presence != imagev1alpha1.PresencePresent && l.DeleteAfter != nil
	if marked && !l.DeleteAfter.After(now) {
		return nil
	}
	desired := *current
	desired.Labels = withoutKeys(desired.Labels, func(key string) bool { return strings.HasPrefix(key, imagev1alpha1.LabelQueryPrefix) })
	latest := metav1.NewTime(now.Add(ownerlessGrace).Truncate(time.Second))
	if !marked || l.DeleteAfter.After(latest.Time) {
		desired.Lifecycle.DeleteAfter = &latest
	}
	desired.Lifecycle.Leaving = nil
	if l.Presence != imagev1alpha1.PresenceGone && l.Presence != imagev1alpha1.PresenceNotMatched {
		desired.Lifecycle.Presence = imagev1alpha1.PresenceNotMatched
		desired.Lifecycle.LastChangeTime = metav1.NewTime(now.Truncate(time.Second))
	}
	return &desired
}
