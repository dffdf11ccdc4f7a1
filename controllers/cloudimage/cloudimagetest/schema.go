// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cloudimagetest holds CloudImages against their schema.
package cloudimagetest

import (
	"context"

	apiruntime "k8s.io/apimachinery/pkg/runtime"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/preview/admission"
)

// Validate returns what the API server would refuse an object for, by its schema and its CEL rules.
func Validate(image *imagev1alpha1.CloudImage) error {
	image = image.DeepCopy()
	image.APIVersion, image.Kind = imagev1alpha1.GroupVersion.String(), "CloudImage"
	object, err := apiruntime.DefaultUnstructuredConverter.ToUnstructured(image)
	if err != nil {
		return err
	}
	return admission.CloudImage().Validate(context.Background(), object).ToAggregate()
}
