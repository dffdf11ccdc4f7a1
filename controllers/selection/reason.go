// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// SelectedIDs returns the ids of selected images, in order.
func SelectedIDs(images []imagev1alpha1.SelectedImage) []string {
	out := make([]string, len(images))
	for i, image := range images {
		out[i] = image.ImageID
	}
	return out
}

// EditReason returns why the selection after an edit replaces the previous one.
func EditReason(query *imagev1alpha1.ImageQuery, now []string) imagev1alpha1.SelectionReason {
	if newlyPinned(query, now) {
		return imagev1alpha1.SelectedPinned
	}
	return imagev1alpha1.SelectedSpecChanged
}

// newlyPinned reports whether a pinned image is newly selected.
func newlyPinned(query *imagev1alpha1.ImageQuery, now []string) bool {
	before := SelectedIDs(query.Status.Selected)
	return slices.ContainsFunc(now, func(id string) bool {
		return slices.Contains(query.Spec.Selection.Pin, imagev1alpha1.ImageID(id)) && !slices.Contains(before, id)
	})
}

// Reason returns why a poll's selection replaces the previous one. It is meaningless if the selection is unchanged.
func Reason(query *imagev1alpha1.ImageQuery, v Decision) imagev1alpha1.SelectionReason {
	status := &query.Status
	now := v.Selection.IDs()
	if status.SyncedGeneration != query.Generation {
		return EditReason(query, now)
	}
	members := selectedAmong(v.Members, status)
	var found []imagev1alpha1.SelectionReason
	for _, was := range status.Selected {
		if slices.Contains(now, was.ImageID) {
			continue
		}
		image, member := members[was.ImageID]
		switch {
		case v.Gone[was.ImageID]:
			found = append(found, imagev1alpha1.SelectedGone)
		case !member:
			found = append(found, imagev1alpha1.SelectedNotMatched)
		case image.State != string(imagev1alpha1.ImageStateNormal):
			found = append(found, imagev1alpha1.SelectedNotNormal)
		case image.Deprecated:
			found = append(found, imagev1alpha1.SelectedDeprecated)
		}
	}
	for _, shown := range status.Images {
		if shown.Selection == imagev1alpha1.VerdictTooYoung && slices.Contains(now, shown.ImageID) {
			found = append(found, imagev1alpha1.SelectedAged)
		}
	}
	if newlyPinned(query, now) {
		found = append(found, imagev1alpha1.SelectedPinned)
	}
	for _, reason := range []imagev1alpha1.SelectionReason{
		imagev1alpha1.SelectedGone, imagev1alpha1.SelectedNotMatched, imagev1alpha1.SelectedNotNormal,
		imagev1alpha1.SelectedDeprecated, imagev1alpha1.SelectedPinned, imagev1alpha1.SelectedAged,
	} {
		if slices.Contains(found, reason) {
			return reason
		}
	}
	return imagev1alpha1.SelectedNewImage
}
