// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"maps"
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Observation is what one poll found out of the cloud: a listing, and what became of the images that it lacks.
type Observation struct {
	Listing catalog.Listing

	// Matching are the images of the listing that match. Funnel explains the others.
	Matching []catalog.Image
	Funnel   Funnel

	// Missing are known members that are not among matching: with why they would leave, or with "" where the cloud
	// contradicted itself, so that nothing is known.
	Missing map[string]imagev1alpha1.RemovalReason

	// FoundByID are images that are not among matching, but were found by their ids.
	FoundByID map[string]catalog.Image

	// Gone are images that were asked for by id and don't exist.
	Gone map[string]bool
}

// without is an observation in which some images are missing that the cloud shows.
func (v Observation) without(ids map[string]bool) Observation {
	if len(ids) == 0 {
		return v
	}
	v.Matching = slices.DeleteFunc(slices.Clone(v.Matching), func(image catalog.Image) bool { return ids[image.ID] })
	v.Missing, v.FoundByID = maps.Clone(v.Missing), maps.Clone(v.FoundByID)
	if v.Missing == nil {
		v.Missing = map[string]imagev1alpha1.RemovalReason{}
	}
	for id := range ids {
		v.Missing[id] = imagev1alpha1.RemovedNotMatched
		delete(v.FoundByID, id)
	}
	return v
}

// ByID files images by their ids.
func ByID(images []catalog.Image) map[string]catalog.Image {
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

// IDsOf is ByID where only the ids count: a map of thousands of images costs an allocation for each.
func IDsOf(images []catalog.Image) map[string]bool {
	out := make(map[string]bool, len(images))
	for i := range images {
		out[images[i].ID] = true
	}
	return out
}
