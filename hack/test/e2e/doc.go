// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the operator from outside, as it ships: bin/manager with real flags under exactly the roles of config/default, a
// control plane with garbage collection, and the simulated cloud as a process.
//
// All tests share one cluster and build on each other. Each lists all requests that it causes to the cloud and the API server. The
// last one compares the operator's requests to the API server with its roles.
package e2e
