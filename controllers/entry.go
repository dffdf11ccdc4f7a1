// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// entry is a stored CloudImage without the labels and annotations that are derived from its record. Plans are made from
// entries, so ten labels of every image needn't be kept in memory, nor made and compared at each poll. It is read only.
type entry struct {
	*imagev1alpha1.CloudImage

	// derivedIntact says that the stored object has the derived labels and annotations as they should be.
	derivedIntact bool

	// partial says that metadata of others was left out as well. Writing the object would take it off, so the object must
	// be read again first.
	partial bool
}

// newEntry makes an entry of an object, which it changes.
func newEntry(image *imagev1alpha1.CloudImage) *entry {
	return &entry{CloudImage: image, derivedIntact: dropDerived(image)}
}

// object is the CloudImage of an entry; nil without one.
func (e *entry) object() *imagev1alpha1.CloudImage {
	if e == nil {
		return nil
	}
	return e.CloudImage
}

// isAt says whether the stored object is as desired, so that nothing has to be written. Both may be nil.
func (e *entry) isAt(desired *imagev1alpha1.CloudImage) bool {
	return e.object() == desired || sameObject(e.object(), desired) && e.derivedIntact
}
