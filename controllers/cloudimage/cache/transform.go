// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"strings"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
)

// transform makes an object small before the cache takes it. Decoding gives each object text of its own, but thousands have
// the same labels, owners and platforms: those share theirs. Idempotent: a watch may bring an entry that is one already.
func (t *interner) transform(o any) (any, error) {
	image, ok := o.(*imagev1alpha1.CloudImage)
	if !ok {
		return o, nil // an entry already, or what the watch says of an object that it lost
	}
	e := cloudimage.NewCompactEntry(image)
	i := &image.Image
	if strings.HasSuffix(image.Name, i.ID) {
		i.ID = image.Name[len(image.Name)-len(i.ID):]
	}
	for _, text := range []*string{
		&image.Kind, &image.APIVersion, &i.Region, &i.Credentials, &i.Type, &i.Source, &i.Creator, &i.State, &i.OSName, &i.Platform, &i.Architecture,
		&i.LicenseType, &i.Family, (*string)(&image.Lifecycle.Presence),
	} {
		t.share(text)
	}
	for k := range i.Tags {
		t.share(&i.Tags[k].Key)
		t.share(&i.Tags[k].Value)
	}
	for k := range image.OwnerReferences {
		ref := &image.OwnerReferences[k]
		for _, text := range []*string{&ref.APIVersion, &ref.Kind, &ref.Name, (*string)(&ref.UID)} {
			t.share(text)
		}
	}
	for k := range image.Lifecycle.Leaving {
		t.share(&image.Lifecycle.Leaving[k].Query)
	}
	image.Labels, image.Annotations = t.sharedMap(image.Labels), t.sharedMap(image.Annotations)
	return e, nil
}
