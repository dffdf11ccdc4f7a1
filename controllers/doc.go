// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers is the loop that keeps the catalogue: ImageQuery in, CloudImages and status out.
//
// The way of the data, down once and up once:
//
//	spec → Reconcile → observe → catalog.Shared → catalog/cvm → cloud                        what to ask
//	observation + known → selection.Decide → cloudimage.MakePlan → writer.Apply → status     what it means
//
// Each step of a poll is a file. Begin with imagequery_controller.go: Reconcile is the table of contents.
//
//	setup.go                    watches, predicates and indexes of the controllers
//	imagequery_controller.go    Reconciler and Reconcile: one pass over one query
//	schedule.go                 when is a query polled next, and why?
//	pollstate.go                what the process remembers of a query between polls
//	pollslots.go                how many queries of one source of credentials are polled at once, and who is next
//	credentials.go              whose keys a query is polled with
//	observe.go                  asks the cloud: the listing, and missing images by id
//	poll.go                     one poll: observe, decide, write CloudImages
//	outcome.go                  what a poll came to, and failures with their reasons
//	peers.go                    other queries that share an object; makes them due
//	missing.go                  makes queries due whose CloudImages somebody else deleted
//	cleanup.go                  deleted queries, and objects without an owner
//	status.go                   the next status: conditions, members, revision
//	selected.go                 status.selected and its history
//	status_size.go              bounds a status by bytes
//	messages.go                 the text of conditions: what goes into Ready's message
//	status_writer.go            the one PUT of a status
//	foreign_status.go           notices and overwrites a status that somebody else wrote
//	written.go                  waits until the caches show the query's own writes
//	report.go                   log, events and metrics of a poll
//	metrics.go                  series of queries and CloudImages
//	cache_options.go            what the caches keep of queries and Secrets
//	shard.go                    the regions that one operator works on
//
// Why an image isn't selected is decided in selection/checks.go, when an object is deleted in cloudimage/plan.go and
// cloudimage/claim.go.
//
// One word for each thing:
//
//	listing       what the cloud answered; complete, or an error
//	observation   a listing, and what became of the known images that it lacks
//	known         what was published before the poll
//	member        an image that the query matches
//	decision      members, leaving, selection and verdicts of one poll
//	verdict       why a member is selected or not
//	retained      selected although it does not qualify, since nothing replaces it
//	held back     not selected because it came while removals are blocked
//	removal batch the members that would leave by one poll, for the breaker
//	claim         what a query asks of an object at one time
//	plan, step    the writes that bring objects to a decision
//	peer          another query that has the same object
//	source        where keys come from; budgets and poll slots are kept by it
//	due           to be polled now; overdue since that time
//	superseded    the query changed or was deleted meanwhile, so a result answers nothing
package controllers
