// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
	metav1apply "k8s.io/client-go/applyconfigurations/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// selectionChanged selects events that change the images to use, or why they are used, a small part of all events, and deletions.
var selectionChanged = predicate.Funcs{
	CreateFunc: func(e event.CreateEvent) bool { return imagev1alpha1.SelectionChanged(nil, query(e.Object)) },
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, now := query(e.ObjectOld), query(e.ObjectNew)
		return imagev1alpha1.SelectionChanged(before, now) || reasonOf(before) != reasonOf(now)
	},
}

func query(object client.Object) *imagev1alpha1.ImageQuery {
	query, _ := object.(*imagev1alpha1.ImageQuery)
	return query
}

// reasonOf returns the reason of the condition Selected, or an empty one before there is a status.
func reasonOf(query *imagev1alpha1.ImageQuery) string {
	if query == nil {
		return ""
	}
	if selected := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionSelected); selected != nil {
		return selected.Reason
	}
	return ""
}

type reconciler struct {
	client.Client

	namespace string
}

// Reconcile writes a query's selection to its ConfigMap.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	query := &imagev1alpha1.ImageQuery{}
	switch err := r.Get(ctx, request.NamespacedName, query); {
	case apierrors.IsNotFound(err):
		// A ConfigMap that isn't updated any more must not look current.
		return ctrl.Result{}, client.IgnoreNotFound(r.Delete(ctx, newConfigMap(r.namespace, request.Name)))
	case err != nil:
		return ctrl.Result{}, err
	}
	images := imagesOf(query)
	if len(images) == 0 { // Without a selection, the last one stays in use.
		last := newConfigMap(r.namespace, query.Name)
		if err := r.Get(ctx, client.ObjectKeyFromObject(last), last); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
		images = last.Data
	}
	annotations := map[string]string{Annotation: reasonOf(query)}
	configMap := corev1apply.ConfigMap(query.Name, r.namespace).WithData(images).WithAnnotations(annotations).WithOwnerReferences(
		metav1apply.OwnerReference().
			WithAPIVersion(imagev1alpha1.GroupVersion.String()).WithKind("ImageQuery").WithName(query.Name).WithUID(query.UID).
			WithController(true))
	return ctrl.Result{}, r.Apply(ctx, configMap, client.FieldOwner("image-configmap"), client.ForceOwnership)
}

// imagesOf returns the ids of the images to boot, by architecture. It ignores Ready, since the selection stays valid
// while the cloud is unavailable.
func imagesOf(query *imagev1alpha1.ImageQuery) map[string]string {
	images := map[string]string{}
	for _, architecture := range []imagev1alpha1.Architecture{"amd64", "arm64", "386"} {
		if image, ok := imagev1alpha1.Selected(query, architecture); ok {
			images[string(architecture)] = image.ImageID
		}
	}
	return images
}
