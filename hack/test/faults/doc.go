// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package faults injects the faults of docs/reliability.md from outside the operator and checks the results.
//
// Table has the rows; TestFaultNN tests row NN. All share one control plane; each has its own cloud, proxy before the API server,
// and manager. In addition, crash_test.go kills the manager at every write of a scenario, lives_test.go and search_test.go search
// for unexpected sequences, kept_test.go replays those that were found, and soak_test.go runs random faults for a given time.
package faults
