// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopTimeout is how long a child may take to end after SIGTERM before it is killed. The manager's own limit is 30 s.
const stopTimeout = 10 * time.Second

// children are the processes that the demo started. When one ends by itself, ctx ends too.
type children struct {
	ctx   context.Context //nolint:containedctx // shared by all children
	fail  context.CancelCauseFunc
	dir   string
	mu    sync.Mutex
	stops []func()
}

func newChildren(ctx context.Context, dir string) *children {
	c := &children{dir: dir}
	c.ctx, c.fail = context.WithCancelCause(ctx)
	return c
}

// childExited is the end of a child that was not stopped.
type childExited struct{ error }

// ended returns the reason why the demo ends: an error if a child ended, nil if the user interrupted it.
func (c *children) ended() error {
	if cause := (childExited{}); errors.As(context.Cause(c.ctx), &cause) {
		return cause
	}
	return nil
}

// start runs a program under its own name.
func (c *children) start(path string, args ...string) error {
	return c.startAs(filepath.Base(path), path, args...)
}

// startAs runs a program. Its output goes to a file of this name, whose end is shown if the program fails.
func (c *children) startAs(name, path string, args ...string) error {
	log, err := os.Create(c.log(name))
	if err != nil {
		return err
	}
	// Not c.ctx: children are stopped in order, not all at once.
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.ctx))
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	// cvmsim ends when its stdin is closed.
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return fmt.Errorf("starting %s: %w", name, errors.Join(err, log.Close()))
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // ProcessState has the same information and more
		_, _ = stdin.Close(), log.Close()
		if ctx.Err() == nil {
			c.fail(childExited{fmt.Errorf("%s ended by itself (%s); the last it said:\n%s", name, cmd.ProcessState, c.lastLines(name))})
		}
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stops = append(c.stops, func() {
		cancel()
		<-ended
	})
	return nil
}

func (c *children) log(name string) string { return filepath.Join(c.dir, name+".log") }

// lastLines returns the last lines of a child's output.
func (c *children) lastLines(name string) string {
	f, err := os.Open(c.log(name))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-8):], "\n  ")
}

// because replaces an error by the end of a child, if one ended, since that caused it. nil stays nil.
func (c *children) because(err error) error {
	if err != nil && c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return err
}

// stop stops all children, the last one first, and waits for them.
func (c *children) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ; len(c.stops) > 0; c.stops = c.stops[:len(c.stops)-1] {
		c.stops[len(c.stops)-1]()
	}
}
