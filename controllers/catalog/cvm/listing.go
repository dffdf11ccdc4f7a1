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
	// pagesAtOnce bounds the pages of one listing that are under way together. One page takes the SDK 3 ms; with a
	// round trip of up to 200 ms, eight keep the cloud's limit of 40 requests a second busy.
	pagesAtOnce = 8

	// maxImages bounds what is believed of TotalCount. An account has at most some thousand images in a region.
	maxImages = 100_000
)

// fetchFunc asks for the page that begins at offset.
type fetchFunc func(ctx context.Context, offset int) (page, error)

// countFunc asks how many images a query has when it names no instance type. It is nil where it names none.
type countFunc func(ctx context.Context) (int, error)

// list reads a complete listing. The API's pages are cut out of a list that may change between two of them, in an
// order that nothing promises, so an image can fall between two pages. A reading therefore counts only if all of its
// pages name the same TotalCount and hold that many distinct ids, or if the TotalCount is that of the query without its
// instance type. A reading that doesn't count is repeated once.
func list(ctx context.Context, fetch fetchFunc, untyped countFunc) (catalog.Listing, error) {
	first, err := readAtOnce(ctx, fetch)
	if err != nil {
		return catalog.Listing{}, err
	}
	switch complete, err := first.complete(ctx, untyped); {
	case err != nil:
		return catalog.Listing{}, err
	case complete:
		return first.listing(), nil
	}
	second, err := readInTurn(ctx, fetch)
	if err != nil {
		return catalog.Listing{}, err
	}
	switch {
	case second.settled():
		return second.listing(), nil
	case first.sameIDs(second):
		listing := second.listing()
		listing.Unsettled = true
		return listing, nil
	}
	return catalog.Listing{}, &catalog.Error{
		Kind: catalog.Incomplete, Code: codeIncomplete,
		Message: "the cloud's list of images changed while it was read, twice in a row" + hint(untyped),
	}
}

// hint names a part of the query that may be why a list doesn't add up.
func hint(untyped countFunc) string {
	if untyped == nil {
		return ""
	}
	return "; if it stays so, leave spec.instanceType out and name the images otherwise"
}

// reading is what the pages of one pass over the list held.
type reading struct {
	images map[string]catalog.Image
	unfit  map[string]struct{}
	totals map[int]struct{}
}

func newReading() reading {
	return reading{images: map[string]catalog.Image{}, unfit: map[string]struct{}{}, totals: map[int]struct{}{}}
}

func (r reading) add(p page) {
	r.totals[p.total] = struct{}{}
	for _, image := range p.images {
		r.images[image.ID] = image
	}
	for _, key := range p.unfit {
		r.unfit[key] = struct{}{}
	}
}

// size is the number of distinct entries, those without a usable id counted.
func (r reading) size() int { return len(r.images) + len(r.unfit) }

func (r reading) settled() bool {
	_, promised := r.totals[r.size()]
	return promised && len(r.totals) == 1
}

// complete says whether the reading is all there is. Whether the cloud counts before it applies the instance type is not
// known; one more request tells where that may be why fewer images are there than it counts.
func (r reading) complete(ctx context.Context, untyped countFunc) (bool, error) {
	if untyped == nil || r.settled() || len(r.totals) != 1 {
		return r.settled(), nil
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
		maps.Equal(r.unfit, other.unfit)
}

func (r reading) listing() catalog.Listing {
	return catalog.Listing{Images: slices.Collect(maps.Values(r.images)), Skipped: len(r.unfit)}
}

// readAtOnce reads the first page and then all that its TotalCount promises, several at once.
func readAtOnce(ctx context.Context, fetch fetchFunc) (reading, error) {
	r, ctx := newReading(), withAllowance(ctx)
	first, err := fetch(ctx, 0)
	if err != nil {
		return r, err
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
		return r, err
	}
	for _, p := range pages {
		r.add(p)
	}
	return r, nil
}

// readInTurn reads page after page, each beginning after the ids that are known so far: where a page was short,
// nothing is passed over, and where images left meanwhile, pages overlap rather than gape.
func readInTurn(ctx context.Context, fetch fetchFunc) (reading, error) {
	r, ctx := newReading(), withAllowance(ctx)
	for pages := 0; ; pages++ {
		p, err := fetch(ctx, r.size())
		if err != nil {
			return r, err
		}
		before := r.size()
		r.add(p)
		// A page without news is the end, or a server that ignores Offset.
		if r.size() == before || r.size() >= p.total {
			return r, nil
		}
		if pages > 2*p.total/pageSize+10 {
			return r, &catalog.Error{
				Kind: catalog.Incomplete, Code: codeIncomplete,
				Message: fmt.Sprintf("the cloud's list of %d images did not end after %d pages", p.total, pages+1),
			}
		}
	}
}
