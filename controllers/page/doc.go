// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package page serves the catalogue as web pages, for people who would rather look than read. It only reads: it is served from
// two informers, so that a view costs the API server nothing, and it has no way to write.
//
//	catalogue.go  the ImageQueries and CloudImages that the watches deliver
//	watches.go    whether the watches still reach the API server
//	server.go     Handler: which address shows which screen
//	guard.go      what every request must be, and what every answer has: Host, method, headers
//	frame.go      what every screen has: title, navigation, links, time
//	state.go      the look of a query: one word, one shape and one colour for each state
//	verdict.go    the look of an image: presence and verdicts, with why
//	now.go        what is selected now, for each query and architecture
//	waiting.go    removals that wait for a person
//	changes.go    what was selected when, and why
//	images.go     all images: search and facets
//	query.go      one query
//	image.go      one image
//	feed.go       a query's selection as JSON, for programs
//	export.go     the same screens as files
//	moment.go     times as people read them
//	pages.go      long lists in pages of 100
//
// A screen is a view, a plain value that a pure function makes of objects and the time, and a template that shows it. Templates
// escape by context; no text is ever marked as safe.
package page
