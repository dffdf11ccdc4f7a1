// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cvmtest simulates the DescribeImages action of Tencent Cloud's CVM API, version 2017-03-12, as httptest simulates a
// web server.
//
// It is independent of the rest of this module and of the SDK on purpose: a simulator that shares our code would share our
// bugs. Each behaviour cites its source. Inferred behaviour is marked as such. Undocumented behaviour is refused with
// CodeUnknown and listed by Server.Unknown. See docs/simulator.md.
package cvmtest
