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

// KnownOf collects what CloudImages and status show of a query's images. Objects have all fields. For images without an
// object, because of cloudImages.policy or a rejected write, remembered has the fields since the process started, and
// status.images has the names.
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
	addShown(k, status, selection.ByID(remembered))
	holdBackUnshown(k, h.Query)
	k.HeldBackUnknown = heldBackUnknown(h.Query, k)
	return k
}

// addShown adds what status.images shows of the members.
func addShown(k selection.Known, status *imagev1alpha1.ImageQueryStatus, remembered map[string]catalog.Image) {
	for _, shown := range status.Images {
		id := shown.ImageID
		k.Verdicts[id] = shown.Selection
		if shown.Selection == imagev1alpha1.VerdictHeldBack {
			k.HeldBack[id] = true
		}
		image, known := k.Members[id]
		switch {
		case !known:
			if image, known = remembered[id]; !known {
				image, k.Partial[id] = selection.FromSummary(shown), true
			}
		case shown.Type != "" && (shown.Type != image.Type || shown.Creator != image.Creator):
			// The owner is the one that this query published. A peer may have written a newer one to the object since.
			image.Type, image.Creator, k.Partial[id] = shown.Type, shown.Creator, true
		}
		k.Members[id] = image
	}
}

// holdBackUnshown holds back the members that status doesn't show although it shows all: a poll wrote their objects and ended
// before it wrote the status. They have not arrived until a status shows them; else a crash would let what arrives while removals
// are blocked pass for established. An edit takes images out of status before the next poll releases them, so after an edit
// nothing follows from what status lacks.
func holdBackUnshown(k selection.Known, query *imagev1alpha1.ImageQuery) {
	status := &query.Status
	shown := len(status.Images)
	showsAll := ptr.Deref(status.ImageCount, 0) == int32(shown) && !ptr.Deref(status.ImagesTruncated, false)
	if shown == 0 || !showsAll || status.SyncedGeneration != query.Generation {
		return
	}
	for id := range k.Members {
		if _, is := k.Verdicts[id]; !is {
			k.HeldBack[id] = true
		}
	}
}

// heldBackUnknown reports whether removals are blocked and status doesn't show all members that the breaker counts.
func heldBackUnknown(query *imagev1alpha1.ImageQuery, k selection.Known) bool {
	status := &query.Status
	// An edit removes the condition before the next listing is decided, but not the verdicts.
	blocked := len(k.HeldBack) > 0 || meta.IsStatusConditionTrue(status.Conditions, imagev1alpha1.ConditionRemovalBlocked)
	if !blocked || !ptr.Deref(status.ImagesTruncated, false) {
		return false
	}
	// Untrusted images are truncated first. If status still shows one, only untrusted ones were left out.
	trust := selection.Selector{Spec: &query.Spec}
	return !slices.ContainsFunc(status.Images, func(shown imagev1alpha1.ImageSummary) bool {
		return trust.Distrusts(selection.FromSummary(shown))
	})
}

// departed returns what an object shows of an image that left the query.
func (o Owner) departed(object *imagev1alpha1.CloudImage) selection.Departed {
	d := selection.Departed{Image: FromRecord(&object.Image)}
	if entry := o.leaving(object); entry != nil {
		d.Since, d.Replaced = entry.Since.Time, entry.Replaced
	}
	return d
}
