// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crd has the definitions of both kinds as they are installed, for code that judges objects without a cluster.
package crd

import _ "embed"

// ImageQuery is the CustomResourceDefinition of ImageQuery, as YAML.
//
//go:embed bases/imagecatalog.dev_imagequeries.yaml
var ImageQuery []byte

// CloudImage is the CustomResourceDefinition of CloudImage, as YAML.
//
//go:embed bases/imagecatalog.dev_cloudimages.yaml
var CloudImage []byte
