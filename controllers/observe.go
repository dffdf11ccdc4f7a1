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

// idsPerRequest is the maximum number of ids in one request.
const idsPerRequest = 100

// observer observes one query's images in one account.
type observer struct {
	lister  catalog.Lister
	account catalog.Account
	query   catalog.Query
}

// observe lists the images and finds those that match. An image leaves only if it is confirmed: known members that the
// listing lacks are requested by id. Those that don't exist are gone. Those that exist and would match leave only if a
// second listing lacks them, too, and has all images of the first. Selected images that are no longer members are also
// requested by id, since a gone image must not be booted.
func (a observer) observe(ctx context.Context, m selection.Matcher, k selection.Known, selected []string, least int,
) (selection.Observation, *failure) {
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
		switch {
		case matching[id]:
		case m.Excludes(id):
			v.Missing[id] = imagev1alpha1.RemovedNotMatched // whatever the cloud says
		default:
			v.Missing[id] = ""
		}
	}
	lost := slices.DeleteFunc(slices.Clone(selected), func(id string) bool { return matching[id] })
	if len(v.Matching) < least {
		return v, a.tooFew(ctx, v, lost, least)
	}
	if listing.Inconsistent {
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

// confirm requests images by id and records why each is not among the matching ones.
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
	// The listing is read again only if it lacks images that exist and would match.
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
	if second.Inconsistent || lacksAny(second, v.Listing) {
		for _, image := range doubted {
			if _, missing := v.Missing[image.ID]; missing {
				v.Missing[image.ID] = ""
			}
		}
	}
	slices.SortFunc(v.Matching, selection.NewestFirst)
	return nil
}

// lacksAny reports whether a listing lacks an image of an earlier one. Then the earlier one may have skipped an image: when an
// image that was read leaves, those after it move up, so the first of the next page moves to a page that was already read.
func lacksAny(listing, earlier catalog.Listing) bool {
	listed := selection.IDsOf(listing.Images)
	return slices.ContainsFunc(earlier.Images, func(image catalog.Image) bool { return !listed[image.ID] })
}

// tooFew returns the failure of a listing with fewer matching images than spec.minImages. It names selected images that
// are gone, because consumers may be booting them.
func (a observer) tooFew(ctx context.Context, v selection.Observation, lost []string, least int) *failure {
	message := v.Funnel.String() + nearestNote(v.Funnel) +
		fmt.Sprintf("; nothing of this listing is published, since spec.minImages is %d: correct the query, "+
			"or lower minImages if so few are right", least) + listingNote(a.query.InstanceType, v.Listing)
	if len(lost) > 0 {
		found, err := a.byID(ctx, lost)
		there := selection.IDsOf(found)
		gone := slices.DeleteFunc(slices.Clone(lost), func(id string) bool { return there[id] })
		switch {
		case err != nil:
			message += "; whether the selected images still exist is not known, since the request for them failed"
		case len(gone) > 0:
			message += fmt.Sprintf("; selected, but no longer visible to these credentials: %s", enumerate(gone, 5))
		}
	}
	return &failure{reason: imagev1alpha1.ReasonTooFewImages, message: message}
}

// byID returns those images that exist and are visible to the account, ignoring the query's other criteria.
func (a observer) byID(ctx context.Context, ids []string) ([]catalog.Image, error) {
	var found []catalog.Image
	for chunk := range slices.Chunk(ids, idsPerRequest) {
		listing, err := a.list(ctx, catalog.Query{Region: a.query.Region, ImageIDs: chunk, Fresh: true})
		switch {
		case err != nil:
			return nil, err
		case listing.Inconsistent:
			return nil, &catalog.Error{Kind: catalog.Incomplete, Message: "the cloud's answer to a request by id does not add up"}
		}
		found = append(found, listing.Images...)
	}
	return found, nil
}

// list asks the cloud. If the cloud refuses a request because of one of its image ids, it bisects the ids. An id that
// is refused alone belongs to no image.
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
		Images:       slices.Concat(listing.Images, rest.Images),
		Skipped:      listing.Skipped + rest.Skipped,
		Inconsistent: listing.Inconsistent || rest.Inconsistent,
	}, nil
}

// toQuery converts a spec to a cloud query.
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
