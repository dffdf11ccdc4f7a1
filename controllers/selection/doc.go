// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package selection decides what a listing means for a query: which images are members, which leave, and which are selected.
// It is pure: values in, values out. It knows no Kubernetes client, no clock and no cloud.
//
//	match.go        is an image of the listing a member? (spec.match)
//	funnel.go       what turned the other images of the listing away, and which name came near
//	checks.go       why is a member not selected? One check for each verdict, in order
//	select.go       Selector: which members of each group are selected (spec.selection)
//	order.go        the order of images within a group, and of groups
//	trust.go        may an image be selected by whose it is?
//	breaker.go      may so many images leave at once? (spec.removal.maxRemovedPercent)
//	decide.go       Rules.Decide: all of it, for one poll
//	objects.go      which members have CloudImages (spec.cloudImages.policy)
//	edit.go         Rules.SelectKnown: what an edit leaves, before the cloud is asked
//	reason.go       why a selection replaced the one before
//	known.go        Known: what was published before the poll
//	observation.go  Observation: what the poll found out
//	identity.go     hashes that stand for a query, a revision and a removal
package selection
