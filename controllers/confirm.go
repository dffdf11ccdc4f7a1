// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// idsPerRequest is how many ids one request asks for.
const idsPerRequest = 100

// view is what is known of the cloud after one poll: the listing, checked where images seem to have left it.
type view struct {
	listing catalog.Listing
	members []catalog.Image
}

// look lists the images and finds the members among them. Nothing leaves on one listing's word: known members that
// the listing doesn't confirm are asked for by id. What isn't there is gone; what is, and still would not be a member,
// leaves only if the listing, read once more, lacks it too.
func look(ctx context.Context, lister catalog.Lister, account catalog.Account, query catalog.Query, m matcher, known []catalog.Image, enough func(int) *failure) (view, *failure) {
	listing, err := lister.List(ctx, account, query)
	if err != nil {
		return view{}, failed(err)
	}
	members := m.members(listing.Images)
	if few := enough(len(members)); few != nil {
		few.message += notes(listing)
		return view{listing: listing}, few
	}
	missing := without(known, members)
	if len(missing) == 0 {
		return view{listing: listing, members: members}, nil
	}
	// A tag key that nobody has any more reads like an empty cloud, and may be one person's slip of the hand.
	if listing.Unsettled || listing.TagKeyNotFound {
		return view{listing: listing, members: m.sorted(append(members, missing...))}, nil
	}
	there, err := byID(ctx, lister, account, query.Region, ids(missing))
	if err != nil {
		return view{}, failed(err)
	}
	// The second look is only for images that the listing left out although they are there and would match.
	if doubted := m.members(there); len(doubted) > 0 {
		again := query
		again.Fresh = true
		second, err := lister.List(ctx, account, again)
		if err != nil {
			return view{}, failed(err)
		}
		members = m.sorted(append(members, without(m.members(second.Images), members)...))
		if second.Unsettled {
			members = m.sorted(append(members, without(doubted, members)...))
		}
	}
	return view{listing: listing, members: members}, enough(len(members))
}

// byID returns those of the images that exist and are visible to the account, whatever a query asks for.
func byID(ctx context.Context, lister catalog.Lister, account catalog.Account, region string, ids []string) ([]catalog.Image, error) {
	var found []catalog.Image
	for chunk := range slices.Chunk(ids, idsPerRequest) {
		images, err := bisect(ctx, lister, account, region, chunk)
		if err != nil {
			return nil, err
		}
		found = append(found, images...)
	}
	return found, nil
}

// bisect asks for ids. Where the cloud refuses the request because of one of them, the halves are asked for; an id
// that it refuses alone is none of an image.
func bisect(ctx context.Context, lister catalog.Lister, account catalog.Account, region string, ids []string) ([]catalog.Image, error) {
	listing, err := lister.List(ctx, account, catalog.Query{Region: region, ImageIDs: ids, Fresh: true})
	if refused := (*catalog.Error)(nil); errors.As(err, &refused) && refused.UnknownImageID {
		if len(ids) == 1 {
			return nil, nil
		}
		half := len(ids) / 2
		first, err := bisect(ctx, lister, account, region, ids[:half])
		if err != nil {
			return nil, err
		}
		second, err := bisect(ctx, lister, account, region, ids[half:])
		return append(first, second...), err
	}
	if err != nil {
		return nil, err
	}
	if listing.Unsettled {
		return nil, &catalog.Error{Kind: catalog.Incomplete, Message: "the cloud's answer to a request by id does not add up"}
	}
	return listing.Images, nil
}

func ids(images []catalog.Image) []string {
	out := make([]string, len(images))
	for i, image := range images {
		out[i] = image.ID
	}
	slices.SortFunc(out, strings.Compare)
	return out
}

// without are the images whose ids are not among others.
func without(images, others []catalog.Image) []catalog.Image {
	has := make(map[string]bool, len(others))
	for _, image := range others {
		has[image.ID] = true
	}
	var out []catalog.Image
	for _, image := range images {
		if !has[image.ID] {
			out = append(out, image)
		}
	}
	return out
}
