// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// indexQuery files a CloudImage under the name of every query that has something on it.
const indexQuery = "query"

// imageCache has the CloudImages as the watch brought them, without what repeats their facts (withoutFacts). Its objects are
// shared by all: read only. A client reading from the same cache would copy each of them at each poll, and Prometheus asks
// for them all.
type imageCache struct {
	informer toolscache.SharedIndexInformer
}

// newImageCache prepares the CloudImages of a cache that hasn't started yet.
func newImageCache(ctx context.Context, c cache.Cache) (imageCache, error) {
	got, err := c.GetInformer(ctx, &imagev1alpha1.CloudImage{})
	if err != nil {
		return imageCache{}, fmt.Errorf("watching CloudImages: %w", err)
	}
	informer, ok := got.(toolscache.SharedIndexInformer)
	if !ok {
		return imageCache{}, fmt.Errorf("watching CloudImages: the cache has a %T, which has no index", got)
	}
	if err := informer.AddIndexers(toolscache.Indexers{indexQuery: queriesIn}); err != nil {
		return imageCache{}, fmt.Errorf("indexing CloudImages: %w", err)
	}
	if err := informer.SetTransform((&texts{}).compact); err != nil {
		return imageCache{}, fmt.Errorf("watching CloudImages: %w", err)
	}
	return imageCache{informer}, nil
}

// filled says whether the cache has all that was there when it started.
func (c imageCache) filled() bool { return c.informer.HasSynced() }

// version is the resourceVersion up to which the cache has seen all changes; "" if it can't tell.
func (c imageCache) version() string { return c.informer.GetStore().LastStoreSyncResourceVersion() }

// all are the objects, in no order.
func (c imageCache) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, o := range c.informer.GetIndexer().List() {
			if !yield(o.(*entry)) {
				return
			}
		}
	}
}

// named is the object of a name, nil if there is none.
func (c imageCache) named(name string) *entry {
	o, found, err := c.informer.GetIndexer().GetByKey(name)
	if err != nil || !found {
		return nil
	}
	return o.(*entry)
}

// of are the objects, by name, that have something of a query: its label, an owner reference, or what they remember of
// its leaving.
func (c imageCache) of(query string) (map[string]*entry, error) {
	found, err := c.informer.GetIndexer().ByIndex(indexQuery, query)
	if err != nil {
		return nil, fmt.Errorf("looking for the CloudImages of %s: %w", query, err)
	}
	out := make(map[string]*entry, len(found))
	for _, o := range found {
		image := o.(*entry)
		out[image.Name] = image
	}
	return out, nil
}

// queries are the names of all queries that have something of an object.
func (c imageCache) queries() []string {
	return c.informer.GetIndexer().ListIndexFuncValues(indexQuery)
}

func queriesIn(o any) ([]string, error) {
	image, ok := o.(*entry)
	if !ok {
		return nil, fmt.Errorf("a %T is no CloudImage", o)
	}
	names := slices.Collect(namesIn(image.CloudImage))
	for _, ref := range image.OwnerReferences {
		if isImageQuery(ref) {
			names = append(names, ref.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// namesIn are the names of the queries that an object mentions in labels and in what it remembers of leaving.
func namesIn(image *imagev1alpha1.CloudImage) iter.Seq[string] {
	return func(yield func(string) bool) {
		for label := range image.Labels {
			if name, ok := strings.CutPrefix(label, imagev1alpha1.LabelQueryPrefix); ok && !yield(name) {
				return
			}
		}
		for _, leaving := range image.Lifecycle.Leaving {
			if !yield(leaving.Query) {
				return
			}
		}
	}
}
