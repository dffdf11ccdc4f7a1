// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

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
	if err := informer.SetTransform(compact); err != nil {
		return imageCache{}, fmt.Errorf("watching CloudImages: %w", err)
	}
	return imageCache{informer}, nil
}

// filled says whether the cache has all that was there when it started.
func (c imageCache) filled() bool { return c.informer.HasSynced() }

// all are the objects, in no order.
func (c imageCache) all() iter.Seq[*imagev1alpha1.CloudImage] {
	return func(yield func(*imagev1alpha1.CloudImage) bool) {
		for _, o := range c.informer.GetIndexer().List() {
			if !yield(o.(*imagev1alpha1.CloudImage)) {
				return
			}
		}
	}
}

// named is the object of a name, nil if there is none.
func (c imageCache) named(name string) *imagev1alpha1.CloudImage {
	o, found, err := c.informer.GetIndexer().GetByKey(name)
	if err != nil || !found {
		return nil
	}
	return o.(*imagev1alpha1.CloudImage)
}

// of are the objects, by name, that have something of a query: its label, an owner reference, or what they remember of
// its leaving.
func (c imageCache) of(query string) (map[string]*imagev1alpha1.CloudImage, error) {
	found, err := c.informer.GetIndexer().ByIndex(indexQuery, query)
	if err != nil {
		return nil, fmt.Errorf("looking for the CloudImages of %s: %w", query, err)
	}
	out := make(map[string]*imagev1alpha1.CloudImage, len(found))
	for _, o := range found {
		image := o.(*imagev1alpha1.CloudImage)
		out[image.Name] = image
	}
	return out, nil
}

// queries are the names of all queries that have something of an object.
func (c imageCache) queries() []string {
	return c.informer.GetIndexer().ListIndexFuncValues(indexQuery)
}

func queriesIn(o any) ([]string, error) {
	image, ok := o.(*imagev1alpha1.CloudImage)
	if !ok {
		return nil, fmt.Errorf("a %T is no CloudImage", o)
	}
	names := slices.Collect(namesIn(image))
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

// compact makes an object small before the cache takes it. What we never read goes, and so does what repeats the object's
// facts. Decoding gives each object text of its own, but thousands have the same labels, owners and platforms: those
// share theirs. A watch may bring an object that was compacted already.
func compact(o any) (any, error) {
	image, ok := o.(*imagev1alpha1.CloudImage)
	if !ok {
		return o, nil // what the watch says of an object that it lost
	}
	image.ManagedFields = nil
	withoutFacts(image)
	i := &image.Image
	if strings.HasSuffix(image.Name, i.ID) {
		i.ID = image.Name[len(image.Name)-len(i.ID):]
	}
	for _, text := range []*string{
		&image.Kind, &image.APIVersion, &i.Region, &i.Credentials, &i.Type, &i.Source, &i.Creator, &i.State, &i.OSName, &i.Platform, &i.Architecture,
		&i.LicenseType, &i.Family, (*string)(&image.Lifecycle.Presence),
	} {
		share(text)
	}
	for k := range i.Tags {
		share(&i.Tags[k].Key)
		share(&i.Tags[k].Value)
	}
	for k := range image.OwnerReferences {
		ref := &image.OwnerReferences[k]
		for _, text := range []*string{&ref.APIVersion, &ref.Kind, &ref.Name, (*string)(&ref.UID)} {
			share(text)
		}
	}
	for k := range image.Lifecycle.Leaving {
		share(&image.Lifecycle.Leaving[k].Query)
	}
	image.Labels, image.Annotations = sharedMap(image.Labels), sharedMap(image.Annotations)
	return image, nil
}

// sharedMap is a map with shared text, as small as it can be; nil if there is nothing in it.
func sharedMap(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for key, value := range m {
		share(&key)
		share(&value)
		out[key] = value
	}
	return out
}

// texts are the copies that all objects share. Package unique would forget one at the next garbage collection.
var texts = struct {
	mu    sync.Mutex
	known map[string]string
}{known: map[string]string{}}

// maxTexts bounds texts. Of more, some are ids or names that nothing shares: then they begin anew.
const maxTexts = 4096

// share replaces text by the copy that all have.
func share(text *string) {
	texts.mu.Lock()
	defer texts.mu.Unlock()
	if known, ok := texts.known[*text]; ok {
		*text = known
		return
	}
	if len(texts.known) >= maxTexts {
		clear(texts.known)
	}
	texts.known[*text] = *text
}
