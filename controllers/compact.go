// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"sync"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

const (
	// maxTexts bounds how many texts are known. Of more, most are some objects' own: then they begin anew.
	maxTexts = 4096

	// maxTextBytes is the longest text that is shared. Long ones are nobody else's, and known for long.
	maxTextBytes = 128
)

// texts are the copies that the objects of a cache share. Package unique would forget one at the next garbage collection.
type texts struct {
	mu    sync.Mutex
	known map[string]string
}

// compact makes an object small before the cache takes it. What we never read goes, and so does what repeats the object's
// facts. Decoding gives each object text of its own, but thousands have the same labels, owners and platforms: those
// share theirs. A watch may bring an object that was compacted already.
func (t *texts) compact(o any) (any, error) {
	image, ok := o.(*imagev1alpha1.CloudImage)
	if !ok {
		return o, nil // what the watch says of an object that it lost
	}
	image.ManagedFields = nil
	withoutFacts(image)
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
	return image, nil
}

// sharedMap is a map with shared text, as small as it can be; nil if there is nothing in it.
func (t *texts) sharedMap(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for key, value := range m {
		t.share(&key)
		t.share(&value)
		out[key] = value
	}
	return out
}

// share replaces text by the copy that all have.
func (t *texts) share(text *string) {
	if len(*text) > maxTextBytes {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.known[*text]; ok {
		*text = known
		return
	}
	if t.known == nil || len(t.known) >= maxTexts {
		t.known = map[string]string{}
	}
	t.known[*text] = *text
}
