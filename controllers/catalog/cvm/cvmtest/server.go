// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultRateLimit is the documented default of DescribeImages in requests per second (API page, "默认接口请求频率限制:40次/秒").
const DefaultRateLimit = 40

// Options configures a Server.
type Options struct {
	// Addr is the TCP address to listen on. Default: "127.0.0.1:0", a free loopback port.
	Addr string
	// Now is the server's clock, used for the ±300 s window of signatures, the expiry of temporary credentials, the
	// seconds of the rate limit, and the log. Default: time.Now.
	Now func() time.Time
	// RateLimit is the number of requests per second for each action and credential. 0 means DefaultRateLimit, negative
	// means unlimited.
	RateLimit int
	// Latency is added to every answer.
	Latency time.Duration
	// IgnoreCase makes the filters image-name and platform case-insensitive. It is not known whether the real ones are,
	// so clients must work with both settings.
	IgnoreCase bool
	// CountBeforeInstanceType makes TotalCount ignore InstanceType. It is not known whether the real one does.
	CountBeforeInstanceType bool
	// SharedCreator is the ImageCreator of images shared by other accounts. The real value is not known.
	SharedCreator SharedCreator
	// TLS, if set, makes the server use HTTPS; see SelfSigned.
	TLS *tls.Config
}

// Server is a simulated CVM endpoint. All methods are safe for concurrent use.
type Server struct {
	opts     Options
	listener net.Listener
	http     *http.Server
	conns    sync.WaitGroup
	serving  chan struct{}
	closed   chan struct{}
	once     sync.Once

	creds     credentials
	limiter   limiter
	inventory inventory
	types     instanceTypes
	faults    faults
	skew      atomic.Int64
	log       requestLog
}

// NewServer starts a server. Like httptest.NewServer, it panics if it can't listen. Call Close when done.
func NewServer(o Options) *Server {
	s, err := Start(o)
	if err != nil {
		panic("cvmtest: " + err.Error())
	}
	return s
}

// Start is NewServer for programs that report the error.
func Start(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SharedCreator == "" {
		o.SharedCreator = CreatorAsShared
	}
	if o.RateLimit == 0 {
		o.RateLimit = DefaultRateLimit
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	s := &Server{opts: o, listener: l, serving: make(chan struct{}), closed: make(chan struct{})}
	s.types.init()
	s.SetCredential(DefaultCredential)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: time.Minute,
		TLSConfig:         o.TLS,
		ConnState:         s.trackConn,
		ErrorLog:          discard,
	}
	go s.run()
	return s, nil
}

func (s *Server) run() {
	defer close(s.serving)
	l := s.listener
	if s.opts.TLS != nil {
		l = tls.NewListener(l, s.opts.TLS)
	}
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		panic("cvmtest: serving: " + err.Error())
	}
}

// trackConn lets Close wait for the goroutine of each connection, not only for the handlers.
func (s *Server) trackConn(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Done()
	case http.StateActive, http.StateIdle:
	}
}

// Close ends all connections, including blackholed, delayed and dripping ones, and waits until they are closed. A
// blocking OnRequest hook blocks Close.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.closed)
		_ = s.http.Close()
		<-s.serving
		_ = s.http.Close() // a connection accepted while the first Close ran
	})
	s.conns.Wait()
}

// URL returns the server's address, such as "http://127.0.0.1:12345" ("https://" with Options.TLS). The SDK's
// profile.Endpoint needs it without the scheme.
func (s *Server) URL() string {
	if s.opts.TLS != nil {
		return "https://" + s.Host()
	}
	return "http://" + s.Host()
}

// SetSkew sets the server's clock ahead of Options.Now by d, or behind if negative. Beyond ±5 minutes, requests fail
// with AuthFailure.SignatureExpire.
func (s *Server) SetSkew(d time.Duration) { s.skew.Store(int64(d)) }

func (s *Server) now() time.Time { return s.opts.Now().Add(time.Duration(s.skew.Load())) }

// Host returns the server's address, such as "127.0.0.1:12345", for the SDK's HttpProfile.Endpoint.
func (s *Server) Host() string { return s.listener.Addr().String() }
