// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// rolePath is documented (CVM, "instance metadata", 213/4934) and used by the SDK (common v1.3.210,
// cvm_role_provider.go).
const rolePath = "/latest/meta-data/cam/security-credentials/"

// Metadata is the simulated metadata service of an instance. All methods are safe for concurrent use.
type Metadata struct {
	*server

	role    string
	uin     string
	renewed time.Duration
	life    time.Duration
	current cvmtest.Credential
	code    string
	paths   []string
}

// NewMetadata starts the metadata service of an instance with a role of the account uin, or without one if uin is "".
// Close it when done.
func NewMetadata(cloud *cvmtest.Server, role, uin string) *Metadata {
	m := &Metadata{server: newServer(cloud), role: role, uin: uin, life: 6 * time.Hour, renewed: time.Hour, code: "Success"}
	m.serve(m.handle)
	return m
}

// SetRole binds another role to the instance, or none.
func (m *Metadata) SetRole(role, uin string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.role, m.uin, m.current = role, uin, cvmtest.Credential{}
}

// SetCode sets the Code of the answer instead of Success.
func (m *Metadata) SetCode(code string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.code = code
}

// SetLife sets how long keys last, and how long before their expiry the service issues new ones. Until then it
// returns the same ones. The real values are not documented.
func (m *Metadata) SetLife(life, renewed time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life, m.renewed = life, renewed
}

// Paths returns the requested paths so far.
func (m *Metadata) Paths() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.paths)
}

func (m *Metadata) handle(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.paths = append(m.paths, r.URL.Path)
	role := m.role
	m.mu.Unlock()
	status, body := http.StatusNotFound, "not found"
	switch name, ok := strings.CutPrefix(r.URL.Path, rolePath); {
	case !ok || r.Method != http.MethodGet:
		m.addUnknown(r.Method + " " + r.URL.Path)
	case role != "" && name == "":
		status, body = http.StatusOK, role
	case role != "" && name == role:
		status, body = http.StatusOK, m.keys()
	}
	// The real media type is not documented; clients ignore it.
	m.pick().write(w, r, m.closed, status, "text/plain", body)
}

// keys returns the documented JSON with the role's current keys.
func (m *Metadata) keys() string {
	m.mu.Lock()
	current, life, uin, code, now := m.current, m.life, m.uin, m.code, m.cloud.Now()
	stale := !now.Before(current.Expires.Add(-m.renewed))
	m.mu.Unlock()
	if stale {
		current = m.issue(uin, false, life)
		m.mu.Lock()
		m.current = current
		m.mu.Unlock()
	}
	b, err := json.Marshal(map[string]any{
		"TmpSecretId": current.SecretID, "TmpSecretKey": current.SecretKey, "Token": current.Token,
		"ExpiredTime": current.Expires.Unix(), "Expiration": current.Expires.UTC().Format(time.RFC3339), "Code": code,
	})
	if err != nil {
		panic("authtest: " + err.Error())
	}
	return string(b)
}
