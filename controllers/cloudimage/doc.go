// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cloudimage computes the desired state of CloudImages: record, owners, labels and lifecycle. It is pure: package cache
// holds the current objects, and package writer writes the desired ones.
//
//	record.go     converts images of the cloud to records of CloudImages and back
//	derived.go    labels and annotations derived from the record
//	equal.go      equality of objects, as far as the operator writes them
//	entry.go      Entry: a CloudImage in the cache
//	owner.go      Owner: a query's label, owner reference and leaving record on an object
//	claim.go      Claim: the desired object for a query: member, in its grace period, or not owned
//	maps.go       changes of maps and slices that copy only if needed
//	labels.go     labels requested by queries, within bounds
//	plan.go       MakePlan: the steps from the current objects to those of a decision; when an object is deleted
//	ownerless.go  CloudImages without an owner
//	known.go      KnownOf: what objects and status show of a query's images
package cloudimage
