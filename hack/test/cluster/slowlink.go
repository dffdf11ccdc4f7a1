// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// SlowLink forwards connections, and delays what the server sends.
type SlowLink struct {
	listener net.Listener
	target   string
	delay    atomic.Int64
}

// StartSlowLink starts a link to an address. It ends with the test.
func (c *Cluster) StartSlowLink(target string) *SlowLink {
	c.Helper()
	listener, err := (&net.ListenConfig{}).Listen(c.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		c.Fatalf("%v", err)
	}
	l := &SlowLink{listener: listener, target: target}
	c.Cleanup(func() { _ = listener.Close() })
	go l.accept()
	return l
}

// Address returns the address to connect to.
func (l *SlowLink) Address() string { return l.listener.Addr().String() }

// Delay sets how late everything that the server sends from now on arrives.
func (l *SlowLink) Delay(d time.Duration) { l.delay.Store(int64(d)) }

func (l *SlowLink) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", l.target) //nolint:noctx // ends with the connection
		if err != nil {
			_ = client.Close()
			continue
		}
		go pass(client, server)
		go l.passLate(server, client)
	}
}

// late is a piece of a stream that is due at a time.
type late struct {
	bytes []byte
	due   time.Time
}

// passLate is pass with a delay.
func (l *SlowLink) passLate(from, to net.Conn) {
	pieces := make(chan late, 1<<12)
	go func() {
		for p := range pieces {
			<-time.After(time.Until(p.due))
			_, _ = to.Write(p.bytes) // the client has left
		}
		_ = errors.Join(from.Close(), to.Close())
	}()
	defer close(pieces)
	for {
		buffer := make([]byte, 32<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			pieces <- late{buffer[:n], time.Now().Add(time.Duration(l.delay.Load()))}
		}
		if err != nil {
			return
		}
	}
}
