// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// T is what the package needs of a test or benchmark; a program may bring its own.
type T interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Failed() bool
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// patience is how long a state is waited for; on an idle machine each takes a second or two.
const patience = 90 * time.Second

// hopeless is why a state can't be reached any more, however long one waits.
type hopeless struct{ error }

func (h hopeless) Unwrap() error { return h.error }

// Hopeless marks an error after which Until gives up at once.
func Hopeless(err error) error { return hopeless{err} }

// Until tries until there is no error; the last one is what the test fails with. It gives up when a process that was not stopped has
// ended.
func (c *Cluster) Until(what string, try func(context.Context) error) {
	c.Helper()
	if err := c.until(c.Context(), try); err != nil {
		c.Fatalf("waiting until %s: %v", what, err)
	}
}

func (c *Cluster) until(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	for {
		err := try(ctx)
		if stop := (hopeless{}); err == nil || errors.As(err, &stop) {
			return err
		}
		if died := c.children.died(); died != nil {
			return fmt.Errorf("%w; %w", died, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
