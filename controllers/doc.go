// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers is the control loop of the catalogue: it reads ImageQueries, and writes CloudImages and status.
//
// Data flows down to the cloud once and up again once:
//
//	spec → Reconcile → observe → catalog.Shared → catalog/cvm → cloud                        what to ask
//	observation + known → selection.Decide → cloudimage.MakePlan → writer.Apply → status     what it means
//
// Each step of a poll is a file. Start with imagequery_controller.go: Reconcile is the table of contents.
//
//	setup.go                    watches, predicates and indexes of the controllers
//	imagequery_controller.go    Reconciler and Reconcile: one pass over one query
//	schedule.go                 when a query is due, and why; staleness (delays are in package polltime)
//	pollstate.go                in-memory state of a query between polls; sets the next due time after each poll
//	pollslots.go                limits concurrent polls per credential source, and orders waiting queries
//	credentials.go              resolves credentialsRef to an account
//	dryrun.go                   a poll that writes nothing, for commands
//	observe.go                  asks the cloud for the listing, and for missing images by id
//	poll.go                     one poll: observe, decide, write CloudImages
//	outcome.go                  the result of a poll, and failures with their reasons
//	peers.go                    other queries that share an object; marks them due
//	missing.go                  marks queries due when other clients delete their CloudImages
//	cleanup.go                  deleted queries, and CloudImages without an owner
//	status.go                   the next status: conditions, images, revision
//	selected.go                 status.selected and its history
//	status_size.go              limits the size of a status
//	messages.go                 texts of the conditions' messages
//	status_writer.go            writes a status
//	own_status.go               remembers the statuses that this process wrote, to recognise those of other clients
//	foreign_status.go           overwrites a status that another client wrote
//	written.go                  waits until the caches show the query's own writes
//	report.go                   reports a poll: status, log and events
//	metrics.go                  series of queries and CloudImages
//	cache_options.go            which objects and fields of them the caches hold
//	shard.go                    the regions that one operator works on
//
// Where the answers are:
//
//	Why isn't an image selected?       selection/checks.go: one check per verdict, in order. Before that,
//	                                   selection/match.go decides whether it is a member at all.
//	When is a query polled next?       schedule.go: nextPoll at each reconcile, from the due time that
//	                                   pollstate.go (pollFinished) sets after a poll.
//	When is an object deleted?         cloudimage/claim.go: startGrace and dropOwner, as cloudimage/plan.go chooses.
//	                                   Without an owner: cloudimage/ownerless.go. Whether images may leave at all:
//	                                   selection/breaker.go.
//	What goes into Ready's message?    status.go: synced and failed put it together from the texts in messages.go and
//	                                   selection/funnel.go. Texts of cloud errors are in catalog/cvm/errors.go.
//
// Glossary:
//
//	listing       the cloud's answer: complete, or an error
//	observation   a listing, and what became of the known images that it lacks
//	known         what was published before the poll
//	member        an image that the query matches
//	decision      members, leaving images, selection and verdicts of one poll
//	verdict       why a member is selected or not
//	retained      selected although it doesn't qualify, because nothing replaces it
//	held back     not selected because it arrived while removals are blocked
//	removal batch the members that would leave in one poll, as input of the breaker
//	claim         computes the desired objects for a query at one time
//	plan, step    the writes that bring objects to a decision
//	peer          another query that shares an object
//	source        where keys come from; rate limits and poll slots are kept per source
//	due           to be polled now; overdue since that time
//	superseded    the query changed or was deleted meanwhile, so that results for it are obsolete
package controllers
