// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// Previewer decides queries.
type Previewer struct {
	// Lister returns what answers the requests of one query.
	Lister  func(credentials string) catalog.Lister
	Account catalog.Account
	Now     time.Time

	// Present returns a query as it is in the cluster, nil if it isn't there, and its CloudImages. Without the func there is nothing
	// to compare with.
	Present func(ctx context.Context, query *imagev1alpha1.ImageQuery) (*imagev1alpha1.ImageQuery, []imagev1alpha1.CloudImage, error)
}

// maxStatusImages is the default of the operator's flag --max-status-images. Verdicts and selection don't depend on it.
const maxStatusImages = 500

// Decide returns what the operator would make of a document. The error is about the cluster, or that of an ended context.
func (p Previewer) Decide(ctx context.Context, d Document) (Report, error) {
	r := newReport(d)
	if d.Refusal != nil {
		return r.refused(d.Refusal.Error()), nil
	}
	query, images := d.Query, []imagev1alpha1.CloudImage(nil)
	if p.Present != nil {
		present, objects, err := p.Present(ctx, d.Query)
		if err != nil {
			return Report{}, err
		}
		query, images, r.compared = Onto(present, d.Query), objects, true
	}
	lister := p.Lister(selection.ScopeOf(query).Credentials)
	dry := controllers.DryRun{Lister: lister, Account: p.Account, Now: p.Now, MaxStatusImages: maxStatusImages}
	outcome, err := dry.Poll(ctx, query, images)
	if err != nil {
		return Report{}, err
	}
	if playback, is := lister.(*Playback); is {
		r.assume(playback.Assumed)
	}
	r.decided(query, outcome)
	return r, nil
}

func sameSpec(a, b *imagev1alpha1.ImageQuery) bool {
	return equality.Semantic.DeepEqual(a.Spec, b.Spec)
}
