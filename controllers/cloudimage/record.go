// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// ObjectName returns the name of an image's CloudImage. It is unambiguous, since neither credentials nor a region
// contains a '.'.
func ObjectName(s selection.Scope, imageID string) string {
	name := s.Region + "-" + imageID
	if s.Credentials != "" {
		name = s.Credentials + "." + name
	}
	return name
}

// toRecord converts an image to a CloudImage's record.
func toRecord(image catalog.Image, s selection.Scope) imagev1alpha1.Image {
	record := imagev1alpha1.Image{
		ID: image.ID, Region: s.Region, Credentials: s.Credentials,
		Name: image.Name, Description: image.Description, Type: image.Type, Source: image.Source, Creator: image.Creator,
		State: image.State, OSName: image.OSName, Platform: image.Platform, Architecture: image.Architecture,
		SizeGiB: image.SizeGiB, CloudInit: image.CloudInit, LicenseType: image.LicenseType, Family: image.Family,
		Deprecated: image.Deprecated, CreatedTime: OptionalTime(image.CreatedTime),
	}
	for _, t := range image.Tags {
		record.Tags = append(record.Tags, imagev1alpha1.Tag{Key: t.Key, Value: t.Value})
	}
	for _, s := range image.Snapshots {
		record.Snapshots = append(record.Snapshots, imagev1alpha1.Snapshot{ID: s.ID, DiskUsage: s.DiskUsage, DiskSizeGiB: s.DiskSizeGiB})
	}
	return record
}

// FromRecord is the inverse of toRecord. It is used for images that the last listing lacks.
func FromRecord(record *imagev1alpha1.Image) catalog.Image {
	image := catalog.Image{
		ID: record.ID, Name: record.Name, Description: record.Description, Type: record.Type, Source: record.Source,
		Creator: record.Creator, State: record.State, OSName: record.OSName, Platform: record.Platform,
		Architecture: record.Architecture, SizeGiB: record.SizeGiB, CloudInit: record.CloudInit,
		LicenseType: record.LicenseType, Family: record.Family, Deprecated: record.Deprecated,
	}
	if record.CreatedTime != nil {
		image.CreatedTime = record.CreatedTime.UTC()
	}
	for _, t := range record.Tags {
		image.Tags = append(image.Tags, catalog.Tag{Key: t.Key, Value: t.Value})
	}
	for _, s := range record.Snapshots {
		image.Snapshots = append(image.Snapshots, catalog.Snapshot{ID: s.ID, DiskUsage: s.DiskUsage, DiskSizeGiB: s.DiskSizeGiB})
	}
	return image
}

func OptionalTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}
