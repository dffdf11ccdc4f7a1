// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// WithObjects returns the members that have CloudImages under a policy.
func (d Decision) WithObjects(policy imagev1alpha1.CloudImageScope) []catalog.Image {
	switch policy {
	case imagev1alpha1.CloudImagesNone:
		return nil
	case imagev1alpha1.CloudImagesSelected:
		selected := IDsOf(d.Selection.Selected)
		return slices.DeleteFunc(slices.Clone(d.Members), func(image catalog.Image) bool { return !selected[image.ID] })
	case imagev1alpha1.CloudImagesAll:
	}
	if len(d.WithoutObject) == 0 {
		return d.Members
	}
	return slices.DeleteFunc(slices.Clone(d.Members), func(image catalog.Image) bool { return d.WithoutObject[image.ID] })
}
