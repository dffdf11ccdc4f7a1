// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cloudimage says what a CloudImage should be: its record, its owners, its labels and its lifecycle. It is pure;
// package writer writes what it says, and package cache holds what is there.
//
//	record.go     an image of the cloud as CloudImage stores it, and back
//	derived.go    labels and annotations that repeat the record
//	equal.go      whether two objects are the same to us
//	entry.go      Entry: an object as the cache holds it
//	owner.go      Owner: what an object has of a query
//	claim.go      Claim: what an object should be for a query at one time: member, in its grace period, or without it
//	labels.go     labels that queries ask for, within bounds
//	plan.go       MakePlan: the steps from what is there to what a decision asks for; when an object is deleted
//	ownerless.go  what becomes of an object that no query owns
//	known.go      KnownOf: what objects and status tell of a query's images
package cloudimage
