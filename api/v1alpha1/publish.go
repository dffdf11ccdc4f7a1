// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Keys of a ConfigMap with LabelSelectionOf. Other keys stay as they are. An architecture with more than one selected image has no key.
const (
	// KeyImageID has the only image, if one is selected in all.
	KeyImageID = "image_id"
	// KeyRevision is status.revision as it was when this selection was written. It changes only with the other keys.
	KeyRevision = "revision"
	// KeySelectedJSON is a JSON object with the query's name and region, and images: a list as in status.selected.
	KeySelectedJSON = "selected_json"
)

// Values of AnnotationPublishState. Any other value is a sentence for people.
const (
	// PublishCurrent: the data is what the query selects.
	PublishCurrent = "Current"
	// PublishKept: an architecture has no selected image any more, or the query is gone. The last image stays in the data.
	PublishKept = "Kept"
)

// KeyImageIDOf returns the key that has the image of an architecture: image_id_amd64, image_id_arm64 or image_id_386.
func KeyImageIDOf(architecture Architecture) string { return KeyImageID + "_" + string(architecture) }
