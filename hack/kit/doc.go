// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kit has helpers for tests of a running operator: create and edit queries, request a poll, wait for a state, and read
// objects. It uses a plain client, so it works for an operator within the test (controllers) and as a process (hack/test).
//
//	k := kit.New(t, client)
//	k.Create(query)
//	k.UntilSynced("golden")
//	k.Patch("golden", `{"spec":{"region":"ap-shanghai"}}`)
//	query := k.Poll("golden")
package kit
