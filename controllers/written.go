// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/cache"
)

const (
	// maxCacheLag bounds how long a query waits for the caches to show its own writes. client-go restores a lost watch within a
	// minute (30 s plus as much jitter). After that the query is polled anyway; this is safe because every write carries the
	// resourceVersion that was read.
	maxCacheLag = time.Minute

	// cacheLagRetry is when a waiting query checks the caches again.
	cacheLagRetry = time.Second
)

// written tracks the last writes of one query's polls, so that the next plan is made from caches that show them. Otherwise,
// after a lost watch, a plan would repeat finished writes and read an outdated status. (A client of controller-runtime with
// EnableReadYourWritesConsistency achieves the same by blocking, but CloudImages are neither read nor written by a client.)
type written struct {
	mu sync.Mutex

	// query is the resourceVersion of the query after its last reconcile. image is the latest resourceVersion of a CloudImage
	// that it wrote.
	query, image string

	// deleted are the UIDs of the deleted CloudImages, by name. They are tracked separately because a deletion returns no
	// resourceVersion.
	deleted map[string]types.UID

	// behindSince is when the caches were first found to be behind; zero if they are not.
	behindSince time.Time
}

// reconciled records the query as it was written or read last.
func (w *written) reconciled(query *imagev1alpha1.ImageQuery) {
	w.query = later(w.query, query.ResourceVersion)
}

// Stored records the resourceVersion that a write gave a CloudImage.
func (w *written) Stored(resourceVersion string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.image = later(w.image, resourceVersion)
}

// Deleted records a deletion.
func (w *written) Deleted(image *imagev1alpha1.CloudImage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deleted == nil {
		w.deleted = map[string]types.UID{}
	}
	w.deleted[image.Name] = image.UID
}

// shownBy reports whether the cached query and CloudImages show what was written.
func (w *written) shownBy(query *imagev1alpha1.ImageQuery, images cache.Cache) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, uid := range w.deleted {
		if image := images.Get(name); image != nil && image.UID == uid && image.DeletionTimestamp == nil {
			return false
		}
	}
	w.deleted = nil
	return !older(query.ResourceVersion, w.query) && !older(images.ResourceVersion(), w.image)
}

// awaits reports whether a query must wait for the caches. It is false after maxCacheLag.
func (w *written) awaits(query *imagev1alpha1.ImageQuery, images cache.Cache, now time.Time) bool {
	if w.shownBy(query, images) {
		w.behindSince = time.Time{}
		return false
	}
	if w.behindSince.IsZero() {
		w.behindSince = now
	}
	return now.Sub(w.behindSince) < maxCacheLag
}

func later(a, b string) string {
	if a == "" || older(a, b) {
		return b
	}
	return a
}

// older reports whether a resourceVersion is older than another one of the same resource. It is false if they can't be
// compared.
func older(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order < 0
}
