// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"fmt"
	"iter"

	toolscache "k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
)

// indexQuery indexes CloudImages by the names of the queries that they refer to.
const indexQuery = "query"

// Cache holds the CloudImages that the watch delivers, without the metadata derived from their records (see
// cloudimage.NewCompactEntry). Its objects are shared: read only. A client of the same cache would deep-copy each of them
// at each poll and each scrape.
type Cache struct {
	informer toolscache.SharedIndexInformer
}

// New returns the Cache of a controller-runtime cache that hasn't started yet.
func New(ctx context.Context, c ctrlcache.Cache) (Cache, error) {
	got, err := c.GetInformer(ctx, &imagev1alpha1.CloudImage{})
	if err != nil {
		return Cache{}, fmt.Errorf("watching CloudImages: %w", err)
	}
	informer, ok := got.(toolscache.SharedIndexInformer)
	if !ok {
		return Cache{}, fmt.Errorf("watching CloudImages: the cache has a %T, which has no index", got)
	}
	return FromInformer(informer)
}

// FromInformer returns the Cache of an informer that hasn't started yet.
func FromInformer(informer toolscache.SharedIndexInformer) (Cache, error) {
	if err := informer.AddIndexers(toolscache.Indexers{indexQuery: queriesIn}); err != nil {
		return Cache{}, fmt.Errorf("indexing CloudImages: %w", err)
	}
	if err := informer.SetTransform((&interner{}).transform); err != nil {
		return Cache{}, fmt.Errorf("watching CloudImages: %w", err)
	}
	return Cache{informer}, nil
}

// HasSynced reports whether the initial list is complete.
func (c Cache) HasSynced() bool { return c.informer.HasSynced() }

// ResourceVersion returns the resourceVersion up to which the cache has seen all changes, or "" if that is unknown.
func (c Cache) ResourceVersion() string { return c.informer.GetStore().LastStoreSyncResourceVersion() }

// All iterates over the objects in no particular order.
func (c Cache) All() iter.Seq[*cloudimage.Entry] {
	return func(yield func(*cloudimage.Entry) bool) {
		for _, o := range c.informer.GetIndexer().List() {
			if !yield(o.(*cloudimage.Entry)) {
				return
			}
		}
	}
}

// Get returns the object with a name, or nil if there is none.
func (c Cache) Get(name string) *cloudimage.Entry {
	o, found, err := c.informer.GetIndexer().GetByKey(name)
	if err != nil || !found {
		return nil
	}
	return o.(*cloudimage.Entry)
}

// OfQuery returns the objects, by name, that refer to a query: by its label, an owner reference, or a leaving record.
func (c Cache) OfQuery(query string) (map[string]*cloudimage.Entry, error) {
	found, err := c.informer.GetIndexer().ByIndex(indexQuery, query)
	if err != nil {
		return nil, fmt.Errorf("looking for the CloudImages of %s: %w", query, err)
	}
	out := make(map[string]*cloudimage.Entry, len(found))
	for _, o := range found {
		image := o.(*cloudimage.Entry)
		out[image.Name] = image
	}
	return out, nil
}

// Queries returns the names of all queries that an object refers to.
func (c Cache) Queries() []string {
	return c.informer.GetIndexer().ListIndexFuncValues(indexQuery)
}

func queriesIn(o any) ([]string, error) {
	entry, ok := o.(*cloudimage.Entry)
	if !ok {
		return nil, fmt.Errorf("a %T is no CloudImage", o)
	}
	return cloudimage.QueriesIn(entry.CloudImage), nil
}
