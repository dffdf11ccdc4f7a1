// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"net/http"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// nodeRole is the body of PUT /node-role.
type nodeRole struct {
	Name string `json:"name"`
	UIN  string `json:"uin"`
}

// ControlRoutes returns the routes that the two services add to the simulated cloud's control API.
//
//	PUT  /roles               Role: STS.SetRole
//	PUT  /identity-providers  Provider: STS.SetProvider
//	PUT  /node-role           {"name", "uin"}: Metadata.SetRole
//	GET  /sts-requests        [Request]
//	GET  /metadata-requests   [path]
func ControlRoutes(s *STS, m *Metadata) map[string]func(*http.Request) (any, error) {
	return map[string]func(*http.Request) (any, error){
		"PUT /roles":              cvmtest.Reading(func(r Role) { s.SetRole(r) }),
		"PUT /identity-providers": cvmtest.Reading(s.SetProvider),
		"PUT /node-role":          cvmtest.Reading(func(r nodeRole) { m.SetRole(r.Name, r.UIN) }),
		"GET /sts-requests":       func(*http.Request) (any, error) { return s.Requests(), nil },
		"GET /metadata-requests":  func(*http.Request) (any, error) { return m.Paths(), nil },
	}
}

// Control drives the services from another process.
type Control struct{ cloud *cvmtest.Control }

// Dial returns a client for the routes at the control API of a simulated cloud.
func Dial(cloud *cvmtest.Control) Control { return Control{cloud: cloud} }

// SetRole is STS.SetRole.
func (c Control) SetRole(r Role) { c.cloud.Call(http.MethodPut, "/roles", r, nil) }

// SetProvider is STS.SetProvider.
func (c Control) SetProvider(p Provider) {
	c.cloud.Call(http.MethodPut, "/identity-providers", p, nil)
}

// SetNodeRole is Metadata.SetRole.
func (c Control) SetNodeRole(name, uin string) {
	c.cloud.Call(http.MethodPut, "/node-role", nodeRole{Name: name, UIN: uin}, nil)
}

// STSRequests is STS.Requests.
func (c Control) STSRequests() (out []Request) {
	c.cloud.Call(http.MethodGet, "/sts-requests", nil, &out)
	return out
}

// MetadataRequests is Metadata.Paths.
func (c Control) MetadataRequests() (out []string) {
	c.cloud.Call(http.MethodGet, "/metadata-requests", nil, &out)
	return out
}
