// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"slices"
	"sync"
	"time"
)

// Request is an entry of the log. A request is logged when its answer is decided, before any delay, so what a client got an answer to
// is always there.
type Request struct {
	// Time is the server's clock at arrival.
	Time time.Time `json:"time"`
	// Action is X-TC-Action.
	Action string `json:"action"`
	// Region is X-TC-Region.
	Region string `json:"region"`
	// Language is X-TC-Language, "" when not sent.
	Language string `json:"language"`
	// SecretID is "" when there was no readable Authorization.
	SecretID string `json:"secretID"`
	// RequestClient is X-TC-RequestClient: the SDK's version and the caller's own tag.
	RequestClient string `json:"requestClient"`
	// UserAgent is User-Agent.
	UserAgent string `json:"userAgent"`
	// ImageIDs are those asked for.
	ImageIDs []string `json:"imageIDs,omitempty"`
	// Filters are the values by filter name.
	Filters map[string][]string `json:"filters,omitempty"`
	// Offset and Limit have the service's defaults filled in.
	Offset int64 `json:"offset"`
	Limit  int64 `json:"limit"`
	// InstanceType is the one asked for.
	InstanceType string `json:"instanceType,omitempty"`
	// Page is Offset/Limit + 1.
	Page int `json:"page"`
	// RequestID is the answer's.
	RequestID string `json:"requestID"`
	// Code is the answer's error code; "" is a good answer, or one spoilt by a fault without a code.
	Code string `json:"code,omitempty"`
	// Fault is set if an injected fault changed the answer.
	Fault bool `json:"fault,omitempty"`
	// TotalCount and Returned are the answer's total and number of images, before a fault's Body, Set or Unset.
	TotalCount int64 `json:"totalCount"`
	Returned   int   `json:"returned"`
}

// maxLogged bounds the log: older requests are forgotten beyond it.
const maxLogged = 1 << 18

type requestLog struct {
	mu       sync.Mutex
	requests []Request
	unknown  []string
	hook     func(Request)
}

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.requests) >= maxLogged {
		l.requests = slices.Clone(l.requests[maxLogged/2:])
	}
	l.requests = append(l.requests, r)
}

// notify calls the hook without holding the lock.
func (l *requestLog) notify(r Request) {
	l.mu.Lock()
	hook := l.hook
	l.mu.Unlock()
	if hook != nil {
		hook(r)
	}
}

func (l *requestLog) addUnknown(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.unknown, what) && len(l.unknown) < 1000 {
		l.unknown = append(l.unknown, what)
	}
}

// OnRequest sets what is called for each request after it was authenticated and before its answer is made, with no lock held: a test
// changes the cloud between two pages here, or holds a page. The answer's fields are not filled yet. nil ends it.
func (s *Server) OnRequest(f func(Request)) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.hook = f
}

// Requests returns the log: all requests since the start or ResetRequests, refused ones too, in the order of their answers.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.requests)
}

// ResetRequests empties the log. What Unknown returns stays.
func (s *Server) ResetRequests() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.requests = nil
}

// Unknown returns what was asked that no source describes, each once; see CodeUnknown. A test's cleanup should find it empty.
func (s *Server) Unknown() []string {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.unknown)
}
