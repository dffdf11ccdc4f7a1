// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

func ExampleSelected() {
	query := &imagev1alpha1.ImageQuery{} // as a client has read it
	query.Status.Selected = []imagev1alpha1.SelectedImage{
		{ImageID: "img-9qabwvbn", Architecture: "amd64"},
		{ImageID: "img-3la7wgnt", Architecture: "arm64"},
	}
	image, ok := imagev1alpha1.Selected(query, "arm64")
	if !ok {
		return // nothing is selected: keep what is in use, and wait for the next event
	}
	fmt.Println(image.ImageID)
	// Output: img-3la7wgnt
}

func ExampleSelectionChanged() {
	before, after := &imagev1alpha1.ImageQuery{}, &imagev1alpha1.ImageQuery{} // of an update event
	before.Status.Selected = []imagev1alpha1.SelectedImage{{ImageID: "img-9qabwvbn", Architecture: "amd64"}}
	after.Status.Selected = []imagev1alpha1.SelectedImage{{ImageID: "img-3la7wgnt", Architecture: "amd64"}}

	fmt.Println(imagev1alpha1.SelectionChanged(before, after))
	after.Status.Selected = before.Status.Selected
	after.Status.Revision = "9f2c51a07be4" // another fact of another member
	fmt.Println(imagev1alpha1.SelectionChanged(before, after))
	// Output:
	// true
	// false
}

func ExampleKeyImageIDOf() {
	data := map[string]string{"image_id_amd64": "img-9qabwvbn"} // of a ConfigMap that the operator fills

	id, ok := data[imagev1alpha1.KeyImageIDOf("amd64")]
	fmt.Println(id, ok)
	// Output: img-9qabwvbn true
}
