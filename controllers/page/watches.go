// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"net/http"
	"sync"
	"time"
)

// Watches knows whether the API server still answers. An informer keeps what it has when its watch breaks, so without this the
// page would show an old catalogue as the present one.
type Watches struct {
	mu     sync.Mutex
	now    func() time.Time
	broken time.Time
}

// NewWatches returns Watches that read this clock.
func NewWatches(now func() time.Time) *Watches { return &Watches{now: now} }

// Wrap observes the requests of a client to the API server; it is for rest.Config.Wrap.
func (w *Watches) Wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if r.Context().Err() == nil { // else nobody waits for the answer any more, so it tells nothing
			w.note(err == nil && response.StatusCode < http.StatusBadRequest)
		}
		return response, err
	})
}

// BrokenSince returns since when no request succeeded; zero if the last one did.
func (w *Watches) BrokenSince() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

func (w *Watches) note(ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case ok:
		w.broken = time.Time{}
	case w.broken.IsZero():
		w.broken = w.now()
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
