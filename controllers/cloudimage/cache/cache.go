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

// indexQuery files a CloudImage under the name of every query that has something on it.
const indexQuery = "query"

// Cache has the CloudImages as the watch brought them, without what repeats their facts (withoutFacts). Its objects are
// shared by all: read only. A client reading from the same cache would copy each of them at each poll, and Prometheus asks
// for them all.
type Cache struct {
	informer toolscache.SharedIndexInformer
}

// New prepares the CloudImages of a cache that hasn't started yet.
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

// FromInformer prepares the CloudImages of an informer that hasn't started yet.
func FromInformer(informer toolscache.SharedIndexInformer) (Cache, error) {
	if err := informer.AddIndexers(toolscache.Indexers{indexQuery: queriesIn}); err != nil {
		return Cache{}, fmt.Errorf("indexing CloudImages: %w", err)
	}
	if err := informer.SetTransform((&interner{}).transform); err != nil {
		return Cache{}, fmt.Errorf("watching CloudImages: %w", err)
	}
	return Cache{informer}, nil
}

// HasSynced says whether the cache has all that was there when it started.
func (c Cache) HasSynced() bool { return c.informer.HasSynced() }

// ResourceVersion is the resourceVersion up to which the cache has seen all changes; "" if it can't tell.
func (c Cache) ResourceVersion() string { return c.informer.GetStore().LastStoreSyncResourceVersion() }

// All are the objects, in no order.
func (c Cache) All() iter.Seq[*cloudimage.Entry] {
	return func(yield func(*cloudimage.Entry) bool) {
		for _, o := range c.informer.GetIndexer().List() {
			if !yield(o.(*cloudimage.Entry)) {
				return
			}
		}
	}
}

// Get is the object of a name, nil if there is none.
func (c Cache) Get(name string) *cloudimage.Entry {
	o, found, err := c.informer.GetIndexer().GetByKey(name)
	if err != nil || !found {
		return nil
	}
	return o.(*cloudimage.Entry)
}

// OfQuery are the objects, by name, that have something of a query: its label, an owner reference, or what they remember of
// its leaving.
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

// Queries are the names of all queries that have something of an object.
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
