// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// auditPolicy records the user, the request and the result.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// Request is a request to kube-apiserver in its audit log.
type Request struct {
	User, UserAgent string

	Verb, Group string

	// Resource includes the subresource, as in roles: imagequeries/status. Requests without a resource (/healthz) have
	// a URI.
	Resource, Namespace, Name, URI string

	// Code is the HTTP status of the answer: 403 means denied.
	Code int32
}

// String formats the request on one line.
func (r Request) String() string {
	what := r.URI
	if r.Resource != "" {
		what = strings.Trim(fmt.Sprintf("%s.%s %s/%s", r.Resource, r.Group, r.Namespace, r.Name), "/ .")
	}
	return fmt.Sprintf("%d %s %s by %s (%s)", r.Code, r.Verb, what, r.User, r.UserAgent)
}

// Denied reports whether the user's roles don't allow the request.
func (r Request) Denied() bool {
	return r.Code == http.StatusForbidden || r.Code == http.StatusUnauthorized
}

func (c *Cluster) auditLog() string { return filepath.Join(c.children.dir, "audit.log") }

// audit makes the API server write the audit log, each line before its answer is sent.
func (c *Cluster) audit(flags *envtest.Arguments) {
	c.Helper()
	policy := filepath.Join(c.children.dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		c.Fatalf("%v", err)
	}
	flags.Set("audit-policy-file", policy).Set("audit-log-path", c.auditLog()).Set("audit-log-mode", "blocking")
}

// Requests returns all answered requests to kube-apiserver, in the order of their answers; a watch counts when it
// begins. A line is written shortly after its answer, so the request of another client may be missing when its effect
// is visible.
func (c *Cluster) Requests() []Request {
	c.Helper()
	return c.RequestsSince(0)
}

// Mark returns the current end of the audit log, for RequestsSince.
func (c *Cluster) Mark() int64 {
	c.Helper()
	info, err := os.Stat(c.auditLog())
	if err != nil {
		c.Fatalf("%v", err)
	}
	return info.Size()
}

// RequestsSince returns the requests after a mark.
func (c *Cluster) RequestsSince(mark int64) []Request {
	c.Helper()
	file, err := os.Open(c.auditLog())
	if err != nil {
		c.Fatalf("%v", err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(mark, io.SeekStart); err != nil {
		c.Fatalf("%v", err)
	}
	var requests []Request
	begun := map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e auditv1.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			break // an incomplete last line
		}
		if id := string(e.AuditID); !begun[id] {
			begun[id] = true
			requests = append(requests, newRequest(&e))
		}
	}
	if err := lines.Err(); err != nil {
		c.Fatalf("reading the audit log: %v", err)
	}
	return requests
}

// RequestsOf returns the requests of a user.
func (c *Cluster) RequestsOf(user string) []Request {
	c.Helper()
	var requests []Request
	for _, r := range c.Requests() {
		if r.User == user {
			requests = append(requests, r)
		}
	}
	return requests
}

func newRequest(e *auditv1.Event) Request {
	r := Request{User: e.User.Username, UserAgent: e.UserAgent, Verb: e.Verb, URI: e.RequestURI}
	if e.ResponseStatus != nil {
		r.Code = e.ResponseStatus.Code
	}
	if o := e.ObjectRef; o != nil {
		r.Group, r.Resource, r.Namespace, r.Name = o.APIGroup, o.Resource, o.Namespace, o.Name
		if o.Subresource != "" {
			r.Resource += "/" + o.Subresource
		}
	}
	return r
}
