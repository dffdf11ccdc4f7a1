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

// stopPatience is how long a child may take to end after SIGTERM before it is killed; the manager's own limit is 30 s.
const stopPatience = 10 * time.Second

// children are the processes that the demo started and that end with it. When one ends by itself, ctx does, too.
type children struct {
	ctx   context.Context //nolint:containedctx // it is what the children share: one of them ends, all waiting ends
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

// died is the end of a child that was not stopped.
type childExited struct{ error }

// ended returns why the demo must end: an error only if that is a child's doing, and not the reader's.
func (c *children) ended() error {
	if cause := (childExited{}); errors.As(context.Cause(c.ctx), &cause) {
		return cause
	}
	return nil
}

// start runs a program. What it prints goes into a file, of which the end is shown should the program fail.
func (c *children) start(path string, args ...string) error {
	name := filepath.Base(path)
	log, err := os.Create(c.log(name))
	if err != nil {
		return err
	}
	// Not c.ctx: a child ends in its turn, not because another one did.
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.ctx))
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopPatience
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = endWithUs()
	// Held open as long as we live: cvmsim ends when it is closed.
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
		_ = cmd.Wait() // ProcessState says the same, and more when there is no error
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

// lastLines is the end of what a child printed.
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

// because puts the end of a child, which explains all that follows, in the place of an error; nil stays nil.
func (c *children) because(err error) error {
	if err != nil && c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return err
}

// stop ends all children, the youngest first, and returns when they are gone.
func (c *children) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ; len(c.stops) > 0; c.stops = c.stops[:len(c.stops)-1] {
		c.stops[len(c.stops)-1]()
	}
}
