// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"maps"
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Observation is what one poll learned from the cloud: a listing, and the state of known images that the listing lacks.
type Observation struct {
	Listing catalog.Listing

	// Matching are the images of the listing that match. Funnel explains the others.
	Matching []catalog.Image
	Funnel   Funnel

	// Missing holds known members that are not in Matching, with the reason for which they would leave. The reason is
	// "" if the cloud contradicted itself.
	Missing map[string]imagev1alpha1.RemovalReason

	// FoundByID holds images that are not in Matching, but were found by id.
	FoundByID map[string]catalog.Image

	// Gone holds images that were requested by id and don't exist.
	Gone map[string]bool
}

// without returns the observation as if the given images were missing.
func (o Observation) without(ids map[string]bool) Observation {
	if len(ids) == 0 {
		return o
	}
	o.Matching = slices.DeleteFunc(slices.Clone(o.Matching), func(image catalog.Image) bool { return ids[image.ID] })
	o.Missing, o.FoundByID = maps.Clone(o.Missing), maps.Clone(o.FoundByID)
	if o.Missing == nil {
		o.Missing = map[string]imagev1alpha1.RemovalReason{}
	}
	for id := range ids {
		o.Missing[id] = imagev1alpha1.RemovedNotMatched
		delete(o.FoundByID, id)
	}
	return o
}

// ByID indexes images by id.
func ByID(images []catalog.Image) map[string]catalog.Image {
	out := make(map[string]catalog.Image, len(images))
	for _, image := range images {
		out[image.ID] = image
	}
	return out
}

// selectedAmong returns the images that were selected when the status was written, by id.
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

// IDsOf returns the set of ids. It is cheaper than ByID, which copies every image.
func IDsOf(images []catalog.Image) map[string]bool {
	out := make(map[string]bool, len(images))
	for i := range images {
		out[images[i].ID] = true
	}
	return out
}
