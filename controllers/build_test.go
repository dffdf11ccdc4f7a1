// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// newQuery returns a query for private images with changes.
func newQuery(name string, changes ...func(*imagev1alpha1.ImageQuerySpec)) *imagev1alpha1.ImageQuery {
	query := &imagev1alpha1.ImageQuery{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: imagev1alpha1.ImageQuerySpec{
			Region:  region,
			Filters: []imagev1alpha1.Filter{{Name: "image-type", Values: []string{"PRIVATE_IMAGE"}}},
		},
	}
	for _, change := range changes {
		change(&query.Spec)
	}
	return query
}

// newImage returns a private image, a minute younger for each number.
func newImage(number int) cvmtest.Image {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	created := time.Date(2026, 8, 20, 8, number, 0, 0, time.UTC).Format(time.RFC3339)
	image := cvmtest.PrivateImages(1, 1, cvmtest.DefaultCredential.UIN)[0]
	image.ImageID = "img-0000000" + letters[number:number+1]
	image.ImageName = "node-" + letters[number:number+1]
	image.CreatedTime = &created
	return image
}

// objectName returns the name of the CloudImage of newImage(number).
func objectName(number int) string { return region + "-" + newImage(number).ImageID }

// withoutGrace disables the grace period.
func withoutGrace(s *imagev1alpha1.ImageQuerySpec) {
	s.Removal.GracePeriod = &metav1.Duration{}
}

// withoutBreaker disables the breaker.
func withoutBreaker(s *imagev1alpha1.ImageQuerySpec) {
	s.Removal.MaxRemovedPercent = new(int32(100))
}

func withoutObjects(s *imagev1alpha1.ImageQuerySpec) {
	s.CloudImages.Policy = imagev1alpha1.CloudImagesNone
}
