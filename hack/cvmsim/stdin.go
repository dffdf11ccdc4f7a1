// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"os"
)

// untilClosed returns a context that ends when stdin, if it is a pipe, is closed: the process that started the simulator no
// longer needs it.
func untilClosed(ctx context.Context, stdin *os.File) context.Context {
	if !isPipe(stdin) {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
	return ctx
}

// isPipe is false for terminals (reading there would stop a background job) and for /dev/null (always at its end).
func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}
