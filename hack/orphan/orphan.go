// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package orphan ends programs of tests and demos with the process that started them, so that none outlives one that was killed.
package orphan

import (
	"context"
	"errors"
	"time"
)

// ErrParentEnded is the cause with which a context of Context ends.
var ErrParentEnded = errors.New("the process that started this one has ended")

// Context returns a context that ends when the parent process, as os.Getppid tells it, is another one than now.
func Context(ctx context.Context, getppid func() int) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	before := getppid()
	go func() {
		for getppid() == before {
			select {
			case <-ctx.Done():
				return
			case <-time.After(250 * time.Millisecond):
			}
		}
		cancel(ErrParentEnded)
	}()
	return ctx
}
