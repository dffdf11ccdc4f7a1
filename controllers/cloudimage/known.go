// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// KnownOf gathers what CloudImages and status tell. Objects have all facts; where there are none, because of
// cloudImages.policy or because the API server refused them, remembered has the facts since the process began, and
// status.images the names.
func KnownOf(h Owner, existing map[string]*Entry, remembered []catalog.Image) selection.Known {
	k := selection.Known{
		Members: map[string]catalog.Image{}, Partial: map[string]bool{}, InGrace: map[string]selection.Departed{},
		Verdicts: map[string]imagev1alpha1.SelectionVerdict{}, HeldBack: map[string]bool{}, WithObject: map[string]bool{},
	}
	for _, image := range existing {
		switch {
		case !h.InScope(image.CloudImage):
		case h.IsMember(image.CloudImage):
			k.Members[image.Image.ID] = FromRecord(&image.Image)
			k.WithObject[image.Image.ID] = true
		case h.Owns(image.CloudImage) && image.DeletionTimestamp == nil:
			k.InGrace[image.Image.ID] = h.departed(image.CloudImage)
			k.WithObject[image.Image.ID] = true
		}
	}
	status := &h.Query.Status
	if !selection.SameScope(status.ObservedQuery, selection.ObservedQuery(h.Query)) {
		return k
	}
	facts := make(map[string]catalog.Image, len(remembered))
	for _, image := range remembered {
		facts[image.ID] = image
	}
	blocked := meta.IsStatusConditionTrue(status.Conditions, imagev1alpha1.ConditionRemovalBlocked)
	for _, shown := range status.Images {
		k.Verdicts[shown.ImageID] = shown.Selection
		// Not by the condition alone: an edit takes that away before the next listing has decided anew.
		if shown.Selection == imagev1alpha1.VerdictHeldBack {
			k.HeldBack[shown.ImageID], blocked = true, true
		}
		if image, known := k.Members[shown.ImageID]; known {
			// Whose an image was is what this query published: a peer may have written since what the cloud shows now.
			if shown.Type != "" && (shown.Type != image.Type || shown.Creator != image.Creator) {
				image.Type, image.Creator = shown.Type, shown.Creator
				k.Members[shown.ImageID], k.Partial[shown.ImageID] = image, true
			}
			continue
		}
		image, remembered := facts[shown.ImageID]
		if !remembered {
			image, k.Partial[shown.ImageID] = selection.FromSummary(shown), true
		}
		k.Members[shown.ImageID] = image
	}
	// Where status still shows an image without trust, only such images were left out.
	trust := selection.Selector{Spec: &h.Query.Spec}
	k.HeldBackUnknown = blocked && ptr.Deref(status.ImagesTruncated, false) &&
		!slices.ContainsFunc(status.Images, func(shown imagev1alpha1.ImageSummary) bool { return trust.Distrusts(selection.FromSummary(shown)) })
	return k
}

// departed is what an object tells of an image that left the query.
func (h Owner) departed(object *imagev1alpha1.CloudImage) selection.Departed {
	d := selection.Departed{Image: FromRecord(&object.Image)}
	if entry := h.leaving(object); entry != nil {
		d.Since, d.Replaced = entry.Since.Time, entry.Replaced
	}
	return d
}
