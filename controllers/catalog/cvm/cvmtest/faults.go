// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Fault is a rule that changes answers. The first injected rule that matches a request in all its non-zero match fields
// applies. Rules see only requests with a valid signature within the rate limit. Effects can be combined where that
// makes sense. In JSON, durations are strings such as "1.5s".
type Fault struct {
	// Region and SecretID match requests with these values.
	Region   string `json:"region,omitempty"`
	SecretID string `json:"secretID,omitempty"`
	// Page matches the page with this number, Offset/Limit + 1. FromPage matches that page and all later ones.
	Page     int `json:"page,omitempty"`
	FromPage int `json:"fromPage,omitempty"`
	// Call matches only the n-th request, from 1, that matches the other fields.
	Call int `json:"call,omitempty"`
	// ByID matches only requests with ImageIds, Listing only requests without.
	ByID    bool `json:"byID,omitempty"`
	Listing bool `json:"listing,omitempty"`
	// ImageID matches only requests with this id among their ImageIds.
	ImageID string `json:"imageID,omitempty"`
	// Times is the number of requests that it applies to. 0 means until removed.
	Times int `json:"times,omitempty"`

	// Code is the error to answer with. Message is its message; "" means the documented description of the code, or a
	// generic one.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// Status is the HTTP status. From 400, a gateway's HTML page is the body unless Code, Body or KeepBody is set.
	Status int `json:"status,omitempty"`
	// KeepBody keeps the correct body even with an error Status.
	KeepBody bool `json:"keepBody,omitempty"`
	// Delay is the time before the answer.
	Delay time.Duration `json:"delay,omitempty"`
	// Blackhole never answers. It ends when the client disconnects or the server closes.
	Blackhole bool `json:"blackhole,omitempty"`
	// Drip is the time between two bytes of the body.
	Drip time.Duration `json:"drip,omitempty"`
	// Body replaces the whole body.
	Body *string `json:"body,omitempty"`
	// BigBody is the number of bytes of white space before the correct answer, which stays valid JSON.
	BigBody int64 `json:"bigBody,omitempty"`
	// Header are headers to set, for example Content-Encoding: br.
	Header map[string]string `json:"header,omitempty"`
	// CutAfter closes the connection after this number of bytes of a body with the full Content-Length.
	CutAfter int `json:"cutAfter,omitempty"`
	// Hangup closes the connection without an answer. Reset does so with a TCP RST, also for CutAfter.
	Hangup bool `json:"hangup,omitempty"`
	Reset  bool `json:"reset,omitempty"`
	// Redirect answers 302 (or Status) with this Location.
	Redirect string `json:"redirect,omitempty"`
	// EventStream sends the correct answer as one event of a text/event-stream.
	EventStream bool `json:"eventStream,omitempty"`
	// DeflateBomb and GzipBomb are the decompressed size in bytes of a body with that Content-Encoding: white space,
	// then the correct answer.
	DeflateBomb int64 `json:"deflateBomb,omitempty"`
	GzipBomb    int64 `json:"gzipBomb,omitempty"`

	// TotalCount replaces the total. TotalDelta is added to it.
	TotalCount *int64 `json:"totalCount,omitempty"`
	TotalDelta int64  `json:"totalDelta,omitempty"`
	// HideImages are the ids of images that answers neither have nor count, so that a listing without them agrees with itself.
	HideImages []string `json:"hideImages,omitempty"`
	// DropImages omits the first n images of the page.
	DropImages int `json:"dropImages,omitempty"`
	// DuplicateImages makes the page start n images too early, so that it repeats the last images of the previous page
	// and lacks its own last ones, as after an insertion between two pages. On page 1, its first n images replace its
	// last n.
	DuplicateImages int `json:"duplicateImages,omitempty"`
	// NullImages replaces the first n images of the page with null.
	NullImages int `json:"nullImages,omitempty"`
	// IgnoreOffset returns the first page for every Offset.
	IgnoreOffset bool `json:"ignoreOffset,omitempty"`
	// Short is the maximum number of images in a page. The rest is served at the following Offset.
	Short int `json:"short,omitempty"`
	// Set replaces or adds members of Response ("ImageSet": null). Unset omits members.
	Set   map[string]json.RawMessage `json:"set,omitempty"`
	Unset []string                   `json:"unset,omitempty"`
}

