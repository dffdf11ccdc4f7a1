// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// Entry is a stored CloudImage without the labels and annotations that are derived from its record. Plans are made from
// entries, so the ten derived labels of each image are neither kept in memory nor compared at each poll. Read only.
type Entry struct {
	*imagev1alpha1.CloudImage

	// DerivedIntact is set if the stored object has the correct derived labels and annotations.
	DerivedIntact bool

	// Partial is set if metadata of other clients was dropped, too. A write would remove that metadata, so the object
	// must be read again first.
	Partial bool
}

// NewEntry returns an entry for an object, which it modifies.
func NewEntry(image *imagev1alpha1.CloudImage) *Entry {
	return &Entry{CloudImage: image, DerivedIntact: dropDerived(image)}
}

// NewCompactEntry returns an entry for an object, which it modifies, without metadata that the operator doesn't read.
// Otherwise clients that annotate an object would decide how much memory it takes.
func NewCompactEntry(image *imagev1alpha1.CloudImage) *Entry {
	partial := dropForeign(image)
	e := NewEntry(image)
	e.Partial = partial
	return e
}

// Object returns the CloudImage of an entry, or nil.
func (e *Entry) Object() *imagev1alpha1.CloudImage {
	if e == nil {
		return nil
	}
	return e.CloudImage
}

// IsAt reports whether the stored object is as desired, so that no write is needed. Both may be nil.
func (e *Entry) IsAt(desired *imagev1alpha1.CloudImage) bool {
	return e.Object() == desired || sameObject(e.Object(), desired) && e.DerivedIntact
}

// maxLabelKeys is the maximum length of the label-keys annotation: 64 keys of the maximum length.
const maxLabelKeys = 64 * 318

// Identity returns the metadata that identifies an object and its version.
func Identity(o *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: o.Name, Namespace: o.Namespace, UID: o.UID, ResourceVersion: o.ResourceVersion, Generation: o.Generation,
		CreationTimestamp: o.CreationTimestamp, DeletionTimestamp: o.DeletionTimestamp,
	}
}

// dropForeign removes the metadata that the operator doesn't read. It reports whether it removed any.
func dropForeign(image *imagev1alpha1.CloudImage) bool {
	before := image.ObjectMeta
	asked := image.Annotations[imagev1alpha1.AnnotationLabelKeys]
	ours := strings.Split(asked, ",")
	facts := derivedLabels(image)
	image.ObjectMeta = Identity(&before)
	image.Labels = withoutKeys(before.Labels, func(key string) bool {
		return !hasKey(facts, key) && !slices.Contains(ours, key) &&
			!strings.HasPrefix(key, imagev1alpha1.LabelQueryPrefix) && !strings.HasPrefix(key, imagev1alpha1.LabelTagPrefix)
	})
	image.Annotations = withoutKeys(before.Annotations, func(key string) bool {
		return key != imagev1alpha1.AnnotationDisplayName && (key != imagev1alpha1.AnnotationLabelKeys || len(asked) > maxLabelKeys)
	})
	image.OwnerReferences = without(before.OwnerReferences, func(ref metav1.OwnerReference) bool { return !isImageQuery(ref) })
	return len(image.Labels) < len(before.Labels) || len(image.Annotations) < len(before.Annotations) ||
		len(image.OwnerReferences) < len(before.OwnerReferences) || len(before.Finalizers) > 0
}
