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

// shown are the members that status names. Where there are too many of them, those without trust are left out first.
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

// What a status may hold, as the schema and etcd have it. Names, architectures and ids are bounded where they are read
// from the cloud, messages where a condition is set, and what annotations say by bounded.
const (
	// maxStatusBytes bounds a status as it is encoded. Etcd takes objects of 1.5 MiB, and annotations alone may have 256 KiB.
	maxStatusBytes = 1 << 20

	// maxSelected and maxSelectedBytes bound status.selected.
	maxSelected      = 2000
	maxSelectedBytes = 512 << 10

	// maxRequest is the longest value of an annotation that a status repeats, in bytes.
	maxRequest = 256
)

// truncateToSize cuts status.images until the status as a whole is small enough: of all lists it is the one whose content is
// elsewhere too. The others are bounded on their own. Images without trust are left out first.
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

// untrustedLast is a copy of images in which those that can't be selected for want of trust come after all others.
func untrustedLast(query *imagev1alpha1.ImageQuery, images []imagev1alpha1.ImageSummary) []imagev1alpha1.ImageSummary {
	trust := selection.Selector{Spec: &query.Spec}
	untrusted := func(image imagev1alpha1.ImageSummary) bool { return trust.Distrusts(selection.FromSummary(image)) }
	return slices.SortedStableFunc(slices.Values(images), func(a, b imagev1alpha1.ImageSummary) int { return selection.FalseFirst(untrusted(a), untrusted(b)) })
}

// firstFitting are the first items, as many as fit into so many bytes.
func firstFitting[T any](items []T, most int) []T {
	for i := range items {
		if most -= encodedSize(&items[i]) + 1; most < 0 {
			return items[:i]
		}
	}
	return items
}

// encodedSize is how many bytes v takes in etcd and on the wire.
func encodedSize(v any) int {
	encoded, _ := json.Marshal(v) // a status always encodes
	return len(encoded)
}

// requestOf is the value of the annotation that asks for a poll, as status.lastHandledReconcileAt echoes it.
func requestOf(query *imagev1alpha1.ImageQuery) string {
	return bounded(query.Annotations[imagev1alpha1.AnnotationRequestedAt])
}

// approvalOf is the value of the annotation that approves a removal. No token is so long that it is another here.
func approvalOf(query *imagev1alpha1.ImageQuery) string {
	return bounded(query.Annotations[imagev1alpha1.AnnotationApproveRemoval])
}

// bounded is a value of an annotation, which may have 256 KiB, or its SHA-256 if it is long.
func bounded(value string) string {
	if len(value) <= maxRequest {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}
