// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "REDACTED"

// Secret is a part of a key. However it is printed, logged or marshalled, it shows REDACTED; only Reveal tells it.
type Secret string

// Reveal returns the secret itself, for signing and comparing.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb, %x among them, gets round String.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, which JSON and YAML use too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalLog implements logr.Marshaler without naming it.
func (Secret) MarshalLog() any { return redacted }
