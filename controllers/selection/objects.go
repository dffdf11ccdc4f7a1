// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"cmp"
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// WithObjects are the members that have CloudImages.
func (v Decision) WithObjects(policy imagev1alpha1.CloudImageScope) []catalog.Image {
	switch policy {
	case imagev1alpha1.CloudImagesNone:
		return nil
	case imagev1alpha1.CloudImagesSelected:
		selected := IDsOf(v.Selection.Selected)
		return slices.DeleteFunc(slices.Clone(v.Members), func(image catalog.Image) bool { return !selected[image.ID] })
	case imagev1alpha1.CloudImagesAll:
	}
	if len(v.WithoutObject) == 0 {
		return v.Members
	}
	return slices.DeleteFunc(slices.Clone(v.Members), func(image catalog.Image) bool { return v.WithoutObject[image.ID] })
}

func objectsForAll(query *imagev1alpha1.ImageQuery) bool {
	return cmp.Or(query.Spec.CloudImages.Policy, imagev1alpha1.CloudImagesAll) == imagev1alpha1.CloudImagesAll
}

// MaxObjects is how many CloudImages a query may have.
func MaxObjects(query *imagev1alpha1.ImageQuery) int {
	most := cmp.Or(int(query.Spec.CloudImages.MaxImages), 1000)
	if !objectsForAll(query) {
		most = min(most, 500) // the default that was stored with policy All may have stayed behind
	}
	return most
}
