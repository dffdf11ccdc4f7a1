// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// ownerKnown reports whether the stored fields identify an image's owner. The status of an older version doesn't, and
// that alone must not exclude an image.
func ownerKnown(image catalog.Image) bool {
	return image.Type != "" || image.Creator != "" || image.State != ""
}

// Images of these types can't be shared by other accounts: they belong to the account itself or to Tencent (API page
// DescribeImages, type Image).
const (
	typePrivate = "PRIVATE_IMAGE"
	typePublic  = "PUBLIC_IMAGE"
)

// trusts reports whether an image may be selected, given its owner. The account that shares an image chooses its name,
// so a matching name proves nothing. Neither does an unknown type.
func (s Selector) trusts(image catalog.Image) bool {
	return image.Type == typePrivate || image.Type == typePublic ||
		slices.Contains(s.Spec.Selection.TrustedCreators, image.Creator) ||
		slices.Contains(s.Spec.Match.Creators, image.Creator) ||
		slices.Contains(s.Spec.ImageIDs, imagev1alpha1.ImageID(image.ID))
}

// Distrusts reports whether the stored fields show that an image must not be selected.
func (s Selector) Distrusts(image catalog.Image) bool { return ownerKnown(image) && !s.trusts(image) }
