// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stopPatience is the maximum time for a process to end after SIGTERM. The manager's own limit is 30 s.
const stopPatience = 40 * time.Second

// leash runs a program and kills it if the process that started it ends unexpectedly: a test that is killed or times
// out stops nothing. It works for envtest's processes, too, and on every Unix.
const leash = `parent=$PPID
{ while kill -0 "$parent" && kill -0 $$; do sleep 1; done; kill -KILL $$; } </dev/null >/dev/null 2>&1 &
exec "$@"
`

// Process is a process started by a test.
type Process struct {
	name  string
	log   string
	cmd   *exec.Cmd
	asked atomic.Bool // asked to end
	ended chan struct{}
}

// children are the processes of a cluster.
type children struct {
	dir string

	mu  sync.Mutex
	all []*Process

	named atomic.Int64
}

// path returns a new path in the cluster's folder.
func (c *children) path(name string) string {
	return filepath.Join(c.dir, fmt.Sprintf("%s-%d", name, c.named.Add(1)))
}

// StartProcess runs another program until the test ends.
func (c *Cluster) StartProcess(path string, args ...string) *Process {
	c.Helper()
	return c.children.start(c.T, nil, path, args...)
}

// start runs a program until the test ends. Its output is shown if the test fails.
func (c *children) start(t T, env []string, path string, args ...string) *Process {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	log := c.path(filepath.Base(path)) + ".log"
	p := &Process{name: strings.TrimSuffix(filepath.Base(log), ".log"), log: log, ended: make(chan struct{})}
	out, err := os.Create(log)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer func() { _ = out.Close() }() // the process has its own copy
	// Not the test's context: the cleanup ends it in order.
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), "sh", append([]string{"-c", leash, "sh", path}, args...)...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	// Ctrl-C in a terminal ends the test, which stops its processes in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", p.name, err)
	}
	go func() {
		_ = p.cmd.Wait() // ProcessState has the result
		close(p.ended)
	}()
	c.all = append(c.all, p)
	t.Cleanup(func() {
		p.end(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("%s %s; its log ends with\n%s", p.name, p.cmd.ProcessState, p.tail(60))
		}
	})
	return p
}

// died returns an error if a process has ended unexpectedly.
func (c *children) died() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.all {
		select {
		case <-p.ended:
			if !p.asked.Load() {
				return fmt.Errorf("%s ended by itself (%s): %s", p.name, p.cmd.ProcessState, p.tail(5))
			}
		default:
		}
	}
	return nil
}

// Stop sends SIGTERM and waits. It returns an error if the process took too long, or failed.
func (p *Process) Stop() error {
	p.end(syscall.SIGTERM)
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s was to end on SIGTERM, but: %s\n%s", p.name, p.cmd.ProcessState, p.tail(20))
	}
	return nil
}

// Kill kills the process, like a lost node, and waits for its end.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Signal sends a signal, such as SIGSTOP.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Pid returns the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Log returns the process's output so far.
func (p *Process) Log() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

func (p *Process) end(s syscall.Signal) {
	p.asked.Store(true)
	_ = p.cmd.Process.Signal(s)               // an error means that it has ended
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // a stopped process handles no other signal
	select {
	case <-p.ended:
	case <-time.After(stopPatience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// tail returns the end of the log.
func (p *Process) tail(most int) string {
	lines := strings.Split(strings.TrimSpace(p.Log()), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
