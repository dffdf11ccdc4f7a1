// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package consumer is an example of a program that uses what ImageQueries select. For each query with Label it keeps a
// ConfigMap of the query's name with the id of the image to boot, architecture by architecture. It needs nothing of the
// operator but api/v1alpha1, and of the cluster what roles.yaml grants.
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
	// Label on an ImageQuery asks for a ConfigMap; its value says nothing.
	Label = "example.com/image-configmap"

	// Annotation on a ConfigMap has the reason of the query's condition Selected: whether the images are what the query selects now
	// (Selected), or stay because nothing replaces them.
	Annotation = "example.com/selected"
)

// Run keeps ConfigMaps in a namespace until the context ends.
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
		// A query that loses the label is deleted as far as this cache can see, so its ConfigMap goes as well.
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
		// What somebody else writes into a ConfigMap, or deletes, is put right at once.
		Owns(&corev1.ConfigMap{}).
		Complete(&reconciler{Client: manager.GetClient(), namespace: namespace})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}

// newConfigMap is an empty ConfigMap of a query.
func newConfigMap(namespace, query string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: query}}
}
