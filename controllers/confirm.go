// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// idsPerRequest is how many ids one request asks for.
const idsPerRequest = 100

// view is what one poll found out of the cloud: a listing, and what became of the images that it lacks.
type view struct {
	listing catalog.Listing

	// matching are the images of the listing that match.
	matching []catalog.Image

	// missing are known members that are not among matching: with why they would leave, or with "" where the cloud
	// contradicted itself, so that nothing is known.
	missing map[string]imagev1alpha1.RemovalReason

	// there are images that are not among matching, but were found by their ids.
	there map[string]catalog.Image

	// gone are images that were asked for by id and don't exist.
	gone map[string]bool
}

// asker asks one account about one query's images.
type asker struct {
	lister  catalog.Lister
	account catalog.Account
	query   catalog.Query
}

// look lists the images and finds those that match. Nothing leaves on one listing's word: known members that it doesn't
// confirm are asked for by id. What isn't there is gone; what is there and would match leaves only if the listing, read
// once more, lacks it too. Selected images that are no members any more are asked for as well: nobody should boot one
// that is gone.
func (a asker) look(ctx context.Context, m matcher, k knowledge, selected []string, least int) (view, *failure) {
	listing, err := a.list(ctx, a.query)
	if err != nil {
		return view{}, failed(err)
	}
	v := view{
		listing: listing, matching: m.members(listing.Images),
		missing: map[string]imagev1alpha1.RemovalReason{}, there: map[string]catalog.Image{}, gone: map[string]bool{},
	}
	matching := idsOf(v.matching)
	for id := range k.members {
		if !matching[id] {
			v.missing[id] = ""
		}
	}
	lost := slices.DeleteFunc(slices.Clone(selected), func(id string) bool { return matching[id] })
	if len(v.matching) < least {
		return v, a.tooFew(ctx, v, lost, least)
	}
	if listing.Unsettled {
		return v, nil
	}
	ask := slices.Sorted(maps.Keys(v.missing))
	for _, id := range lost {
		if _, asked := v.missing[id]; !asked {
			ask = append(ask, id)
		}
	}
	if len(ask) == 0 {
		return v, nil
	}
	if err := a.confirm(ctx, m, &v, ask); err != nil {
		return view{}, failed(err)
	}
	return v, nil
}

// confirm asks for images by id, and says of each why it isn't among those that match.
func (a asker) confirm(ctx context.Context, m matcher, v *view, ask []string) error {
	found, err := a.byID(ctx, ask)
	if err != nil {
		return err
	}
	v.there = byID(found)
	for _, id := range ask {
		_, exists := v.there[id]
		v.gone[id] = !exists
		if _, missing := v.missing[id]; !missing {
			continue
		}
		v.missing[id] = imagev1alpha1.RemovedNotMatched
		if !exists {
			v.missing[id] = imagev1alpha1.RemovedGone
		}
	}
	// The second look is only for images that the listing left out although they are there and would match.
	doubted := slices.DeleteFunc(m.members(found), func(image catalog.Image) bool { _, missing := v.missing[image.ID]; return !missing })
	if len(doubted) == 0 {
		return nil
	}
	again := a.query
	again.Fresh = true
	second, err := a.list(ctx, again)
	if err != nil {
		return err
	}
	matching := idsOf(v.matching)
	for _, image := range m.members(second.Images) {
		if !matching[image.ID] {
			v.matching = append(v.matching, image)
		}
		delete(v.missing, image.ID)
		delete(v.gone, image.ID)
	}
	if second.Unsettled {
		for _, image := range doubted {
			if _, missing := v.missing[image.ID]; missing {
				v.missing[image.ID] = ""
			}
		}
	}
	slices.SortFunc(v.matching, newestFirst)
	return nil
}

// tooFew is the failure of a listing with fewer images than are believed. It names the selected images that are gone,
// because somebody may be booting them.
func (a asker) tooFew(ctx context.Context, v view, lost []string, least int) *failure {
	message := fmt.Sprintf("%d images match, fewer than spec.minImages (%d), so nothing of this listing is published; "+
		"lower minImages if that is right", len(v.matching), least) + notes(a.query.InstanceType, v.listing)
	if len(lost) > 0 {
		found, err := a.byID(ctx, lost)
		there := idsOf(found)
		gone := slices.DeleteFunc(slices.Clone(lost), func(id string) bool { return there[id] })
		switch {
		case err != nil:
			message += "; whether the selected images still exist could not be found out"
		case len(gone) > 0:
			message += fmt.Sprintf("; selected, but asked for by id not there any more: %s", enumerate(gone, 5))
		}
	}
	return &failure{reason: imagev1alpha1.ReasonTooFewImages, message: message}
}

// byID returns those of the images that exist and are visible to the account, whatever the query asks for.
func (a asker) byID(ctx context.Context, ids []string) ([]catalog.Image, error) {
	var found []catalog.Image
	for chunk := range slices.Chunk(ids, idsPerRequest) {
		listing, err := a.list(ctx, catalog.Query{Region: a.query.Region, ImageIDs: chunk, Fresh: true})
		switch {
		case err != nil:
			return nil, err
		case listing.Unsettled:
			return nil, &catalog.Error{Kind: catalog.Incomplete, Message: "the cloud's answer to a request by id does not add up"}
		}
		found = append(found, listing.Images...)
	}
	return found, nil
}

// list asks the cloud. Where it refuses a request because of one of its image ids, each half of them is asked for; an id
// that it refuses alone is one of no image.
func (a asker) list(ctx context.Context, query catalog.Query) (catalog.Listing, error) {
	listing, err := a.lister.List(ctx, a.account, query)
	refused := (*catalog.Error)(nil)
	switch {
	case len(query.ImageIDs) == 0 || !errors.As(err, &refused) || !refused.UnknownImageID:
		return listing, err
	case len(query.ImageIDs) == 1:
		return catalog.Listing{}, nil
	}
	half := len(query.ImageIDs) / 2
	first, second := query, query
	first.ImageIDs, second.ImageIDs = query.ImageIDs[:half], query.ImageIDs[half:]
	listing, err = a.list(ctx, first)
	if err != nil {
		return catalog.Listing{}, err
	}
	rest, err := a.list(ctx, second)
	if err != nil {
		return catalog.Listing{}, err
	}
	return catalog.Listing{
		Images:    slices.Concat(listing.Images, rest.Images),
		Skipped:   listing.Skipped + rest.Skipped,
		Unsettled: listing.Unsettled || rest.Unsettled,
	}, nil
}

func byID(images []catalog.Image) map[string]catalog.Image {
	out := make(map[string]catalog.Image, len(images))
	for _, image := range images {
		out[image.ID] = image
	}
	return out
}

// selectedAmong are those of some images that were selected when the status was written, by id.
func selectedAmong(images []catalog.Image, status *imagev1alpha1.ImageQueryStatus) map[string]catalog.Image {
	selected := make(map[string]bool, len(status.Selected))
	for _, image := range status.Selected {
		selected[image.ImageID] = true
	}
	out := make(map[string]catalog.Image, len(selected))
	for _, image := range images {
		if selected[image.ID] {
			out[image.ID] = image
		}
	}
	return out
}

// idsOf is byID where only the ids count: a map of thousands of images costs an allocation for each.
func idsOf(images []catalog.Image) map[string]bool {
	out := make(map[string]bool, len(images))
	for i := range images {
		out[images[i].ID] = true
	}
	return out
}

// enumerate names the first of some things, and how many more there are.
func enumerate(names []string, most int) string {
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
