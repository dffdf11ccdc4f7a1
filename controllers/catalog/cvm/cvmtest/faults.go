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

// Fault is a rule that spoils answers. The first rule, in order of injection, whose every non-zero match field agrees decides; it sees
// only requests with a valid signature that are within the rate limit. The effects can be combined where that makes sense. As JSON,
// durations are strings such as "1.5s".
type Fault struct {
	// Region, SecretID: only requests with them.
	Region   string `json:"region,omitempty"`
	SecretID string `json:"secretID,omitempty"`
	// Page is the 1-based number Offset/Limit + 1; FromPage is that page and all later ones.
	Page     int `json:"page,omitempty"`
	FromPage int `json:"fromPage,omitempty"`
	// Call: only the n-th request, from 1, that agrees with the other match fields.
	Call int `json:"call,omitempty"`
	// ByID: only requests with ImageIds. Listing: only requests without.
	ByID    bool `json:"byID,omitempty"`
	Listing bool `json:"listing,omitempty"`
	// ImageID: only requests with it among their ImageIds.
	ImageID string `json:"imageID,omitempty"`
	// Times is how often it fires; 0 means until removed.
	Times int `json:"times,omitempty"`

	// Code answers an error; Message is the error's message ("" means the documented description of the code, or a generic one).
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// Status is the HTTP status. Without Code or Body, and unless KeepBody, one from 400 up comes with a gateway's HTML page.
	Status int `json:"status,omitempty"`
	// KeepBody answers the good body even with an error Status.
	KeepBody bool `json:"keepBody,omitempty"`
	// Delay is waited before answering.
	Delay time.Duration `json:"delay,omitempty"`
	// Blackhole never answers: it ends when the client goes away or the server closes.
	Blackhole bool `json:"blackhole,omitempty"`
	// Drip sends one byte of the body per Drip.
	Drip time.Duration `json:"drip,omitempty"`
	// Body is the whole body, verbatim.
	Body *string `json:"body,omitempty"`
	// BigBody is the size in bytes of a body of white space before the good answer, which stays valid JSON.
	BigBody int64 `json:"bigBody,omitempty"`
	// Header are headers to set, for example Content-Encoding: br.
	Header map[string]string `json:"header,omitempty"`
	// CutAfter closes the connection after so many bytes of a body whose Content-Length promises all.
	CutAfter int `json:"cutAfter,omitempty"`
	// Hangup closes the connection without an answer; Reset does so with a TCP RST, or turns the close of CutAfter into one.
	Hangup bool `json:"hangup,omitempty"`
	Reset  bool `json:"reset,omitempty"`
	// Redirect answers 302 (or Status) with this Location.
	Redirect string `json:"redirect,omitempty"`
	// EventStream answers as text/event-stream, the good answer being one event.
	EventStream bool `json:"eventStream,omitempty"`
	// DeflateBomb and GzipBomb are the unpacked size in bytes of a body with that Content-Encoding: white space, then the good answer.
	DeflateBomb int64 `json:"deflateBomb,omitempty"`
	GzipBomb    int64 `json:"gzipBomb,omitempty"`

	// TotalCount is answered instead; TotalDelta is added.
	TotalCount *int64 `json:"totalCount,omitempty"`
	TotalDelta int64  `json:"totalDelta,omitempty"`
	// DropImages leaves the first n images of the page out of it.
	DropImages int `json:"dropImages,omitempty"`
	// DuplicateImages makes the page start n images too early, so that it repeats the previous page's last ones and lacks its own last
	// ones, as after an insertion between two pages. On page 1 its last n images are replaced by its first n.
	DuplicateImages int `json:"duplicateImages,omitempty"`
	// NullImages replaces the first n images of the page with null.
	NullImages int `json:"nullImages,omitempty"`
	// IgnoreOffset answers the first page to every Offset.
	IgnoreOffset bool `json:"ignoreOffset,omitempty"`
	// Short is the most images a page has; the server goes on serving the rest at the following Offset.
	Short int `json:"short,omitempty"`
	// Set replaces or adds members of Response ("ImageSet": null); Unset leaves members out.
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

// Inject adds a fault and returns what removes it.
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

// reshape changes what page of the answer is served, and its total.
func (f *Fault) reshape(q query, got found) ([]*entry, int64) {
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

// fail is the error answer, or nil.
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

// UnmarshalJSON reads durations as strings such as "1.5s" and refuses unknown members, which would otherwise be faults that do nothing.
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
