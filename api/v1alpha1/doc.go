// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is the API of the image catalogue, group imagecatalog.dev.
//
// An ImageQuery declares which Tencent Cloud CVM images are of interest. The operator asks DescribeImages
// periodically and writes what matches into the query's status and into CloudImage objects, one per image.
//
// Both kinds are cluster-scoped: an image is a fact of a cloud account and a region, not of a namespace.
// Whatever the schemas admit decodes into the types of this package: durations and times are held by patterns,
// because a single object that a typed client can't decode would stop every controller that watches its kind.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="applyconfiguration"
// +groupName=imagecatalog.dev
package v1alpha1
