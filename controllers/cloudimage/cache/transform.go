// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"strings"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
)

// transform compacts an object before the cache stores it. Decoding allocates new strings for each object, but thousands of
// objects have the same labels, owners and platforms, so these are interned. Idempotent: the watch may deliver an entry
// that is already compact.
func (t *interner) transform(o any) (any, error) {
	image, ok := o.(*imagev1alpha1.CloudImage)
	if !ok {
		return o, nil // an entry already, or a DeletedFinalStateUnknown
	}
	e := cloudimage.NewCompactEntry(image)
	i := &image.Image
	if strings.HasSuffix(image.Name, i.ID) {
		i.ID = image.Name[len(image.Name)-len(i.ID):]
	}
	for _, text := range []*string{
		&image.Kind, &image.APIVersion, &i.Region, &i.Credentials, &i.Type, &i.Source, &i.Creator, &i.State, &i.OSName,
		&i.Platform, &i.Architecture, &i.LicenseType, &i.Family, (*string)(&image.Lifecycle.Presence),
	} {
		t.share(text)
	}
	for k := range i.Tags {
		t.share(&i.Tags[k].Key)
		t.share(&i.Tags[k].Value)
	}
	for k := range image.Lifecycle.Leaving {
		t.share(&image.Lifecycle.Leaving[k].Query)
	}
	image.OwnerReferences = t.sharedOwners(image.OwnerReferences)
	image.Labels, image.Annotations = t.sharedMap(image.Labels), t.sharedMap(image.Annotations)
	return e, nil
}
