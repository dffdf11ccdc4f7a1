// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kit is what tests do with a running operator: create and edit queries, ask for a poll, wait for a state, and read what there
// is. All of it goes through a plain client, so that it serves the operator within a test (controllers) and as a process (hack/test).
//
//	k := kit.New(t, client)
//	k.Create(query)
//	k.UntilSynced("golden")
//	k.Patch("golden", `{"spec":{"region":"ap-shanghai"}}`)
//	query := k.Poll("golden")
package kit
