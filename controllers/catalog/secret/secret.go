// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package secret has the type of every part of a key, for the catalog and for what obtains keys below it.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "REDACTED"

// String is a part of a key. However it is printed, logged or marshalled, it shows REDACTED; only Reveal tells it.
// fmt calls no method of what it finds in unexported fields: there it belongs into a Box.
type String string

// Reveal returns the secret itself, for signing and comparing.
func (s String) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (String) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (String) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb, %x among them, gets round String.
func (String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (String) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, which JSON and YAML use too.
func (String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalLog implements logr.Marshaler without naming it.
func (String) MarshalLog() any { return redacted }

// Box holds a value with secrets in an unexported field: of a func, fmt shows the address.
type Box[T any] func() T

// Hide puts a value into a Box.
func Hide[T any](value T) Box[T] { return func() T { return value } }
