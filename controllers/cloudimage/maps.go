// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"maps"
	"slices"
)

// merged returns base with values set. An empty value removes the key. If nothing changes, it returns base itself.
func merged(base, values map[string]string) map[string]string {
	out, own := base, false
	for key, value := range values {
		if base[key] == value {
			if _, present := base[key]; present == (value != "") {
				continue
			}
		}
		if !own {
			out, own = maps.Clone(base), true
			if out == nil {
				out = map[string]string{}
			}
		}
		if value == "" {
			delete(out, key)
		} else {
			out[key] = value
		}
	}
	return out
}

// withoutKeys returns m without the keys that drop selects. If there are none, it returns m itself.
func withoutKeys(m map[string]string, drop func(key string) bool) map[string]string {
	for key := range m {
		if drop(key) {
			out := maps.Clone(m)
			maps.DeleteFunc(out, func(key, _ string) bool { return drop(key) })
			return out
		}
	}
	return m
}

// without returns s without the items that drop selects. If there are none, it returns s itself.
func without[T any](s []T, drop func(T) bool) []T {
	if !slices.ContainsFunc(s, drop) {
		return s
	}
	return slices.DeleteFunc(slices.Clone(s), drop)
}
