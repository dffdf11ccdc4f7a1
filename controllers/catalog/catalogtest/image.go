// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package catalogtest has images for tests.
package catalogtest

import (
	"strings"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Noon is the current time in these tests.
var Noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Image returns a golden image with a name and an age in hours at Noon. The remaining arguments set other properties:
// arm64, other architectures, deprecated, SYNCING, undated, shared (by account 7), untyped and other types (of account
// 7).
func Image(name string, hours int, more ...string) catalog.Image {
	image := catalog.Image{
		ID: "img-" + strings.NewReplacer("-", "", ".", "", "_", "").Replace(name), Name: name, Type: "PRIVATE_IMAGE", State: "NORMAL",
		Platform:     "TencentOS",
		Architecture: "amd64", CreatedTime: Noon.Add(-time.Duration(hours) * time.Hour),
	}
	for _, word := range more {
		switch word {
		case "arm64":
			image.Architecture = word
		case "deprecated":
			image.Deprecated = true
		case "undated":
			image.CreatedTime = time.Time{}
		case "shared":
			image.Type, image.Creator = "SHARED_IMAGE", "7"
		case "untyped":
			image.Type = ""
		case "MARKET_IMAGE", "COMMUNITY_IMAGE", "shared_image":
			image.Type, image.Creator = word, "7"
		case "386", "riscv64", "no architecture":
			image.Architecture = strings.TrimPrefix(word, "no architecture")
		default:
			image.State = word
		}
	}
	return image
}

func Names(images []catalog.Image) string {
	var names []string
	for _, image := range images {
		names = append(names, image.Name)
	}
	return strings.Join(names, " ")
}
