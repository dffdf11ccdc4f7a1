// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the operator from outside, as it ships: bin/manager with real flags under exactly the roles of config/default, a
// control plane with garbage collection, and the simulated cloud as a process.
//
// One cluster lives through all tests, which follow each other as the days of an installation do. Each says which requests the cloud and
// the API server get because of it, all of them; the last compares what the operator asked of the API server with its roles.
package e2e
