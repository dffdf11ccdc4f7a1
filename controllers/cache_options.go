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

// CacheOptions returns the options of the operator's cache. It holds Secrets of one namespace, and of each object only what
// is read. Otherwise any client that may annotate queries or create Secrets could exhaust the operator's memory.
func CacheOptions(credentialsNamespace string) ctrlcache.Options {
	return ctrlcache.Options{
		DefaultTransform: ctrlcache.TransformStripManagedFields(),
		ByObject: map[client.Object]ctrlcache.ByObject{
			&imagev1alpha1.ImageQuery{}: {Transform: compactQuery},
			&corev1.Secret{}:            {Transform: compactSecret, Namespaces: map[string]ctrlcache.Config{credentialsNamespace: {}}},
		},
	}
}

// compactQuery drops unused metadata. Nothing is lost, because a status write doesn't change metadata. Of managedFields it keeps
// which fields of the status other clients wrote.
func compactQuery(o any) (any, error) {
	query, ok := o.(*imagev1alpha1.ImageQuery)
	if !ok {
		return o, nil // a DeletedFinalStateUnknown
	}
	annotations, foreign := query.Annotations, foreignManagers(query.ManagedFields)
	query.ObjectMeta = cloudimage.Identity(&query.ObjectMeta)
	for _, key := range []string{imagev1alpha1.AnnotationRequestedAt, imagev1alpha1.AnnotationApproveRemoval} {
		if value, found := annotations[key]; found {
			metav1.SetMetaDataAnnotation(&query.ObjectMeta, key, bounded(value))
		}
	}
	query.ManagedFields = foreign
	return query, nil
}

// compactSecret drops all data except the parts of a key. Most Secrets of a namespace are unrelated.
func compactSecret(o any) (any, error) {
	secret, ok := o.(*corev1.Secret)
	if !ok {
		return o, nil // a DeletedFinalStateUnknown
	}
	secret.ObjectMeta = cloudimage.Identity(&secret.ObjectMeta)
	maps.DeleteFunc(secret.Data, func(key string, _ []byte) bool { return !slices.Contains(secretKeys, key) })
	return secret, nil
}
