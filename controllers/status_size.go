// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

func summaries(members []catalog.Image, verdicts map[string]imagev1alpha1.SelectionVerdict) []imagev1alpha1.ImageSummary {
	out := make([]imagev1alpha1.ImageSummary, 0, len(members))
	for _, image := range members {
		out = append(out, imagev1alpha1.ImageSummary{
			ImageID: image.ID, Name: image.Name, CreatedTime: cloudimage.OptionalTime(image.CreatedTime), Architecture: image.Architecture,
			Type: image.Type, Creator: image.Creator, Selection: verdicts[image.ID],
		})
	}
	return out
}

// shown returns the members for status.images. If there are too many, untrusted ones are left out first.
func shown(query *imagev1alpha1.ImageQuery, v selection.Decision, most int) []imagev1alpha1.ImageSummary {
	images := summaries(v.Members, v.Selection.Verdicts)
	if len(images) > most {
		images = untrustedLast(query, images)[:most]
		slices.SortFunc(images, func(a, b imagev1alpha1.ImageSummary) int {
			return selection.NewestFirst(selection.FromSummary(a), selection.FromSummary(b))
		})
	}
	return images
}

// Limits of the schema and etcd. Names, architectures and ids are bounded by the conversion of the cloud's answers,
// messages by statusBuilder.set, and annotation values by bounded.
const (
	// maxStatusBytes bounds an encoded status. Etcd accepts objects of 1.5 MiB, and annotations alone may take 256 KiB.
	maxStatusBytes = 1 << 20

	// maxSelected and maxSelectedBytes bound status.selected.
	maxSelected      = 2000
	maxSelectedBytes = 512 << 10

	// maxRequest is the maximum length in bytes of an annotation value in status.
	maxRequest = 256
)

// truncateToSize cuts status.images until the status fits. The images are also in CloudImages, while the other lists
// are only here and are bounded separately. Untrusted images are left out first.
func truncateToSize(query *imagev1alpha1.ImageQuery, s *imagev1alpha1.ImageQueryStatus) {
	rest := *s
	rest.Images = nil
	images := firstFitting(untrustedLast(query, s.Images), maxStatusBytes-encodedSize(&rest))
	if len(images) == len(s.Images) {
		return
	}
	slices.SortFunc(images, func(a, b imagev1alpha1.ImageSummary) int {
		return selection.NewestFirst(selection.FromSummary(a), selection.FromSummary(b))
	})
	s.Images, s.ImagesTruncated = images, new(true)
}

// untrustedLast returns a copy of images with the untrusted ones at the end.
func untrustedLast(query *imagev1alpha1.ImageQuery, images []imagev1alpha1.ImageSummary) []imagev1alpha1.ImageSummary {
	trust := selection.Selector{Spec: &query.Spec}
	untrusted := func(image imagev1alpha1.ImageSummary) bool { return trust.Distrusts(selection.FromSummary(image)) }
	return slices.SortedStableFunc(slices.Values(images), func(a, b imagev1alpha1.ImageSummary) int {
		return selection.FalseFirst(untrusted(a), untrusted(b))
	})
}

// firstFitting returns the longest prefix of items that encodes to at most the given number of bytes.
func firstFitting[T any](items []T, most int) []T {
	for i := range items {
		if most -= encodedSize(&items[i]) + 1; most < 0 {
			return items[:i]
		}
	}
	return items
}

// encodedSize returns the size of v in JSON.
func encodedSize(v any) int {
	encoded, _ := json.Marshal(v) // a status always encodes
	return len(encoded)
}

// requestOf returns the annotation that requests a poll, as echoed in status.lastHandledReconcileAt.
func requestOf(query *imagev1alpha1.ImageQuery) string {
	return bounded(query.Annotations[imagev1alpha1.AnnotationRequestedAt])
}

// approvalOf returns the annotation that approves a removal. Tokens are short enough to stay unchanged.
func approvalOf(query *imagev1alpha1.ImageQuery) string {
	return bounded(query.Annotations[imagev1alpha1.AnnotationApproveRemoval])
}

// bounded returns an annotation value, which may have 256 KiB, or its SHA-256 if it is long.
func bounded(value string) string {
	if len(value) <= maxRequest {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}
