// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

	// Present finds what to compare with; nil if there is nothing.
	Present Present
}

// Present returns the present state of a query.
type Present func(ctx context.Context, query *imagev1alpha1.ImageQuery) (State, error)

// State is a query as the cluster has it, nil if it isn't there, and the CloudImages of its region, as far as they are known.
type State struct {
	Query  *imagev1alpha1.ImageQuery
	Images []imagev1alpha1.CloudImage
}

// maxStatusImages is the default of the operator's flag --max-status-images. Verdicts and selection don't depend on it.
const maxStatusImages = 500

// Decide returns what the operator would make of a document. The error is about the cluster, or that of an ended context.
func (p Previewer) Decide(ctx context.Context, d Document) (Report, error) {
	r := newReport(d)
	if d.Refusal != nil {
		return r.refused(d.Refusal.Error()), nil //nolint:nilerr // it is the report
	}
	var present State
	if p.Present != nil {
		var err error
		if present, err = p.Present(ctx, d.Query); err != nil {
			return Report{}, err
		}
		r.compared = true
	}
	query := onto(present.Query, d.Query)
	lister := p.Lister(selection.ScopeOf(query).Credentials)
	dry := controllers.DryRun{Lister: lister, Account: p.Account, Now: p.Now, MaxStatusImages: maxStatusImages}
	outcome, err := dry.Poll(ctx, query, present.Images)
	if err != nil {
		return Report{}, err
	}
	if playback, is := lister.(*Playback); is {
		r.assume(playback.Assumed)
	}
	r.decided(query, outcome)
	return r, nil
}

// onto returns the query as it would be once it is applied where present is; nil stands for none.
func onto(present, query *imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQuery {
	query = query.DeepCopy()
	if present == nil {
		return query
	}
	query.UID, query.CreationTimestamp, query.Generation = present.UID, present.CreationTimestamp, present.Generation
	if !equality.Semantic.DeepEqual(present.Spec, query.Spec) {
		query.Generation++
	}
	query.Status = *present.Status.DeepCopy()
	for key, value := range present.Annotations {
		if _, set := query.Annotations[key]; !set {
			metav1.SetMetaDataAnnotation(&query.ObjectMeta, key, value)
		}
	}
	return query
}
