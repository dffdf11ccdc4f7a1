// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Request is a request to kube-apiserver, described like in roles.
type Request struct {
	// Verb is get, list, watch, create, update, patch or delete.
	Verb string

	// Resource includes the subresource: imagequeries/status. For requests without a resource it is the path
	// (/healthz).
	Resource, Namespace, Name string

	// Write numbers the writes of CloudImages and ImageQueries, from 1. It is 0 for other requests.
	Write int

	// Code is the HTTP status of the answer, or 0 without an answer. Injected is set if a fault answered in place of the server.
	Code     int
	Injected bool
}

// String formats the request without its number and answer, so that two runs can be compared.
func (r Request) String() string {
	return strings.TrimRight(fmt.Sprintf("%s %s %s", r.Verb, r.Resource, r.Name), " ")
}

// newRequest parses the path as documented under "API concepts":
// /apis/<group>/<version>[/namespaces/<namespace>]/<resource>[/<name>[/<subresource>]].
func newRequest(r *http.Request) Request {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		parts = parts[3:]
	default:
		return Request{Verb: strings.ToLower(r.Method), Resource: r.URL.Path}
	}
	var out Request
	if len(parts) > 2 && parts[0] == "namespaces" {
		out.Namespace, parts = parts[1], parts[2:]
	}
	out.Resource = parts[0]
	if len(parts) > 1 {
		out.Name = parts[1]
	}
	if len(parts) > 2 {
		out.Resource += "/" + parts[2]
	}
	out.Verb = verb(r, out.Name != "")
	return out
}

// nameIn returns the name in the body of a request that creates an object. The body can be read again.
func nameIn(r *http.Request) string {
	content, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(content))
	var object struct {
		Metadata struct{ Name string }
	}
	if err != nil || json.Unmarshal(content, &object) != nil {
		return "" // the server rejects it
	}
	return object.Metadata.Name
}

func verb(r *http.Request, named bool) string {
	switch r.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch, http.MethodDelete:
		return strings.ToLower(r.Method)
	}
	switch {
	case r.URL.Query().Get("watch") == "true" || r.URL.Query().Get("watch") == "1":
		return "watch"
	case named:
		return "get"
	}
	return "list"
}

func (r Request) reads() bool { return r.Verb == "get" || r.Verb == "list" || r.Verb == "watch" }

// counted reports whether a write is numbered: only writes of ImageQueries and CloudImages, since Leases and events are
// written at arbitrary times.
func (r Request) counted() bool {
	return !r.reads() && (strings.HasPrefix(r.Resource, "cloudimages") || strings.HasPrefix(r.Resource, "imagequeries"))
}
