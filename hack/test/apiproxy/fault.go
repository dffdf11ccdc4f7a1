// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Fault changes requests that match all non-zero fields of the first group.
type Fault struct {
	Verb, Resource, Name string

	// Times is the number of requests; 0 means until healed.
	Times int

	// Delay is the time before the server is asked.
	Delay time.Duration

	// Status is answered in place of the server, in the server's format. RetryAfter, in seconds, is sent with it.
	Status, RetryAfter int

	// DropReply forwards the request, unless it is a watch, and then cuts the connection.
	DropReply bool

	// Freeze neither forwards nor answers until the fault is healed or the client disconnects.
	Freeze bool

	fired  int
	healed chan struct{}
}

// Phase is a phase of a write.
type Phase int

// The phases in which a manager can be lost.
const (
	BeforeSent  Phase = iota // the server doesn't get it
	BeforeReply              // the server has executed it, but the manager has no reply
	AfterReply               // the manager has the reply
)

func (p Phase) String() string {
	return [...]string{"before it is sent", "after commit, before the reply", "after the reply"}[p]
}

// Inject adds a fault. The first one that matches a request applies.
func (p *Proxy) Inject(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.healed = make(chan struct{})
	p.faults = append(p.faults, &f)
}

// Heal removes all faults. Frozen requests continue.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		close(f.healed)
	}
	p.faults = nil
}

// CrashAt calls kill, once, in a phase of the n-th write from now. Then all requests are blocked until Resume.
func (p *Proxy) CrashAt(write int, phase Phase, kill func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crash = &crash{write: p.writes + write, phase: phase, kill: kill}
}

// Resume unblocks requests after a crash, and cancels a pending CrashAt.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crash, p.down = nil, false
}

type crash struct {
	write int
	phase Phase
	kill  func()
}

// pick records a request, and returns the fault that applies and the request's index in the log. up is false while
// requests are blocked.
func (p *Proxy) pick(r *Request) (fault *Fault, at int, up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, 0, false
	}
	defer func() { p.log, at = append(p.log, *r), len(p.log) }()
	if r.counted() {
		p.writes++
		r.Write = p.writes
	}
	i := slices.IndexFunc(p.faults, func(f *Fault) bool {
		return (f.Verb == "" || f.Verb == r.Verb) && (f.Resource == "" || f.Resource == r.Resource) && (f.Name == "" || f.Name == r.Name) &&
			(f.Times == 0 || f.fired < f.Times)
	})
	if i < 0 {
		return nil, 0, true
	}
	p.faults[i].fired++
	r.Injected = p.faults[i].Status != 0
	return p.faults[i], 0, true
}

// strike crashes the manager if this is the phase. Requests are blocked first, so that nothing sent meanwhile gets
// through.
func (p *Proxy) strike(r Request, phase Phase) bool {
	p.mu.Lock()
	c := p.crash
	now := c != nil && r.Write == c.write && phase == c.phase
	if now {
		p.crash, p.down = nil, true
	}
	p.mu.Unlock()
	if now {
		c.kill()
	}
	return now
}

// refuse answers with a Status in the format of kube-apiserver.
func (f *Fault) refuse(w http.ResponseWriter) {
	reason := map[int]metav1.StatusReason{
		http.StatusConflict: metav1.StatusReasonConflict, http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests,
		http.StatusServiceUnavailable: metav1.StatusReasonServiceUnavailable, http.StatusForbidden: metav1.StatusReasonForbidden,
		http.StatusGone: metav1.StatusReasonExpired, http.StatusInternalServerError: metav1.StatusReasonInternalError,
	}[f.Status]
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(f.Status), Reason: reason,
		Message: "injected by a test",
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		status.Details = &metav1.StatusDetails{RetryAfterSeconds: int32(f.RetryAfter)}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Status)
	_ = json.NewEncoder(w).Encode(status) // the client may have disconnected
}
