// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxTexts bounds the interned strings. Beyond it, most of them occur only once, so the interner starts afresh.
const maxTexts = 4096

// maxTextBytes is the longest interned string. Longer ones are rarely shared, but would be kept.
const maxTextBytes = 128

// maxSharedBytes is the longest text of a shared map or list. It suffices for the labels of a dozen queries.
const maxSharedBytes = 1024

// interner deduplicates the strings of cached objects, and their metadata, which is the same for all images of a query.
// Package unique would drop a string at the next garbage collection.
type interner struct {
	mu     sync.Mutex
	known  map[string]string
	maps   map[string]map[string]string
	owners map[string][]metav1.OwnerReference
}

// sharedMap returns a map with the same content, which other objects may share: read only. It is nil if the map is empty.
func (t *interner) sharedMap(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	var text strings.Builder
	out := make(map[string]string, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		value := m[key]
		t.share(&key)
		t.share(&value)
		out[key] = value
		fmt.Fprintf(&text, "%q=%q ", key, value)
	}
	return once(t, &t.maps, text.String(), out)
}

// sharedOwners is like sharedMap, for owner references.
func (t *interner) sharedOwners(owners []metav1.OwnerReference) []metav1.OwnerReference {
	if len(owners) == 0 {
		return nil
	}
	var key strings.Builder
	for k := range owners {
		ref := &owners[k]
		for _, text := range []*string{&ref.APIVersion, &ref.Kind, &ref.Name, (*string)(&ref.UID)} {
			t.share(text)
		}
		fmt.Fprintf(&key, "%q ", ref.String())
	}
	return once(t, &t.owners, key.String(), owners)
}

// once returns the first value with a text, unless the text is long.
func once[T any](t *interner, known *map[string]T, text string, value T) T {
	if len(text) > maxSharedBytes {
		return value
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if first, ok := (*known)[text]; ok {
		return first
	}
	if *known == nil || len(*known) >= maxTexts {
		*known = map[string]T{}
	}
	(*known)[text] = value
	return value
}

// share replaces a string by its interned copy.
func (t *interner) share(text *string) {
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
