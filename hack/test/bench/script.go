// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
)

// script is cluster.T for a program: what fails ends it, and what was started ends with it.
type script struct {
	ctx      context.Context
	cleanups []func()
	err      error
}

// perform runs f as a test runs: until it returns or fails, and then the cleanups.
func perform(f func(*script)) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &script{ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, cleanup := range slices.Backward(s.cleanups) {
				cleanup()
			}
		}()
		f(s)
	}()
	<-done
	return s.err
}

func (s *script) Helper()                  {}
func (s *script) Context() context.Context { return s.ctx }
func (s *script) Cleanup(f func())         { s.cleanups = append(s.cleanups, f) }
func (s *script) Failed() bool             { return s.err != nil }

func (s *script) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (s *script) Fatalf(format string, args ...any) {
	s.err = fmt.Errorf(format, args...)
	runtime.Goexit()
}
