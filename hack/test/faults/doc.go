// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package faults breaks the operator's world from outside, one row of docs/reliability.md after the other, and looks at what is left.
//
// Table is the rows; TestFaultNN is the test of row NN. All run against one control plane, each with a cloud, a proxy before the API
// server and a manager of its own. Beside the rows, crash_test.go loses the manager at every write of a scenario, search_test.go
// looks for sequences that nobody thought of, and soak_test.go lets all of it happen at random for as long as it is told.
package faults
