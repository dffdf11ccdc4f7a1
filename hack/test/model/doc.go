// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package model predicts what a cluster and its consumers see of queries after any history: members, selection, removals, owners,
// breaker, pins and published ConfigMaps. It is written from the documentation and uses none of the operator's packages, so that a
// mistake in one isn't repeated by the other. TestSearchLives compares the two.
//
//	image.go   Image, Listing and Spec: what the cloud has, and what a query asks for
//	state.go   State: what is published of one query; edits, restarts and deletions by others
//	poll.go    State.Poll: what a complete listing means; the breaker
//	choose.go  which members are selected
//	view.go    what is visible: CloudImages of all queries, conditions
//	publish.go what a ConfigMap has
//	branches.go the states that are possible when it is not known which polls were made
package model
