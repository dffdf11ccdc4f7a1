// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "slices"

// For programs that boot machines from what an ImageQuery selects. Their rule: use status.selected whenever it is not
// empty, and keep what is in use when it is. Don't ask Ready first: it is for people and alerts, and goes False while
// the cloud can't be reached, when the selection is as good as before.

// Selected returns the image to use of that architecture: the first that the query selects, which is the newest unless
// spec.selection says otherwise. An empty architecture takes the first of all, for queries about one architecture. It
// returns false if none is selected, which is no order to stop using one.
func Selected(query *ImageQuery, architecture Architecture) (SelectedImage, bool) {
	for _, image := range selectedOf(query) {
		if architecture == "" || image.Architecture == string(architecture) {
			return image, true
		}
	}
	return SelectedImage{}, false
}

// SelectionChanged tells whether two states of an ImageQuery select other images, or the same in another order; a query
// that is nil selects none. It is what the predicate of a watch should ask: conditions and lastSyncTime change much
// more often than what a consumer uses.
func SelectionChanged(old, new *ImageQuery) bool {
	return !slices.EqualFunc(selectedOf(old), selectedOf(new), func(a, b SelectedImage) bool {
		return a.ImageID == b.ImageID && a.Name == b.Name && a.Architecture == b.Architecture && a.CreatedTime.Equal(b.CreatedTime)
	})
}

func selectedOf(query *ImageQuery) []SelectedImage {
	if query == nil {
		return nil
	}
	return query.Status.Selected
}
