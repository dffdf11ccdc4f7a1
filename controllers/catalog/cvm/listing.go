// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

const (
	// pagesAtOnce bounds the concurrent pages of one listing. One page takes the SDK 3 ms; with a round trip of up to
	// 200 ms, eight use up the cloud's limit of 40 requests a second.
	pagesAtOnce = 8

	// maxImages bounds the accepted TotalCount. An account has at most some thousand images in a region.
	maxImages = 100_000
)

// fetchFunc fetches the page that begins at offset.
type fetchFunc func(ctx context.Context, offset int) (page, error)

// countFunc counts the images of a query without its instance type. It is nil if the query has none.
type countFunc func(ctx context.Context) (int, error)

// list reads a complete listing. Pages are cut from a list that may change between two requests and has no guaranteed
// order, so an image can be missed between two pages. A reading is therefore accepted only if all of its pages have the
// same TotalCount and contain that many distinct ids, or if the TotalCount is that of the query without its instance
// type. A rejected reading is repeated once.
func list(ctx context.Context, fetch fetchFunc, untyped countFunc) (catalog.Listing, error) {
	first, err := readConcurrent(ctx, fetch)
	if err != nil {
		return catalog.Listing{}, err
	}
	switch complete, err := first.complete(ctx, untyped); {
	case err != nil:
		return catalog.Listing{}, err
	case complete:
		return first.listing(), nil
	}
	second, err := readSequential(ctx, fetch)
	if err != nil {
		return catalog.Listing{}, err
	}
	switch {
	case second.consistent():
		return second.listing(), nil
	case first.sameIDs(second):
		listing := second.listing()
		listing.Inconsistent = true
		return listing, nil
	}
	return catalog.Listing{}, &catalog.Error{
		Kind: catalog.Incomplete, Code: codeIncomplete,
		Message: "the cloud's list of images changed while it was read, twice in a row" + hint(untyped),
	}
}

// hint names a part of the query that may explain an inconsistent list.
func hint(untyped countFunc) string {
	if untyped == nil {
		return ""
	}
	return "; if it stays so, leave spec.instanceType out and name the images otherwise"
}

// reading is the result of one pass over the list.
type reading struct {
	images     map[string]catalog.Image
	invalidIDs map[string]struct{}
	totals     map[int]struct{}
}

func newReading() reading {
	return reading{images: map[string]catalog.Image{}, invalidIDs: map[string]struct{}{}, totals: map[int]struct{}{}}
}

func (r reading) add(p page) {
	r.totals[p.total] = struct{}{}
	for _, image := range p.images {
		r.images[image.ID] = image
	}
	for _, key := range p.invalidIDs {
		r.invalidIDs[key] = struct{}{}
	}
}

// size returns the number of distinct entries, including those with an invalid id.
func (r reading) size() int { return len(r.images) + len(r.invalidIDs) }

func (r reading) consistent() bool {
	_, promised := r.totals[r.size()]
	return promised && len(r.totals) == 1
}

// complete reports whether the reading is complete. It is not documented whether TotalCount includes images that the
// instance type excludes. One more request decides that if fewer images were found than counted.
func (r reading) complete(ctx context.Context, untyped countFunc) (bool, error) {
	if untyped == nil || r.consistent() || len(r.totals) != 1 {
		return r.consistent(), nil
	}
	total, err := untyped(ctx)
	if err != nil {
		return false, err
	}
	_, same := r.totals[total]
	return same && r.size() < total, nil
}

func (r reading) sameIDs(other reading) bool {
	return r.size() == other.size() &&
		maps.EqualFunc(r.images, other.images, func(a, b catalog.Image) bool { return a.ID == b.ID }) &&
		maps.Equal(r.invalidIDs, other.invalidIDs)
}

func (r reading) listing() catalog.Listing {
	images := slices.AppendSeq(make([]catalog.Image, 0, len(r.images)), maps.Values(r.images))
	return catalog.Listing{Images: images, Skipped: len(r.invalidIDs)}
}

// readConcurrent reads the first page, and then all others that its TotalCount promises concurrently.
func readConcurrent(ctx context.Context, fetch fetchFunc) (reading, error) {
	r, ctx := newReading(), withAllowance(ctx)
	first, err := fetch(ctx, 0)
	if err != nil {
		return reading{}, err
	}
	r.add(first)
	pages := make([]page, (max(first.total, 1)-1)/pageSize)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(pagesAtOnce)
	for i := range pages {
		group.Go(func() (err error) {
			pages[i], err = fetch(ctx, (i+1)*pageSize)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return reading{}, err
	}
	for _, p := range pages {
		r.add(p)
	}
	return r, nil
}

// readSequential reads page after page. Each begins after the ids known so far: a short page leaves no gap, and if
// images disappeared meanwhile, pages overlap.
func readSequential(ctx context.Context, fetch fetchFunc) (reading, error) {
	r, ctx := newReading(), withAllowance(ctx)
	for pages := 0; ; pages++ {
		p, err := fetch(ctx, r.size())
		if err != nil {
			return reading{}, err
		}
		before := r.size()
		r.add(p)
		// A page without new ids is the end, or the server ignores Offset.
		if r.size() == before || r.size() >= p.total {
			return r, nil
		}
		if pages > 2*p.total/pageSize+10 {
			return reading{}, &catalog.Error{
				Kind: catalog.Incomplete, Code: codeIncomplete,
				Message: fmt.Sprintf("the cloud's list of %d images did not end after %d pages", p.total, pages+1),
			}
		}
	}
}