type faults struct {
	mu    sync.Mutex
	rules []*rule
	last  int
}

type rule struct {
	Fault
	id           int
	calls, fired int
}

// Inject adds a fault and returns a function that removes it.
func (s *Server) Inject(f Fault) (remove func()) {
	id := s.faults.add(f)
	return func() { s.faults.remove(id) }
}

// Heal removes all faults.
func (s *Server) Heal() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.rules = nil
}

func (f *faults) add(fault Fault) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	f.rules = append(f.rules, &rule{Fault: fault, id: f.last})
	return f.last
}

func (f *faults) remove(id int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = slices.DeleteFunc(f.rules, func(r *rule) bool { return r.id == id })
}

// pick returns the fault that applies to the request, or nil.
func (f *faults) pick(req Request) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if !r.agrees(req) {
			continue
		}
		r.calls++
		if (r.Call != 0 && r.calls != r.Call) || (r.Times != 0 && r.fired >= r.Times) {
			continue
		}
		r.fired++
		fault := r.Fault
		return &fault
	}
	return nil
}

func (f *Fault) agrees(r Request) bool {
	byID := len(r.ImageIDs) > 0
	return (f.Region == "" || f.Region == r.Region) &&
		(f.SecretID == "" || f.SecretID == r.SecretID) &&
		(f.Page == 0 || f.Page == r.Page) &&
		(f.FromPage == 0 || r.Page >= f.FromPage) &&
		(!f.ByID || byID) && (!f.Listing || !byID) &&
		(f.ImageID == "" || slices.Contains(r.ImageIDs, f.ImageID))
}

// reshape applies the fault to the images and the total of a page.
func (f *Fault) reshape(q query, got found) ([]*entry, int64) {
	if len(f.HideImages) > 0 {
		hidden := func(e *entry) bool { return slices.Contains(f.HideImages, e.ImageID) }
		left := slices.DeleteFunc(slices.Clone(got.all), hidden)
		total := got.total - int64(len(got.all)-len(left))
		got = slice(left, q.offset, q.limit)
		got.total = total
	}
	switch {
	case f.IgnoreOffset:
		got.from, got.upto = 0, slice(got.all, 0, q.limit).upto
	case f.DuplicateImages > 0 && q.offset > 0:
		early := slice(got.all, max(0, q.offset-int64(f.DuplicateImages)), q.limit)
		got.from, got.upto = early.from, early.upto
	}
	page := slices.Clone(got.page())
	if f.DuplicateImages > 0 && q.offset == 0 {
		n := min(f.DuplicateImages, len(page)/2)
		copy(page[len(page)-n:], page[:n])
	}
	if f.Short > 0 && len(page) > f.Short {
		page = page[:f.Short]
	}
	page = page[min(f.DropImages, len(page)):]
	total := got.total + f.TotalDelta
	if f.TotalCount != nil {
		total = *f.TotalCount
	}
	return page, total
}

// fail returns the error answer, or nil.
func (f *Fault) fail() *refusal {
	if f.Code == "" {
		return nil
	}
	if f.Message != "" {
		return &refusal{code: f.Code, en: f.Message}
	}
	return refuse(f.Code, "cvmtest: injected "+f.Code)
}

// faultJSON is Fault with readable durations.
type faultJSON struct {
	*plainFault
	Delay duration `json:"delay,omitzero"`
	Drip  duration `json:"drip,omitzero"`
}

type plainFault Fault

// MarshalJSON writes durations as strings.
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{plainFault: (*plainFault)(&f), Delay: duration(f.Delay), Drip: duration(f.Drip)})
}

// UnmarshalJSON parses durations such as "1.5s" and rejects unknown members, since they would be faults without effect.
func (f *Fault) UnmarshalJSON(b []byte) error {
	j := faultJSON{plainFault: (*plainFault)(f)}
	if err := decodeStrict(b, &j); err != nil {
		return err
	}
	f.Delay, f.Drip = time.Duration(j.Delay), time.Duration(j.Drip)
	return nil
}

type duration time.Duration

func (d duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

func (d *duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a duration is a string such as %q: %w", "1.5s", err)
	}
	v, err := time.ParseDuration(s)
	*d = duration(v)
	return err
}
