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

// Request is one to kube-apiserver, in the words of roles.
type Request struct {
	// Verb is get, list, watch, create, update, patch or delete.
	Verb string

	// Resource has a subresource with it: imagequeries/status. It is the path where that is of no resource (/healthz).
	Resource, Namespace, Name string

	// Write counts the writes of CloudImages and ImageQueries, from 1; 0 is any other request.
	Write int

	// Code is the HTTP status of the server's answer; 0 if the server was not asked, or didn't answer.
	Code int
}

// String is the request without its number and answer, which is what two runs have in common.
func (r Request) String() string {
	return strings.TrimRight(fmt.Sprintf("%s %s %s", r.Verb, r.Resource, r.Name), " ")
}

// newRequest reads the path as documented under "API concepts":
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

// nameIn is the name in the body of a request that creates an object. The body can be read again.
func nameIn(r *http.Request) string {
	content, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(content))
	var object struct {
		Metadata struct{ Name string }
	}
	if err != nil || json.Unmarshal(content, &object) != nil {
		return "" // not ours to judge
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

// counted says whether a write is numbered: one of the catalogue. Leases and events come when they like.
func (r Request) counted() bool {
	return !r.reads() && (strings.HasPrefix(r.Resource, "cloudimages") || strings.HasPrefix(r.Resource, "imagequeries"))
}
