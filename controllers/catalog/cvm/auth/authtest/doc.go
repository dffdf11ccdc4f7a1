// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package authtest simulates the sources of temporary keys: the Security Token Service (actions AssumeRole,
// AssumeRoleWithWebIdentity and GetCallerIdentity, version 2018-08-13) and the metadata service of a CVM instance.
//
// Both belong to a simulated CVM: it accepts their keys until they expire by its clock, and requests to STS are signed
// with keys that it knows. Each behaviour cites its source. Inferred behaviour is marked as such, and undocumented
// behaviour is refused with cvmtest.CodeUnknown.
package authtest
