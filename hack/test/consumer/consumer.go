// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package consumer is an example of a program that uses the selection of ImageQueries. For each query with Label it
// maintains a ConfigMap of the query's name with the id of the image to boot for each architecture. It imports only
// api/v1alpha1 of the operator, and needs the permissions in roles.yaml.
package consumer

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

const (
	// Label on an ImageQuery requests a ConfigMap. Its value is ignored.
	Label = "example.com/image-configmap"

	// Annotation on a ConfigMap has the reason of the query's condition Selected: whether the images are the query's current selection
	// (Selected), or stay because nothing replaces them.
	Annotation = "example.com/selected"
)

// Run maintains ConfigMaps in a namespace until the context ends.
func Run(ctx context.Context, config *rest.Config, namespace string) error {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	if err := imagev1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	labelled, err := labels.Parse(Label)
	if err != nil {
		return err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: server.Options{BindAddress: "0"},
		// A query that loses the label is deleted from this cache, so its ConfigMap is deleted, too.
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{
			&imagev1alpha1.ImageQuery{}: {Label: labelled},
			&corev1.ConfigMap{}:         {Namespaces: map[string]cache.Config{namespace: {}}},
		}},
	})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).
		Named("image-configmap").
		For(&imagev1alpha1.ImageQuery{}, builder.WithPredicates(selectionChanged)).
		// Changes and deletions of a ConfigMap by other clients are reverted at once.
		Owns(&corev1.ConfigMap{}).
		Complete(&reconciler{Client: manager.GetClient(), namespace: namespace})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}

// newConfigMap returns an empty ConfigMap for a query.
func newConfigMap(namespace, query string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: query}}
}
