// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package authtest simulates where temporary keys come from: the Security Token Service (actions AssumeRole,
// AssumeRoleWithWebIdentity and GetCallerIdentity, version 2018-08-13) and the metadata service of a CVM instance.
//
// Both belong to a simulated CVM: keys that they hand out are accepted there until they end by its clock, and requests
// to STS are signed with keys that it knows. Each behaviour cites its source; what is inferred says so; what no source
// tells is refused with cvmtest.CodeUnknown.
package authtest
