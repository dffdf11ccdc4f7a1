// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/cache"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/writer"
)

// +kubebuilder:rbac:groups=imagecatalog.dev,resources=imagequeries,verbs=get;list;watch
// +kubebuilder:rbac:groups=imagecatalog.dev,resources=imagequeries/status,verbs=update
// +kubebuilder:rbac:groups=imagecatalog.dev,resources=cloudimages,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups="",namespace=image-catalog-system,resources=secrets,verbs=list;watch
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=image-catalog-system,resources=leases,verbs=get;create;update
// +kubebuilder:rbac:groups=events.k8s.io,namespace=default,resources=events,verbs=create
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// indexSecret indexes ImageQueries by the names of all Secrets that their account may come from.
const indexSecret = "secret"

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	r.started = r.Clock.Now()
	r.requeue = make(chan event.GenericEvent, 1024)
	var err error
	if r.images, err = cache.New(ctx, mgr.GetCache()); err != nil {
		return err
	}
	if r.queries, err = storeOfQueries(ctx, mgr); err != nil {
		return err
	}
	if r.requests, err = writer.NewRequests(mgr, r.Metrics.cloudImageWritten); err != nil {
		return err
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &imagev1alpha1.ImageQuery{}, indexSecret, r.secretsOf); err != nil {
		return fmt.Errorf("indexing ImageQueries: %w", err)
	}
	r.Metrics.elected, r.Metrics.images, r.Metrics.shard = mgr.Elected(), r.images, r.Shard
	if err := mgr.Add(manager.RunnableFunc(r.forgetDeleted)); err != nil {
		return fmt.Errorf("preparing the start: %w", err)
	}
	if err := r.sweepOwnerless(mgr); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("imagequery").
		For(&imagev1alpha1.ImageQuery{}, builder.WithPredicates(r.Shard.concerns(), r.asksForWork())).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.queriesOf), builder.WithPredicates(changesKeys())).
		Watches(&imagev1alpha1.CloudImage{}, r.missing()).
		WatchesRawSource(source.Channel(r.requeue, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: sourcesAtOnce * r.Concurrent}).
		Complete(r)
}

// secretsOf returns the index keys of a query.
func (r *Reconciler) secretsOf(o client.Object) []string {
	return r.Credentials.secretsOf(o.(*imagev1alpha1.ImageQuery))
}

// asksForWork selects changes made by a user (the spec, or an annotation that requests a poll or approves a removal) and
// statuses written by other clients. It drops the events of our own status writes.
func (r *Reconciler) asksForWork() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool {
			r.statuses.seen(e.Object)
			return true
		},
		UpdateFunc: func(e event.UpdateEvent) bool {
			ours := r.statuses.seen(e.ObjectNew) // must see every event, to remember what the cache has
			return !ours || changedByUser(e.ObjectOld, e.ObjectNew)
		},
	}
}

// changedByUser reports whether a user changed a query.
func changedByUser(before, now client.Object) bool {
	return before.GetGeneration() != now.GetGeneration() ||
		// A query that was deleted and recreated while the watch was down appears as an update with the same generation.
		before.GetUID() != now.GetUID() ||
		before.GetAnnotations()[imagev1alpha1.AnnotationRequestedAt] != now.GetAnnotations()[imagev1alpha1.AnnotationRequestedAt] ||
		before.GetAnnotations()[imagev1alpha1.AnnotationApproveRemoval] != now.GetAnnotations()[imagev1alpha1.AnnotationApproveRemoval]
}

// changesKeys selects events that may change keys. Other operators annotate Secrets, or keep their own Secrets in the
// namespace.
func changesKeys() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isSecret := e.ObjectOld.(*corev1.Secret)
		now, isStill := e.ObjectNew.(*corev1.Secret)
		return !isSecret || !isStill || !maps.EqualFunc(before.Data, now.Data, bytes.Equal)
	}}
}

// queriesOf returns the queries that may use a Secret. Each then checks whether its keys differ from those of its last poll.
func (r *Reconciler) queriesOf(ctx context.Context, secret client.Object) []reconcile.Request {
	var queries imagev1alpha1.ImageQueryList
	// Read only: deep copies of all queries with their images would dominate the cost of an event.
	err := r.Client.List(ctx, &queries, client.MatchingFields{indexSecret: secret.GetName()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing the queries of a Secret")
		return nil
	}
	var requests []reconcile.Request
	for i := range queries.Items {
		if r.Shard.Covers(queries.Items[i].Spec.Region) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&queries.Items[i])})
		}
	}
	return requests
}

// storeOfQueries returns the cached queries. They are shared with the cache: read only.
func storeOfQueries(ctx context.Context, mgr ctrl.Manager) (toolscache.Store, error) {
	got, err := mgr.GetCache().GetInformer(ctx, &imagev1alpha1.ImageQuery{})
	if err != nil {
		return nil, fmt.Errorf("watching ImageQueries: %w", err)
	}
	informer, ok := got.(toolscache.SharedIndexInformer)
	if !ok {
		return nil, fmt.Errorf("watching ImageQueries: the cache has a %T, which has no store", got)
	}
	return informer.GetStore(), nil
}
