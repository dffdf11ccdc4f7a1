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
// entries, so ten labels of every image needn't be kept in memory, nor made and compared at each poll. It is read only.
type Entry struct {
	*imagev1alpha1.CloudImage

	// DerivedIntact says that the stored object has the derived labels and annotations as they should be.
	DerivedIntact bool

	// Partial says that metadata of others was left out as well. Writing the object would take it off, so the object must
	// be read again first.
	Partial bool
}

// NewEntry makes an entry of an object, which it changes.
func NewEntry(image *imagev1alpha1.CloudImage) *Entry {
	return &Entry{CloudImage: image, DerivedIntact: dropDerived(image)}
}

// NewCompactEntry makes an entry of an object, which it changes, without the metadata that nobody here reads. Whoever may
// annotate an object would else decide how much memory it takes.
func NewCompactEntry(image *imagev1alpha1.CloudImage) *Entry {
	partial := dropForeign(image)
	e := NewEntry(image)
	e.Partial = partial
	return e
}

// Object is the CloudImage of an entry; nil without one.
func (e *Entry) Object() *imagev1alpha1.CloudImage {
	if e == nil {
		return nil
	}
	return e.CloudImage
}

// IsAt says whether the stored object is as desired, so that nothing has to be written. Both may be nil.
func (e *Entry) IsAt(desired *imagev1alpha1.CloudImage) bool {
	return e.Object() == desired || sameObject(e.Object(), desired) && e.DerivedIntact
}

// maxLabelKeys is the longest list of labels that queries ask for: 64 of the longest keys.
const maxLabelKeys = 64 * 318

// Identity is the metadata that tells an object from others and its states from each other.
func Identity(o *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: o.Name, Namespace: o.Namespace, UID: o.UID, ResourceVersion: o.ResourceVersion, Generation: o.Generation,
		CreationTimestamp: o.CreationTimestamp, DeletionTimestamp: o.DeletionTimestamp,
	}
}

// dropForeign leaves of a CloudImage's metadata what we read. It says whether that wasn't all.
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
