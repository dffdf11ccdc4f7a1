// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"sync"
)

// maxTexts bounds how many texts are known. Of more, most are some objects' own: then they begin anew.
const maxTexts = 4096

// maxTextBytes is the longest text that is shared. Long ones are nobody else's, and known for long.
const maxTextBytes = 128

// interner are the copies that the objects of a cache share. Package unique would forget one at the next garbage collection.
type interner struct {
	mu    sync.Mutex
	known map[string]string
}

// sharedMap is a map with shared text, as small as it can be; nil if there is nothing in it.
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

// share replaces text by the copy that all have.
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
