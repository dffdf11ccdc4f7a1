// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

func decodeStrict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// members encodes the members of an object. encoding/json can't be used: pages consist of encoded pieces, strings must
// be written unchanged (encoding/json replaces invalid UTF-8), and members can be missing or overridden.
type members struct {
	buf   []byte
	set   map[string]json.RawMessage
	unset []string
}

// member starts a member and reports whether its usual value follows. It doesn't if set or unset overrides the member.
func (e *members) member(name string) bool {
	if _, ok := e.set[name]; ok || slices.Contains(e.unset, name) {
		return false
	}
	e.key(name)
	return true
}

func (e *members) key(name string) {
	if e.buf[len(e.buf)-1] != '{' {
		e.buf = append(e.buf, ',')
	}
	e.buf = append(appendString(e.buf, name), ':')
}

// appendList encodes nil as null and an empty list as [], as the real service has both.
func appendList[T any](b []byte, list []T, one func([]byte, T) []byte) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, v)
	}
	return append(b, ']')
}

// appendString quotes s, escaping only what JSON requires.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
