// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// idsPerRequest is how many ids one request asks for.
const idsPerRequest = 100

// observer asks one account about one query's images.
type observer struct {
	lister  catalog.Lister
	account catalog.Account
	query   catalog.Query
}

// observe lists the images and finds those that match. One listing is not enough for an image to leave: known members that it doesn't
// confirm are asked for by id. What isn't there is gone; what is there and would match leaves only if the listing, read
// once more, lacks it too. Selected images that are no members any more are asked for as well: nobody should boot one
// that is gone.
func (a observer) observe(ctx context.Context, m selection.Matcher, k selection.Known, selected []string, least int) (selection.Observation, *failure) {
	listing, err := a.list(ctx, a.query)
	if err != nil {
		return selection.Observation{}, failureOf(err)
	}
	members, funnel := m.Split(listing)
	if len(members) < max(1, least) {
		funnel.Nearest = m.Nearest(listing.Images)
	}
	v := selection.Observation{
		Listing: listing, Matching: members, Funnel: funnel,
		Missing: map[string]imagev1alpha1.RemovalReason{}, FoundByID: map[string]catalog.Image{}, Gone: map[string]bool{},
	}
	matching := selection.IDsOf(v.Matching)
	for id := range k.Members {
		if !matching[id] {
			v.Missing[id] = ""
		}
	}
	lost := slices.DeleteFunc(slices.Clone(selected), func(id string) bool { return matching[id] })
	if len(v.Matching) < least {
		return v, a.tooFew(ctx, v, lost, least)
	}
	if listing.Unsettled {
		return v, nil
	}
	ask := slices.Sorted(maps.Keys(v.Missing))
	for _, id := range lost {
		if _, asked := v.Missing[id]; !asked {
			ask = append(ask, id)
		}
	}
	if len(ask) == 0 {
		return v, nil
	}
	if err := a.confirm(ctx, m, &v, ask); err != nil {
		return selection.Observation{}, failureOf(err)
	}
	return v, nil
}

// confirm asks for images by id, and says of each why it isn't among those that match.
func (a observer) confirm(ctx context.Context, m selection.Matcher, v *selection.Observation, ask []string) error {
	found, err := a.byID(ctx, ask)
	if err != nil {
		return err
	}
	v.FoundByID = selection.ByID(found)
	for _, id := range ask {
		_, exists := v.FoundByID[id]
		v.Gone[id] = !exists
		if _, missing := v.Missing[id]; !missing {
			continue
		}
		v.Missing[id] = imagev1alpha1.RemovedNotMatched
		if !exists {
			v.Missing[id] = imagev1alpha1.RemovedGone
		}
	}
	// The second look is only for images that the listing left out although they are there and would match.
	doubted := slices.DeleteFunc(m.Members(found), func(image catalog.Image) bool { _, missing := v.Missing[image.ID]; return !missing })
	if len(doubted) == 0 {
		return nil
	}
	again := a.query
	again.Fresh = true
	second, err := a.list(ctx, again)
	if err != nil {
		return err
	}
	matching := selection.IDsOf(v.Matching)
	for _, image := range m.Members(second.Images) {
		if !matching[image.ID] {
			v.Matching = append(v.Matching, image)
		}
		delete(v.Missing, image.ID)
		delete(v.Gone, image.ID)
	}
	if second.Unsettled {
		for _, image := range doubted {
			if _, missing := v.Missing[image.ID]; missing {
				v.Missing[image.ID] = ""
			}
		}
	}
	slices.SortFunc(v.Matching, selection.NewestFirst)
	return nil
}

// tooFew is the failure of a listing with fewer images than are believed. It names the selected images that are gone,
// because somebody may be booting them.
func (a observer) tooFew(ctx context.Context, v selection.Observation, lost []string, least int) *failure {
	message := v.Funnel.String() + nearestNote(v.Funnel) + fmt.Sprintf("; that is fewer than spec.minImages (%d), so nothing of this listing is published; "+
		"lower minImages if that is right", least) + listingNote(a.query.InstanceType, v.Listing)
	if len(lost) > 0 {
		found, err := a.byID(ctx, lost)
		there := selection.IDsOf(found)
		gone := slices.DeleteFunc(slices.Clone(lost), func(id string) bool { return there[id] })
		switch {
		case err != nil:
			message += "; whether the selected images still exist could not be found out"
		case len(gone) > 0:
			message += fmt.Sprintf("; selected, but gone, as a request by id says: %s", enumerate(gone, 5))
		}
	}
	return &failure{reason: imagev1alpha1.ReasonTooFewImages, message: message}
}

// byID returns those of the images that exist and are visible to the account, whatever the query asks for.
func (a observer) byID(ctx context.Context, ids []string) ([]catalog.Image, error) {
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
func (a observer) list(ctx context.Context, query catalog.Query) (catalog.Listing, error) {
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

// toQuery is what the cloud is asked for a spec.
func toQuery(spec *imagev1alpha1.ImageQuerySpec) catalog.Query {
	q := catalog.Query{Region: spec.Region, InstanceType: spec.InstanceType}
	for _, f := range spec.Filters {
		q.Filters = append(q.Filters, catalog.Filter{Name: f.Name, Values: selection.Distinct(f.Values)})
	}
	for _, id := range selection.Distinct(spec.ImageIDs) {
		q.ImageIDs = append(q.ImageIDs, string(id))
	}
	return q
}
