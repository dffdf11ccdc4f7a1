// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"maps"
	"slices"
)

// merged is base with values set; an empty value takes its key off. Where that changes nothing it is base itself.
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

// withoutKeys is m without the keys that drop says; m itself where there are none.
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

// without is s without the items that drop says; s itself where there are none.
func without[T any](s []T, drop func(T) bool) []T {
	if !slices.ContainsFunc(s, drop) {
		return s
	}
	return slices.DeleteFunc(slices.Clone(s), drop)
}
