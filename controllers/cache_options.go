// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
)

// CacheOptions are those of the cache that the operator reads from: Secrets of one namespace, and of each object only what is
// read. Whoever may annotate queries or create Secrets would else decide how much memory the operator takes.
func CacheOptions(credentialsNamespace string) ctrlcache.Options {
	return ctrlcache.Options{
		DefaultTransform: ctrlcache.TransformStripManagedFields(),
		ByObject: map[client.Object]ctrlcache.ByObject{
			&imagev1alpha1.ImageQuery{}: {Transform: compactQuery},
			&corev1.Secret{}:            {Transform: compactSecret, Namespaces: map[string]ctrlcache.Config{credentialsNamespace: {}}},
		},
	}
}

// compactQuery leaves of a query's metadata what we read. A write of the status changes no metadata, so nothing is lost.
func compactQuery(o any) (any, error) {
	query, ok := o.(*imagev1alpha1.ImageQuery)
	if !ok {
		return o, nil // what the watch says of an object that it lost
	}
	annotations := query.Annotations
	query.ObjectMeta = cloudimage.Identity(&query.ObjectMeta)
	for _, key := range []string{imagev1alpha1.AnnotationRequestedAt, imagev1alpha1.AnnotationApproveRemoval} {
		if value, found := annotations[key]; found {
			metav1.SetMetaDataAnnotation(&query.ObjectMeta, key, bounded(value))
		}
	}
	return query, nil
}

// compactSecret leaves of a Secret the parts of a key. Most Secrets of a namespace are none of ours.
func compactSecret(o any) (any, error) {
	secret, ok := o.(*corev1.Secret)
	if !ok {
		return o, nil // what the watch says of an object that it lost
	}
	secret.ObjectMeta = cloudimage.Identity(&secret.ObjectMeta)
	maps.DeleteFunc(secret.Data, func(key string, _ []byte) bool { return !slices.Contains(secretKeys, key) })
	return secret, nil
}
