// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package verify tests the repository itself: who imports whom, what the
// documentation names, licence headers, the top level, versions.
//
// The tests read and parse files and run nothing. That is deliberate: go test
// keeps a result while the files a test opened are unchanged, so a test that asked
// "go list" would stay green after the rule was broken.
package verify
