// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package orphan ends test and demo programs when the process that started them has ended, even if it was killed.
package orphan

import (
	"context"
	"errors"
	"time"
)

// ErrParentEnded is the cause of the end of a context returned by Context.
var ErrParentEnded = errors.New("the process that started this one has ended")

// Context returns a context that ends when getppid, usually os.Getppid, returns another parent than at first.
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
