// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
)

// Proxy forwards clients that know its password to the addresses of fictitious hosts.
type Proxy struct {
	server *httptest.Server
	user   *url.Userinfo
	hosts  map[string]string

	mu    sync.Mutex
	asked map[string]bool
}

// StartProxy starts a proxy that maps hosts ("host:port") to addresses. It ends with the test. Without a user it needs
// no password.
func StartProxy(t T, user *url.Userinfo, hosts map[string]string) *Proxy {
	t.Helper()
	p := &Proxy{user: user, hosts: hosts, asked: map[string]bool{}}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	return p
}

// URL returns the value for HTTPS_PROXY.
func (p *Proxy) URL() string {
	return (&url.URL{Scheme: "http", User: p.user, Host: p.server.Listener.Addr().String()}).String()
}

// Asked returns the hosts that were requested with the password.
func (p *Proxy) Asked() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.asked)
}

func (p *Proxy) admits(r *http.Request) bool {
	return p.user == nil || r.Header.Get("Proxy-Authorization") == "Basic "+base64.StdEncoding.EncodeToString([]byte(p.user.String()))
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || !p.admits(r) {
		w.Header().Set("Proxy-Authenticate", "Basic")
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	p.mu.Lock()
	p.asked[r.Host] = true
	p.mu.Unlock()
	address, ok := p.hosts[r.Host]
	if !ok {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	target, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", address)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = target.Close()
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go pass(client, target)
	pass(target, client)
}

// pass copies until one side ends, and closes the other.
func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = errors.Join(from.Close(), to.Close())
}
