// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import "time"

// Cloud is what a test can do with a simulated cloud, in its own process (Server) or in another (Control).
type Cloud interface {
	// URL returns the address of the simulated API.
	URL() string

	// Inventory; see Server.
	Put(region string, images ...Image)
	Delete(region string, ids ...string)
	Clear(region string)
	Images(region string) []Image
	Update(region, id string, f func(*Image))
	Fill(inv Inventory)

	// Keys that may send requests.
	SetCredential(c Credential)
	RemoveCredential(secretID string)

	// Instance types that exist.
	SetInstanceType(t InstanceType)
	RemoveInstanceType(name string)

	// Faults.
	Inject(f Fault) (remove func())
	Heal()
	SetSkew(d time.Duration)

	// Log of the requests.
	Requests() []Request
	ResetRequests()
	Unknown() []string
}

var (
	_ Cloud = (*Server)(nil)
	_ Cloud = (*Control)(nil)
)
