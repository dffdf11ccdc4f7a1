// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"sync"
)

// maxTexts bounds the interned strings. Beyond it, most of them occur only once, so the interner starts afresh.
const maxTexts = 4096

// maxTextBytes is the longest interned string. Longer ones are rarely shared, but would be kept.
const maxTextBytes = 128

// interner deduplicates the strings of cached objects. Package unique would drop a string at the next garbage collection.
type interner struct {
	mu    sync.Mutex
	known map[string]string
}

// sharedMap returns a copy of a map with interned strings, of minimal size; nil if the map is empty.
func (t *interner) sharedMap(m map[string]string) map[string]string {
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
