// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// server is the common part of both services.
type server struct {
	faults

	cloud  *cvmtest.Server
	http   *httptest.Server
	closed chan struct{}
	once   sync.Once

	mu      sync.Mutex
	issued  int
	unknown []string
}

func newServer(cloud *cvmtest.Server) *server {
	return &server{cloud: cloud, closed: make(chan struct{})}
}

// serve starts to listen on a free loopback port.
func (s *server) serve(h http.HandlerFunc) {
	s.http = httptest.NewUnstartedServer(h)
	s.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.http.Start()
}

// URL is the service's address as "http://127.0.0.1:12345".
func (s *server) URL() string { return s.http.URL }

// Close closes all connections, including those that hang, and waits for them.
func (s *server) Close() {
	s.once.Do(func() {
		close(s.closed)
		s.http.CloseClientConnections()
		s.http.Close()
	})
}

// issue issues temporary keys that the cloud accepts for d. They have the form of real ones: "AKID", and a token.
func (s *server) issue(uin string, deny bool, d time.Duration) cvmtest.Credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued++
	c := cvmtest.Credential{
		SecretID: fmt.Sprintf("AKIDauthtest%04d-%p", s.issued, s), SecretKey: fmt.Sprintf("authtest-key-%04d", s.issued),
		Token: fmt.Sprintf("authtest-token-%04d", s.issued), UIN: uin, Deny: deny,
		Expires: s.cloud.Now().Add(d).Truncate(time.Second),
	}
	s.cloud.SetCredential(c)
	return c
}

// Issued returns the number of issued keys.
func (s *server) Issued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

// Unknown returns the requests that no source describes. A test's cleanup should find it empty.
func (s *server) Unknown() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unknown
}

func (s *server) addUnknown(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unknown = append(s.unknown, what)
}
