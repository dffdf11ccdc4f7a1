// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package secret has the type for all parts of a key. It is separate from package catalog so that packages below
// it can use it.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "REDACTED"

// String is a part of a key. It prints, logs and marshals as REDACTED; only Reveal returns the value. fmt calls no
// methods on unexported fields: wrap such a field in a Box.
type String string

// Reveal returns the secret itself, for signing and comparing.
func (s String) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (String) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (String) GoString() string { return redacted }

// Format implements fmt.Formatter, so that verbs such as %x can't bypass String.
func (String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (String) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, which JSON and YAML use too.
func (String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalLog implements logr.Marshaler without importing it.
func (String) MarshalLog() any { return redacted }

// Box holds a value with secrets in an unexported field. fmt prints only the address of a func.
type Box[T any] func() T

// Hide puts a value into a Box.
func Hide[T any](value T) Box[T] { return func() T { return value } }
