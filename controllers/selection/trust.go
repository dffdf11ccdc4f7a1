// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// tellsOwner says whether what was stored of an image tells whose it is. A status of an older version doesn't, and that
// alone must not rule anything out.
func tellsOwner(image catalog.Image) bool {
	return image.Type != "" || image.Creator != "" || image.State != ""
}

// The types of images that nobody else can bring into the account's list: its own and Tencent's (API page DescribeImages,
// type Image).
const (
	typePrivate = "PRIVATE_IMAGE"
	typePublic  = "PUBLIC_IMAGE"
)

// trusts says whether an image may be selected by whose it is. Whoever shares an image chooses its name, so a name that
// matches proves nothing, and a type that nobody knows proves nothing either.
func (c Selector) trusts(image catalog.Image) bool {
	return image.Type == typePrivate || image.Type == typePublic ||
		slices.Contains(c.Spec.Selection.TrustedCreators, image.Creator) ||
		slices.Contains(c.Spec.Match.Creators, image.Creator) ||
		slices.Contains(c.Spec.ImageIDs, imagev1alpha1.ImageID(image.ID))
}

// Distrusts says whether what was stored of an image shows that it may not be selected.
func (c Selector) Distrusts(image catalog.Image) bool { return tellsOwner(image) && !c.trusts(image) }
