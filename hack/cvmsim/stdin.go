// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"os"
)

// untilClosed returns a context that ends when stdin is a pipe and is closed, because then the process that started the
// simulator has ended.
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

// isPipe returns false for terminals, where reading would stop a background job, and for /dev/null, which is always at
// its end.
func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}
