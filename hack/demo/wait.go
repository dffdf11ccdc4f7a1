// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// stateTimeout bounds the wait for a state. On an idle machine each takes a second or two.
const stateTimeout = 60 * time.Second

// permanentError means that a state can't be reached any more.
type permanentError struct{ error }

// until waits until reached returns no error. If it times out, it returns the last error of reached.
func until(ctx context.Context, what string, reached func(context.Context) error) error {
	var why error
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, stateTimeout, true, func(ctx context.Context) (bool, error) {
		err := reached(ctx)
		if stop := (permanentError{}); errors.As(err, &stop) {
			return false, err
		}
		// The deadline cuts off the last try, so its error is less useful than the one before.
		if err != nil && (why == nil || ctx.Err() == nil) {
			why = err
		}
		return err == nil, nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case wait.Interrupted(err):
		return fmt.Errorf("%s: not within %s: %w", what, stateTimeout, why)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// freeAddress returns a loopback address with a port that is free at present.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
