// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/retry"
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
)

// concurrent is how many ConfigMaps are written at once.
const concurrent = 8

// Reconciler fills labelled ConfigMaps.
type Reconciler struct {
	// Client reads ImageQueries from the manager's cache, and writes.
	Client client.Client
	// APIReader reads from the API server.
	APIReader client.Reader

	// Namespaces are those of the flag.
	Namespaces []string

	// Covers reports whether the queries of a region are this operator's.
	Covers func(region string) bool

	Metrics *Metrics

	caches caches
}

// SetupWithManager registers the controller. Only the leader watches ConfigMaps.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	requests, err := metadata.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("preparing the watch of ConfigMaps: %w", err)
	}
	build := ctrl.NewControllerManagedBy(mgr).
		Named("publish").
		Watches(&imagev1alpha1.ImageQuery{}, handler.EnqueueRequestsFromMapFunc(r.configMapsOf), builder.WithPredicates(changesData())).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrent})
	r.caches = caches{}
	for _, namespace := range r.Namespaces {
		cache, err := newNamespaceCache(requests, namespace, mgr.GetLogger().WithName("publish"))
		if err != nil {
			return fmt.Errorf("preparing the watch of ConfigMaps: %w", err)
		}
		r.caches[namespace] = cache
		// Unlike a source of kind Kind it isn't waited for: one namespace that can't be read must not hold up the others.
		build = build.WatchesRawSource(&source.Informer{Informer: cache, Handler: &handler.EnqueueRequestForObject{}})
	}
	r.Metrics.watch(r.caches, mgr.Elected())
	if err := mgr.Add(manager.RunnableFunc(r.caches.run)); err != nil {
		return fmt.Errorf("preparing the watch of ConfigMaps: %w", err)
	}
	return build.Complete(r)
}

// configMapsOf returns the ConfigMaps that a query is published in.
func (r *Reconciler) configMapsOf(_ context.Context, query client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, name := range r.caches.of(query.GetName()) {
		requests = append(requests, reconcile.Request{NamespacedName: name})
	}
	return requests
}

// changesData selects the events of a query that can change what is published of it. Most polls change none of it.
func changesData() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isQuery := e.ObjectOld.(*imagev1alpha1.ImageQuery)
		now, isStill := e.ObjectNew.(*imagev1alpha1.ImageQuery)
		return !isQuery || !isStill || before.Generation != now.Generation || before.UID != now.UID ||
			before.Status.ObservedQuery != now.Status.ObservedQuery || !sameSelection(before, now)
	}}
}

func sameSelection(a, b *imagev1alpha1.ImageQuery) bool {
	return record{Images: a.Status.Selected}.String() == record{Images: b.Status.Selected}.String()
}

// Reconcile brings one ConfigMap to what the query of its label selects.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		err := r.publish(ctx, request)
		if apierrors.IsConflict(err) {
			r.Metrics.conflict()
		}
		return err
	})
	if client.IgnoreNotFound(err) != nil {
		r.Metrics.failed(request.NamespacedName)
		return ctrl.Result{}, fmt.Errorf("publishing into a ConfigMap: %w", err)
	}
	if err != nil { // deleted meanwhile
		r.Metrics.forget(request.NamespacedName)
	}
	return ctrl.Result{}, nil
}

// publish reads a ConfigMap, and writes it if it differs from what it should have.
func (r *Reconciler) publish(ctx context.Context, request ctrl.Request) error {
	var configMap corev1.ConfigMap
	if err := r.APIReader.Get(ctx, request.NamespacedName, &configMap); err != nil {
		return err
	}
	name, labelled := configMap.Labels[imagev1alpha1.LabelSelectionOf]
	if !labelled || !configMap.DeletionTimestamp.IsZero() {
		r.Metrics.forget(request.NamespacedName)
		return nil
	}
	query, err := r.query(ctx, name)
	if err != nil {
		return err
	}
	if !r.isOurs(query, &configMap) {
		r.Metrics.forget(request.NamespacedName)
		return nil
	}
	want := desiredOf(&configMap, query)
	if want.differs(&configMap) {
		if err := r.write(ctx, &configMap, want); err != nil {
			return err
		}
	}
	r.Metrics.published(request.NamespacedName, want.state)
	return nil
}

// write updates a ConfigMap as it was read. It is a conflict if another client changed it meanwhile.
func (r *Reconciler) write(ctx context.Context, configMap *corev1.ConfigMap, want desired) error {
	before := configMap.Annotations[imagev1alpha1.AnnotationPublishState]
	configMap.Data = maps.Clone(want.data)
	metav1.SetMetaDataAnnotation(&configMap.ObjectMeta, imagev1alpha1.AnnotationPublishState, want.state)
	if err := r.Client.Update(ctx, configMap); err != nil {
		return err
	}
	r.Metrics.written()
	if log := ctrl.LoggerFrom(ctx); before == want.state {
		log.V(1).Info("The ConfigMap follows the selection")
	} else {
		log.Info("The ConfigMap has another publish-state", "state", want.state, "before", before)
	}
	return nil
}

// query returns a query, or nil if there is none. The cache may not have seen a new one yet.
func (r *Reconciler) query(ctx context.Context, name string) (*imagev1alpha1.ImageQuery, error) {
	query := &imagev1alpha1.ImageQuery{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: name}, query)
	if apierrors.IsNotFound(err) {
		err = r.APIReader.Get(ctx, client.ObjectKey{Name: name}, query)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // see above
	case err != nil:
		return nil, fmt.Errorf("reading the ImageQuery %s: %w", name, err)
	}
	return query, nil
}

// isOurs reports whether this operator's shard writes a ConfigMap: that of its query or, if that is gone, of the region that
// the data is of. A label that never named a query gets the same sentence from any shard.
func (r *Reconciler) isOurs(query *imagev1alpha1.ImageQuery, configMap *corev1.ConfigMap) bool {
	region := recordIn(configMap.Data).Region
	if query != nil {
		region = query.Spec.Region
	}
	return region == "" || r.Covers(region)
}
