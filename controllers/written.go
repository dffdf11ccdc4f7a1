// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/cache"
)

const (
	// maxCacheLag bounds how long a query waits for the caches to show its own writes: client-go tries a lost watch again after
	// a minute at the most (30 s, and as much jitter). Then the query is polled all the same, since every write carries the
	// resourceVersion that was read.
	maxCacheLag = time.Minute

	// cacheLagRetry is when a query that waits looks again.
	cacheLagRetry = time.Second
)

// written is what one query's polls wrote last: the next plan is made from caches that show it. After a watch was lost a plan
// would otherwise repeat writes that are done, and read a status that is not the last. (A client of controller-runtime with
// EnableReadYourWritesConsistency does the same by blocking; CloudImages are neither read nor written by a client.)
type written struct {
	mu sync.Mutex

	// query is the resourceVersion of the query after its last reconcile, and image the latest one of a CloudImage that it wrote.
	query, image string

	// deleted are the CloudImages that it deleted, by name: the answer to a deletion has no resourceVersion.
	deleted map[string]types.UID

	// behindSince is when the caches were first found to lack something of this; zero if they don't.
	behindSince time.Time
}

// reconciled notes the query as it was written or read last.
func (w *written) reconciled(query *imagev1alpha1.ImageQuery) {
	w.query = later(w.query, query.ResourceVersion)
}

// Stored notes the API server's answer to a write.
func (w *written) Stored(answer []byte) {
	var object struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if json.Unmarshal(answer, &object) != nil {
		return // it is stored all the same, and only the next plan is made too early
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.image = later(w.image, object.Metadata.ResourceVersion)
}

// Deleted notes a deletion.
func (w *written) Deleted(image *imagev1alpha1.CloudImage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deleted == nil {
		w.deleted = map[string]types.UID{}
	}
	w.deleted[image.Name] = image.UID
}

// shownBy says whether a query and CloudImages, as the caches have them, show what was written.
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

// awaits says whether a query has to wait for the caches, and no longer than it should.
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

// older says whether a resourceVersion came before another one of the same resource; false where that can't be told.
func older(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order < 0
}
