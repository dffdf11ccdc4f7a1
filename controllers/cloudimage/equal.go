// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// sameObject compares the fields that the operator writes. Both may be nil. It lists the fields, since it runs for each
// object at each poll and reflection would double the cost of a plan. A test fails if a field is missing.
func sameObject(a, b *imagev1alpha1.CloudImage) bool {
	if a == nil || b == nil {
		return a == b
	}
	return sameRecord(&a.Image, &b.Image) &&
		sameLifecycle(&a.Lifecycle, &b.Lifecycle) &&
		maps.Equal(a.Labels, b.Labels) &&
		maps.Equal(a.Annotations, b.Annotations) &&
		slices.EqualFunc(a.OwnerReferences, b.OwnerReferences, sameOwner)
}

// sameRecord compares records field by field.
func sameRecord(a, b *imagev1alpha1.Image) bool {
	return a.ID == b.ID && a.Region == b.Region && a.Credentials == b.Credentials && a.Name == b.Name && a.Description == b.Description &&
		a.Type == b.Type && a.Source == b.Source && a.Creator == b.Creator && a.State == b.State && a.OSName == b.OSName &&
		a.Platform == b.Platform && a.Architecture == b.Architecture && a.SizeGiB == b.SizeGiB && a.CloudInit == b.CloudInit &&
		a.LicenseType == b.LicenseType && a.Family == b.Family && a.Deprecated == b.Deprecated &&
		a.CreatedTime.Equal(b.CreatedTime) && slices.Equal(a.Tags, b.Tags) && slices.Equal(a.Snapshots, b.Snapshots)
}

func sameLifecycle(a, b *imagev1alpha1.ImageLifecycle) bool {
	return a.Presence == b.Presence && a.FirstSeenTime.Equal(&b.FirstSeenTime) && a.LastChangeTime.Equal(&b.LastChangeTime) &&
		a.DeleteAfter.Equal(b.DeleteAfter) && slices.EqualFunc(a.Leaving, b.Leaving, sameLeaving)
}

func sameLeaving(a, b imagev1alpha1.LeavingQuery) bool {
	return a.Query == b.Query && a.Since.Equal(&b.Since) && a.DeleteAfter.Equal(&b.DeleteAfter) && a.Replaced == b.Replaced
}

// sameOwner uses reflection only if a reference has pointers, which the operator doesn't set.
func sameOwner(a, b metav1.OwnerReference) bool {
	return a == b || equality.Semantic.DeepEqual(a, b)
}
