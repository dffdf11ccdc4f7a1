// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"os"
	"time"
)

// untilAbandoned ends the context when nobody can want the simulator any more, so that it never outlives a test that was killed: when
// stdin is a pipe and was closed, or when the parent process is another one than at the start.
func untilAbandoned(ctx context.Context, stdin *os.File, parent func() int) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	before := parent()
	if isPipe(stdin) {
		go func() {
			_, _ = io.Copy(io.Discard, stdin)
			cancel()
		}()
	}
	go func() {
		defer cancel()
		for parent() == before {
			select {
			case <-ctx.Done():
				return
			case <-time.After(250 * time.Millisecond):
			}
		}
	}()
	return ctx
}

// isPipe is false for terminals (reading there would stop a background job) and for /dev/null (always at its end).
func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}
