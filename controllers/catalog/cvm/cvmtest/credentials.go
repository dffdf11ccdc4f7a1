// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"maps"
	"sync"
	"time"
)

// Credential is a key of an account or of a CAM user in it.
type Credential struct {
	// SecretID identifies the key. It is sent with every request.
	SecretID string `json:"secretID"`
	// SecretKey signs requests. It is never sent.
	SecretKey string `json:"secretKey"`
	// Token, if set, makes the key temporary: requests must carry it as X-TC-Token.
	Token string `json:"token,omitempty"`
	// UIN is the account that the key's images belong to.
	UIN string `json:"uin"`
	// Expires is when a temporary credential expires (answer AuthFailure.TokenFailure). Zero means never.
	Expires time.Time `json:"expires,omitzero"`
	// Deny makes CAM deny cvm:DescribeImages (answer UnauthorizedOperation).
	Deny bool `json:"deny,omitempty"`
	// DenyImages are the ids of images that a CAM policy hides from this key, in listings and requests by id, without
	// an error (598/74104, "a user sees only the resources that the policy names"; that this applies to images is
	// inferred).
	DenyImages []string `json:"denyImages,omitempty"`
	// Disabled makes the key unusable, as if it was disabled in the console (answer AuthFailure.SecretIdNotFound).
	Disabled bool `json:"disabled,omitempty"`
}

// DefaultCredential is registered by NewServer. Its id has the form of real ones ("AKID" and 32 characters). The key is
// made up.
var DefaultCredential = Credential{
	SecretID:  "AKIDcvmtest0000000000000000000000000",
	SecretKey: "cvmtest-secret-key-0000000000000",
	UIN:       "100000000001",
}

type credentials struct {
	mu sync.RWMutex
	m  map[string]Credential
}

// SetCredential adds a credential, or replaces the one with its SecretID.
func (s *Server) SetCredential(c Credential) {
	s.creds.mu.Lock()
	defer s.creds.mu.Unlock()
	if s.creds.m == nil {
		s.creds.m = map[string]Credential{}
	}
	s.creds.m[c.SecretID] = c
}

// RemoveCredential makes the key unknown, as if deleted in the console.
func (s *Server) RemoveCredential(secretID string) {
	s.creds.mu.Lock()
	defer s.creds.mu.Unlock()
	delete(s.creds.m, secretID)
}

// Credentials returns all credentials by SecretID.
func (s *Server) Credentials() map[string]Credential {
	s.creds.mu.RLock()
	defer s.creds.mu.RUnlock()
	return maps.Clone(s.creds.m)
}

func (c *credentials) get(id string) (Credential, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	cred, ok := c.m[id]
	return cred, ok
}
