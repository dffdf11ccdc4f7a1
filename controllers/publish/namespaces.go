// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	toolscache "k8s.io/client-go/tools/cache"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// ParseNamespaces parses namespaces separated by commas. Their order doesn't matter.
func ParseNamespaces(text string) ([]string, error) {
	var namespaces []string
	for namespace := range strings.SplitSeq(text, ",") {
		if namespace = strings.TrimSpace(namespace); namespace == "" {
			continue
		}
		if len(validation.IsDNS1123Label(namespace)) > 0 {
			return nil, fmt.Errorf("%q is no namespace; write names such as team-a,team-b", namespace)
		}
		namespaces = append(namespaces, namespace)
	}
	slices.Sort(namespaces)
	return slices.Compact(namespaces), nil
}

// indexQuery indexes ConfigMaps by the query that their label names.
const indexQuery = "query"

// namespaceCache holds the labelled ConfigMaps of one namespace, of each its name and its label. If the namespace can't be
// read, it stays empty, and is tried again with a growing pause.
type namespaceCache struct {
	toolscache.SharedIndexInformer

	// readable is whether the last list or watch was allowed.
	readable atomic.Bool
}

func newNamespaceCache(client metadata.Interface, namespace string, log logr.Logger) (*namespaceCache, error) {
	c := &namespaceCache{}
	resource := client.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(namespace)
	requests := &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector = imagev1alpha1.LabelSelectionOf
			list, err := resource.List(ctx, options)
			c.readable.Store(err == nil)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = imagev1alpha1.LabelSelectionOf
			events, err := resource.Watch(ctx, options)
			c.readable.Store(err == nil)
			return events, err
		},
	}
	c.SharedIndexInformer = toolscache.NewSharedIndexInformerWithOptions(
		toolscache.ToListWatcherWithWatchListSemantics(requests, client), &metav1.PartialObjectMetadata{},
		toolscache.SharedIndexInformerOptions{Indexers: toolscache.Indexers{indexQuery: queryOf}})
	if err := c.SetTransform(compact); err != nil {
		return nil, err
	}
	return c, c.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *toolscache.Reflector, err error) {
		if errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			return // a watch that ended as usual
		}
		log.Error(err, "The ConfigMaps of a namespace can't be read, so no selection is published there; it is tried again. "+
			"Check that the Role and RoleBinding for the operator are in the namespace", "namespace", namespace)
	})
}

// compact drops what isn't used.
func compact(o any) (any, error) {
	configMap, ok := o.(*metav1.PartialObjectMetadata)
	if !ok {
		return o, nil // a DeletedFinalStateUnknown
	}
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: configMap.Namespace, Name: configMap.Name, UID: configMap.UID, ResourceVersion: configMap.ResourceVersion,
		Labels: map[string]string{imagev1alpha1.LabelSelectionOf: configMap.Labels[imagev1alpha1.LabelSelectionOf]},
	}}, nil
}

func queryOf(o any) ([]string, error) {
	configMap, ok := o.(*metav1.PartialObjectMetadata)
	if !ok {
		return nil, fmt.Errorf("a %T has no metadata of a ConfigMap", o)
	}
	return []string{configMap.Labels[imagev1alpha1.LabelSelectionOf]}, nil
}

// caches are those of all namespaces, by name.
type caches map[string]*namespaceCache

// run runs the caches until ctx is done.
func (c caches) run(ctx context.Context) error {
	var running sync.WaitGroup
	for _, one := range c {
		running.Go(func() { one.RunWithContext(ctx) })
	}
	running.Wait()
	return nil
}

// of returns the names of the ConfigMaps that a query is published in.
func (c caches) of(query string) []types.NamespacedName {
	var names []types.NamespacedName
	for namespace, one := range c {
		found, err := one.GetIndexer().ByIndex(indexQuery, query)
		if err != nil {
			continue // there is such an index
		}
		for _, o := range found {
			names = append(names, types.NamespacedName{Namespace: namespace, Name: o.(*metav1.PartialObjectMetadata).Name})
		}
	}
	return names
}
