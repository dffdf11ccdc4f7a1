// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import "time"

// Cloud is what a test can do to a simulated cloud, whether it runs in the test's process (Server) or in its own (Control).
type Cloud interface {
	// URL is where the simulated API is.
	URL() string

	// Put, Delete, Clear, Images, Update and Fill are about the inventory; see Server.
	Put(region string, images ...Image)
	Delete(region string, ids ...string)
	Clear(region string)
	Images(region string) []Image
	Update(region, id string, f func(*Image))
	Fill(inv Inventory)

	// SetCredential and RemoveCredential are about who may ask.
	SetCredential(c Credential)
	RemoveCredential(secretID string)

	// SetInstanceType and RemoveInstanceType are about the types that exist.
	SetInstanceType(t InstanceType)
	RemoveInstanceType(name string)

	// Inject, Heal and SetSkew are about what goes wrong.
	Inject(f Fault) (remove func())
	Heal()
	SetSkew(d time.Duration)

	// Requests, ResetRequests and Unknown are about what was asked.
	Requests() []Request
	ResetRequests()
	Unknown() []string
}

var (
	_ Cloud = (*Server)(nil)
	_ Cloud = (*Control)(nil)
)
