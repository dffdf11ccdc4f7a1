// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// DryRun polls queries as a Reconciler does, but writes nothing and needs no cluster.
type DryRun struct {
	Lister  catalog.Lister
	Account catalog.Account
	Now     time.Time

	// MaxStatusImages bounds status.images, as of a Reconciler.
	MaxStatusImages int
}

// Outcome is what a poll would come to.
type Outcome struct {
	// Decision is valid unless the poll failed. Of a listing with too few images only Listing is known.
	selection.Decision
	Funnel selection.Funnel

	// Reason and Message explain why nothing of the listing would be published. They are empty if the poll succeeded.
	Reason, Message string

	// Status is what the operator would write. Status.Removing has only images whose CloudImages are given.
	Status *imagev1alpha1.ImageQueryStatus
}

// Poll returns what the next poll of a query would come to, given its status and its CloudImages. The error is that of an ended
// context.
func (d DryRun) Poll(ctx context.Context, query *imagev1alpha1.ImageQuery, images []imagev1alpha1.CloudImage) (Outcome, error) {
	query = query.DeepCopy()
	existing := make(map[string]*cloudimage.Entry, len(images))
	for i := range images {
		existing[images[i].Name] = cloudimage.NewEntry(images[i].DeepCopy())
	}
	known := func() selection.Known { return cloudimage.KnownOf(cloudimage.OwnerOf(query), existing, nil) }
	if query.Status.SyncedGeneration != query.Generation && query.Status.ObservedGeneration != query.Generation {
		query.Status = *progressing(query, selection.Matcher{Match: &query.Spec.Match}, known(), d.Now)
	}
	o := &pollResult{began: d.Now, requestedAt: requestOf(query)}
	a := observer{lister: d.Lister, account: d.Account, query: toQuery(&query.Spec)}
	if err := a.decide(ctx, query, known(), o); err != nil {
		return Outcome{}, err
	}
	o.published = o.failure == nil
	m := &pollState{}
	if o.published {
		m.success = d.Now
		// Peers matter for labels only, and nothing is written.
		o.removing = cloudimage.MakePlan(cloudimage.NewClaim(query, d.Now, nil), o.Decision, existing).Removing
	}
	out := Outcome{Decision: o.Decision, Funnel: o.funnel, Status: statusAfterPoll(query, o, m, d.MaxStatusImages, d.Now)}
	if f := o.failure; f != nil {
		out.Reason, out.Message = f.reason, f.message
	}
	return out, nil
}
