// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"slices"
	"sync"
	"time"
)

// Request is an entry of the log. A request is logged before its answer is sent or delayed, so the log contains every
// request that a client got an answer to.
type Request struct {
	// Time is the server's clock at arrival.
	Time time.Time `json:"time"`
	// Action is X-TC-Action.
	Action string `json:"action"`
	// Region is X-TC-Region.
	Region string `json:"region"`
	// Language is X-TC-Language, or "".
	Language string `json:"language"`
	// SecretID is "" without a valid Authorization header.
	SecretID string `json:"secretID"`
	// RequestClient is X-TC-RequestClient: the SDK's version and the client's own name.
	RequestClient string `json:"requestClient"`
	// UserAgent is User-Agent.
	UserAgent string `json:"userAgent"`
	// ImageIDs are the requested ids.
	ImageIDs []string `json:"imageIDs,omitempty"`
	// Filters are the values by filter name.
	Filters map[string][]string `json:"filters,omitempty"`
	// Offset and Limit include the service's defaults.
	Offset int64 `json:"offset"`
	Limit  int64 `json:"limit"`
	// InstanceType is the requested type.
	InstanceType string `json:"instanceType,omitempty"`
	// Page is Offset/Limit + 1.
	Page int `json:"page"`
	// RequestID is the id in the answer.
	RequestID string `json:"requestID"`
	// Code is the answer's error code. It is "" for a correct answer, or one changed by a fault without a code.
	Code string `json:"code,omitempty"`
	// Fault is set if an injected fault changed the answer.
	Fault bool `json:"fault,omitempty"`
	// TotalCount and Returned are the total and number of images in the answer, before a fault's Body, Set or Unset.
	TotalCount int64 `json:"totalCount"`
	Returned   int   `json:"returned"`
}

// maxLogged bounds the log. The oldest requests are dropped.
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

// OnRequest sets a hook that is called after each request is authenticated and before its answer is computed, without
// locks. A test can use it to change the cloud between two pages, or to hold a page. The answer's fields are not set
// yet. nil removes the hook.
func (s *Server) OnRequest(f func(Request)) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.hook = f
}

// Requests returns the log: all requests since the start or ResetRequests, including refused ones, in the order of
// their answers.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.requests)
}

// ResetRequests clears the log, but not Unknown.
func (s *Server) ResetRequests() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.requests = nil
}

// Unknown returns the requested behaviours that no source describes, without duplicates; see CodeUnknown. A test's
// cleanup should find it empty.
func (s *Server) Unknown() []string {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.unknown)
}
