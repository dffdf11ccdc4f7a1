// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	toolscache "k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/cache"
)

// Catalogue holds the ImageQueries and CloudImages that the watches deliver. Its objects are shared: read only.
type Catalogue struct {
	queries toolscache.SharedIndexInformer
	images  cache.Cache
}

// CacheOptions returns the options of the cache that a Catalogue reads.
func CacheOptions() ctrlcache.Options { return ctrlcache.Options{DefaultTransform: compactQuery} }

// compactQuery leaves of a query's metadata what identifies it: annotations of others could otherwise fill the memory. CloudImages
// are compacted by their own cache.
func compactQuery(o any) (any, error) {
	if query, ok := o.(*imagev1alpha1.ImageQuery); ok {
		query.ObjectMeta = cloudimage.Identity(&query.ObjectMeta)
	}
	return o, nil // else a DeletedFinalStateUnknown
}

// NewCatalogue returns the Catalogue of a cache that hasn't started yet.
func NewCatalogue(ctx context.Context, c ctrlcache.Cache) (Catalogue, error) {
	got, err := c.GetInformer(ctx, &imagev1alpha1.ImageQuery{})
	if err != nil {
		return Catalogue{}, fmt.Errorf("watching ImageQueries: %w", err)
	}
	queries, ok := got.(toolscache.SharedIndexInformer)
	if !ok {
		return Catalogue{}, fmt.Errorf("watching ImageQueries: the cache has a %T, which can't be listed", got)
	}
	images, err := cache.New(ctx, c)
	return Catalogue{queries, images}, err
}

// HasSynced reports whether the initial lists are complete.
func (c Catalogue) HasSynced() bool { return c.queries.HasSynced() && c.images.HasSynced() }

// Queries returns all queries, by name.
func (c Catalogue) Queries() []*imagev1alpha1.ImageQuery {
	stored := c.queries.GetStore().List()
	queries := make([]*imagev1alpha1.ImageQuery, len(stored))
	for i, o := range stored {
		queries[i] = o.(*imagev1alpha1.ImageQuery)
	}
	slices.SortFunc(queries, func(a, b *imagev1alpha1.ImageQuery) int { return cmp.Compare(a.Name, b.Name) })
	return queries
}

// Query returns the query with a name, or nil if there is none.
func (c Catalogue) Query(name string) *imagev1alpha1.ImageQuery {
	o, found, err := c.queries.GetStore().GetByKey(name)
	if err != nil || !found {
		return nil
	}
	return o.(*imagev1alpha1.ImageQuery)
}

// Image returns the CloudImage with a name, or nil if there is none.
func (c Catalogue) Image(name string) *imagev1alpha1.CloudImage { return c.images.Get(name).Object() }

// Images iterates over all CloudImages in no particular order.
func (c Catalogue) Images() iter.Seq[*imagev1alpha1.CloudImage] {
	return func(yield func(*imagev1alpha1.CloudImage) bool) {
		for entry := range c.images.All() {
			if !yield(entry.CloudImage) {
				return
			}
		}
	}
}
