// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package selection decides which images of a listing are members of a query, which members leave, and which are selected.
// It is pure: it uses no Kubernetes client, no clock and no cloud.
//
//	match.go        is an image of the listing a member? (spec.match)
//	funnel.go       splits a listing into members and others, and explains the others
//	checks.go       why is a member not selected? One check for each verdict, in order
//	candidate.go    candidate: an image that may be selected, with its sort keys
//	select.go       Selector: which members of each group are selected (spec.selection)
//	order.go        the order of images within a group, and of groups
//	trust.go        may an image be selected, given its owner?
//	breaker.go      may so many images leave at once? (spec.removal.maxRemovedPercent)
//	decide.go       Rules.Decide: all of it, for one poll
//	objects.go      which members have CloudImages (spec.cloudImages.policy)
//	edit.go         Rules.SelectKnown: the selection after an edit, before the cloud is asked
//	reason.go       why a selection replaced the one before
//	change.go       what changed in each group of a selection
//	known.go        Known: what was published before the poll
//	observation.go  Observation: what the poll learned from the cloud
//	times.go        Earlier: the earlier of two times
//	identity.go     hashes that identify a query, a revision and a removal
package selection
