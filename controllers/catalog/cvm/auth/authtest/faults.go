// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"net/http"
	"slices"
	"sync"
)

// Fault changes answers.
type Fault struct {
	// Times is the number of answers that it changes; 0 means all.
	Times int

	// Code is the error that STS answers with.
	Code string

	// Status, Header and Body replace those of the answer unless they are 0 or nil.
	Status int
	Header map[string]string
	Body   *string

	// Hold, if set, delays the answer until it is closed, the client gives up, or the server closes.
	Hold chan struct{}

	// Drop closes the connection without an answer.
	Drop bool
}

// faults are the injected faults of a server. The first one applies.
type faults struct {
	mu    sync.Mutex
	rules []*Fault
}

// Inject adds a fault.
func (f *faults) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &fault)
}

// Heal removes all faults.
func (f *faults) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// pick returns the fault for an answer, or an empty one.
func (f *faults) pick() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.rules) == 0 {
		return Fault{}
	}
	picked := *f.rules[0]
	if f.rules[0].Times > 0 {
		if f.rules[0].Times--; f.rules[0].Times == 0 {
			f.rules = slices.Delete(f.rules, 0, 1)
		}
	}
	return picked
}

// write sends an answer with the fault applied.
func (fault Fault) write(w http.ResponseWriter, r *http.Request, closed <-chan struct{}, status int, contentType, body string) {
	if fault.Hold != nil {
		select {
		case <-fault.Hold:
		case <-r.Context().Done():
		case <-closed:
		}
	}
	if fault.Drop {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", contentType)
	for name, value := range fault.Header {
		w.Header().Set(name, value)
	}
	if fault.Status != 0 {
		status = fault.Status
	}
	if fault.Body != nil {
		body = *fault.Body
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}
