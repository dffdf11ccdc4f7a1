// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// missing marks queries due when another client deleted their CloudImages or removed all owners.
func (r *Reconciler) missing() handler.Funcs {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue requestQueue) { r.seen(e.Object, queue) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue requestQueue) { r.seen(e.ObjectNew, queue) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue requestQueue) { r.deleted(e.Object, queue) },
	}
}

// deleted marks the owning queries of a deleted object due, unless this process deleted it.
func (r *Reconciler) deleted(o client.Object, queue requestQueue) {
	image, ok := o.(*cloudimage.Entry)
	if !ok {
		return
	}
	r.requests.Gone(image.Name)
	if _, own := r.requests.Deleted.Get(image.UID); own {
		r.requests.Deleted.Remove(image.UID)
		return
	}
	for _, ref := range cloudimage.MembersOf(image.CloudImage) {
		r.lose(ref.Name, ref.UID, queue)
	}
}

// seen marks queries due that have a label on an object without owners. If the image is their member, they adopt the
// object.
func (r *Reconciler) seen(o client.Object, queue requestQueue) {
	image, ok := o.(*cloudimage.Entry)
	if !ok {
		return
	}
	r.requests.Seen(image)
	if !cloudimage.Ownerless(image.CloudImage) {
		return
	}
	for label := range image.Labels {
		if name, ok := strings.CutPrefix(label, imagev1alpha1.LabelQueryPrefix); ok {
			r.lose(name, r.states.named(name), queue)
		}
	}
}

func (r *Reconciler) lose(name string, query types.UID, queue requestQueue) {
	if r.states.lose(query) {
		queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
	}
}

// lacksObjects reports whether a query's status shows members without a CloudImage, or with one that the query doesn't own.
// After a start no event reports these. Members that never get an object don't count.
func (r *Reconciler) lacksObjects(query *imagev1alpha1.ImageQuery) bool {
	status, spec := &query.Status, &query.Spec.CloudImages
	h := cloudimage.OwnerOf(query)
	if spec.Policy == imagev1alpha1.CloudImagesNone || !selection.SameScope(status.ObservedQuery, selection.ObservedQuery(query)) {
		return false
	}
	// Beyond maxImages, untrusted members have no object.
	crowded, trust := int(ptr.Deref(status.ImageCount, 0)) > query.Spec.CloudImages.GetMaxImages(), selection.Selector{Spec: &query.Spec}
	selected := selection.SelectedIDs(status.Selected)
	for _, shown := range status.Images {
		if spec.Policy == imagev1alpha1.CloudImagesSelected && !slices.Contains(selected, shown.ImageID) ||
			crowded && trust.Distrusts(selection.FromSummary(shown)) {
			continue
		}
		image := r.images.Get(cloudimage.ObjectName(h.Scope, shown.ImageID))
		if image == nil || !h.Owns(image.CloudImage) && !h.LeftOut(image.CloudImage) {
			return true
		}
	}
	return spec.Policy == imagev1alpha1.CloudImagesAll && ptr.Deref(status.ImagesTruncated, false) && r.lacksUnshown(h)
}

// lacksUnshown compares counts, for when status doesn't list all members.
func (r *Reconciler) lacksUnshown(h cloudimage.Owner) bool {
	existing, err := r.images.OfQuery(h.Query.Name)
	if err != nil {
		return false // the index always exists
	}
	members := 0
	for _, image := range existing {
		if h.InScope(image.CloudImage) && h.IsMember(image.CloudImage) {
			members++
		}
	}
	return members < min(int(ptr.Deref(h.Query.Status.ImageCount, 0)), h.Query.Spec.CloudImages.GetMaxImages())
}
