// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

const (
	// maxTexts bounds how many texts are known. Of more, most are some objects' own: then they begin anew.
	maxTexts = 4096

	// maxTextBytes is the longest text that is shared. Long ones are nobody else's, and known for long.
	maxTextBytes = 128

	// maxLabelKeys is the longest list of labels that queries ask for: 64 of the longest keys.
	maxLabelKeys = 64 * 318
)

// CacheOptions are those of the cache that the operator reads from: Secrets of one namespace, and of each object only what is
// read. Whoever may annotate queries or create Secrets would else decide how much memory the operator takes.
func CacheOptions(credentialsNamespace string) cache.Options {
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&imagev1alpha1.ImageQuery{}: {Transform: compactQuery},
			&corev1.Secret{}:            {Transform: compactSecret, Namespaces: map[string]cache.Config{credentialsNamespace: {}}},
		},
	}
}

// compactQuery leaves of a query's metadata what we read. A write of the status changes no metadata, so nothing is lost.
func compactQuery(o any) (any, error) {
	query, ok := o.(*imagev1alpha1.ImageQuery)
	if !ok {
		return o, nil // what the watch says of an object that it lost
	}
	annotations := query.Annotations
	query.ObjectMeta = identity(&query.ObjectMeta)
	for _, key := range []string{imagev1alpha1.AnnotationRequestedAt, imagev1alpha1.AnnotationApproveRemoval} {
		if value, found := annotations[key]; found {
			metav1.SetMetaDataAnnotation(&query.ObjectMeta, key, bounded(value))
		}
	}
	return query, nil
}

// compactSecret leaves of a Secret the parts of a key. Most Secrets of a namespace are none of ours.
func compactSecret(o any) (any, error) {
	secret, ok := o.(*corev1.Secret)
	if !ok {
		return o, nil // what the watch says of an object that it lost
	}
	secret.ObjectMeta = identity(&secret.ObjectMeta)
	maps.DeleteFunc(secret.Data, func(key string, _ []byte) bool { return !slices.Contains(secretKeys, key) })
	return secret, nil
}

// identity is what tells an object from others and its states from each other.
func identity(o *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: o.Name, Namespace: o.Namespace, UID: o.UID, ResourceVersion: o.ResourceVersion, Generation: o.Generation,
		CreationTimestamp: o.CreationTimestamp, DeletionTimestamp: o.DeletionTimestamp,
	}
}

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
		return o, nil // an entry already, or what the watch says of an object that it lost
	}
	partial := dropForeign(image)
	e := newEntry(image)
	e.partial = partial
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

// dropForeign leaves of a CloudImage's metadata what we read. It says whether that wasn't all.
func dropForeign(image *imagev1alpha1.CloudImage) bool {
	before := image.ObjectMeta
	asked := image.Annotations[imagev1alpha1.AnnotationLabelKeys]
	ours := strings.Split(asked, ",")
	facts := factLabels(image)
	image.ObjectMeta = identity(&before)
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
