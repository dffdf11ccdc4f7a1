// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// inventory holds the images of all regions. Entries are immutable, so pages can be encoded without the lock.
type inventory struct {
	mu      sync.RWMutex
	regions map[string]*regionImages
	// tagKeys caches which accounts see which tag keys.
	tagKeys map[[2]string]bool
}

// regionImages is one region's images in listing order, by ascending seq.
type regionImages struct {
	order     []*entry
	byID      map[string]*entry
	low, high int64
	// matches caches results by query, so that a listing of 500 pages needs one search.
	matches map[string][]*entry
}

// maxCachedQueries bounds regionImages.matches.
const maxCachedQueries = 64

// entry is a stored image with its lazily encoded JSON per language and relation.
type entry struct {
	Image
	seq  int64
	json [languages][relations]atomic.Pointer[[]byte]
}

func (e *entry) encoded(lang language, rel relation) []byte {
	if b := e.json[lang][rel].Load(); b != nil {
		return *b
	}
	b := e.encode(lang, rel, false)
	e.json[lang][rel].Store(&b)
	return b
}

// Put inserts images, or replaces those with the same ImageID in place. New private and shared images come first in
// listings, in the given order (recordings have the newest first). New public ones come last (they have a product
// order).
func (s *Server) Put(region string, images ...Image) {
	s.inventory.put(region, images)
}

// Delete removes images. It ignores unknown ids.
func (s *Server) Delete(region string, ids ...string) {
	gone := make(map[string]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	s.inventory.change(region, func(r *regionImages) {
		for id := range gone {
			delete(r.byID, id)
		}
		r.order = slices.DeleteFunc(r.order, func(e *entry) bool { return gone[e.ImageID] })
	})
}

// Clear removes all images of the region.
func (s *Server) Clear(region string) {
	s.inventory.change(region, func(r *regionImages) { r.order, r.byID = nil, map[string]*entry{} })
}

// Images returns a deep copy of the region's images of all owners, in listing order.
func (s *Server) Images(region string) []Image {
	s.inventory.mu.RLock()
	defer s.inventory.mu.RUnlock()
	r := s.inventory.regions[region]
	if r == nil {
		return nil
	}
	out := make([]Image, len(r.order))
	for i, e := range r.order {
		out[i] = e.clone()
	}
	return out
}

// Update changes one image in place. It panics if the region doesn't have it.
func (s *Server) Update(region, id string, f func(*Image)) {
	if !s.inventory.update(region, id, f) {
		panic(fmt.Sprintf("cvmtest: no image %s in %s", id, region))
	}
}

func (inv *inventory) update(region, id string, f func(*Image)) (found bool) {
	inv.change(region, func(r *regionImages) {
		old := r.byID[id]
		if found = old != nil; found {
			changed := old.clone()
			f(&changed)
			r.replace(old, changed)
		}
	})
	return found
}

// Regions returns the names of the regions that have or had images.
func (s *Server) Regions() []string {
	s.inventory.mu.RLock()
	defer s.inventory.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.inventory.regions))
}

// change runs f with the lock held and invalidates the caches.
func (inv *inventory) change(name string, f func(*regionImages)) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if inv.regions == nil {
		inv.regions = map[string]*regionImages{}
	}
	r := inv.regions[name]
	if r == nil {
		r = &regionImages{byID: map[string]*entry{}}
		inv.regions[name] = r
	}
	f(r)
	r.matches = nil
	inv.tagKeys = nil
}

func (inv *inventory) put(name string, images []Image) {
	inv.change(name, func(r *regionImages) {
		var first, last []*entry
		for _, img := range images {
			img = img.clone()
			img.fillOwner()
			if old := r.byID[img.ImageID]; old != nil {
				r.replace(old, img)
				continue
			}
			e := &entry{Image: img}
			r.byID[img.ImageID] = e
			if img.Owner == "" {
				last = append(last, e)
			} else {
				first = append(first, e)
			}
		}
		r.insert(first, last)
	})
}

// insert adds new entries before and after the existing ones.
func (r *regionImages) insert(first, last []*entry) {
	r.low -= int64(len(first))
	for i, e := range first {
		e.seq = r.low + int64(i)
	}
	for _, e := range last {
		e.seq = r.high
		r.high++
	}
	r.order = slices.Concat(first, r.order, last)
}

// replace replaces an entry by a changed one at the same position.
func (r *regionImages) replace(old *entry, img Image) {
	at, found := slices.BinarySearchFunc(r.order, old.seq, func(e *entry, seq int64) int { return cmp.Compare(e.seq, seq) })
	if !found || r.order[at] != old {
		old.Image = img // the same id twice in one Put
		return
	}
	delete(r.byID, old.ImageID)
	r.order[at] = &entry{Image: img, seq: old.seq}
	r.byID[img.ImageID] = r.order[at]
}

// fillOwner sets the default Owner and SharedWith of private and shared images.
func (i *Image) fillOwner() {
	switch {
	case i.Owner != "":
	case i.ImageType == TypePrivate:
		i.Owner = DefaultCredential.UIN
	case i.ImageType == TypeShared:
		i.Owner = StrangerUIN
		if len(i.SharedWith) == 0 {
			i.SharedWith = []string{DefaultCredential.UIN}
		}
	}
}

// StrangerUIN is the default owner of shared images.
const StrangerUIN = "100000000099"
