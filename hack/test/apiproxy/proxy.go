// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// Proxy is a running proxy.
type Proxy struct {
	server *httptest.Server

	upstream *url.URL
	wire     http.RoundTripper
	reads    *httputil.ReverseProxy

	mu     sync.Mutex
	faults []*Fault
	crash  *crash
	down   bool
	writes int
	log    []Request
	held   map[string]*hold

	// readFrom are the servers that answer reads of some resources instead of upstream.
	readFrom map[string]*url.URL
	watches  map[*watch]bool
}

// Start starts a proxy for an API server. It ends with the test.
func Start(t cluster.T, config *rest.Config) *Proxy {
	t.Helper()
	anonymous := rest.AnonymousClientConfig(config) // requests have their own tokens
	wire, err := rest.TransportFor(anonymous)
	if err != nil {
		t.Fatalf("%v", err)
	}
	upstream, err := url.Parse(config.Host)
	if err != nil {
		t.Fatalf("%v", err)
	}
	p := &Proxy{upstream: upstream, wire: wire, readFrom: map[string]*url.URL{}, held: map[string]*hold{}, watches: map[*watch]bool{}}
	quiet := log.New(io.Discard, "", 0) // broken connections are part of the tests
	p.reads = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			upstream := p.serverOf(r.In)
			r.SetURL(upstream)
			r.Out.Host = upstream.Host
		},
		// Events are forwarded immediately.
		FlushInterval: -1, Transport: wire, ModifyResponse: p.tap, ErrorLog: quiet,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	// Clients send tokens over TLS only.
	p.server = httptest.NewUnstartedServer(p)
	p.server.Config.ErrorLog = quiet
	p.server.StartTLS()
	t.Cleanup(func() {
		p.Heal()
		p.CutWatches("")
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

// Config returns a configuration for KubeconfigOf that uses the proxy.
func (p *Proxy) Config() *rest.Config {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	return &rest.Config{Host: p.server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
}

// ReadFrom sends reads of a resource to another API server of the same cluster and certificate, as a load balancer may.
func (p *Proxy) ReadFrom(t cluster.T, config *rest.Config, resource string) {
	t.Helper()
	upstream, err := url.Parse(config.Host)
	if err != nil {
		t.Fatalf("%v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readFrom[resource] = upstream
}

// serverOf returns the server for a request.
func (p *Proxy) serverOf(r *http.Request) *url.URL {
	request := newRequest(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.readFrom[request.Resource]; other != nil && request.reads() {
		return other
	}
	return p.upstream
}

// Log returns all requests so far in the order of arrival. Requests in flight have no Code yet.
func (p *Proxy) Log() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

// Writes returns the requests of Log that write ImageQueries or CloudImages.
func (p *Proxy) Writes() []Request {
	return slices.DeleteFunc(p.Log(), func(r Request) bool { return r.Write == 0 })
}

// note records the server's answer to a request.
func (p *Proxy) note(r *http.Request, code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i, ok := r.Context().Value(place{}).(int); ok {
		p.log[i].Code = code
	}
}

// place is the context key of a request's index in the log.
type place struct{}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := newRequest(r)
	if request.counted() && request.Name == "" {
		request.Name = nameIn(r)
	}
	fault, at, up := p.pick(&request)
	if !up {
		panic(http.ErrAbortHandler)
	}
	r = r.WithContext(context.WithValue(r.Context(), place{}, at))
	if fault == nil {
		fault = &Fault{}
	}
	for _, wait := range []func(){func() { fault.delay(r) }, func() { fault.freeze(r) }} {
		if wait(); r.Context().Err() != nil {
			panic(http.ErrAbortHandler)
		}
	}
	switch {
	case fault.Status != 0:
		p.note(r, fault.Status)
		fault.refuse(w)
	case request.Verb == "watch" && fault.DropReply: // its answer has no end
		panic(http.ErrAbortHandler)
	case request.reads() && !fault.DropReply:
		p.reads.ServeHTTP(w, r)
	default:
		p.write(w, r, request, fault)
	}
}

func (f *Fault) delay(r *http.Request) {
	if f.Delay == 0 {
		return
	}
	select {
	case <-time.After(f.Delay):
	case <-r.Context().Done():
	}
}

func (f *Fault) freeze(r *http.Request) {
	if !f.Freeze {
		return
	}
	select {
	case <-f.healed:
	case <-r.Context().Done():
	}
}

// write forwards a request and receives the whole answer before it sends any of it to the client.
func (p *Proxy) write(w http.ResponseWriter, r *http.Request, request Request, fault *Fault) {
	if p.strike(request, BeforeSent) {
		panic(http.ErrAbortHandler)
	}
	status, header, body, err := p.forward(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	p.note(r, status)
	if p.strike(request, BeforeReply) || fault.DropReply {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has left
	_ = http.NewResponseController(w).Flush()
	p.strike(request, AfterReply)
}

// forward sends a request to the server. It doesn't depend on the client, like a request that was already sent.
func (p *Proxy) forward(r *http.Request) (int, http.Header, []byte, error) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, nil, nil, err
	}
	target := *r.URL
	upstream := p.serverOf(r)
	target.Scheme, target.Host = upstream.Scheme, upstream.Host
	out, err := http.NewRequest(r.Method, target.String(), bytes.NewReader(sent)) //nolint:noctx // see above
	if err != nil {
		return 0, nil, nil, err
	}
	out.Header = r.Header.Clone()
	response, err := p.wire.RoundTrip(out)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, body, err
}
