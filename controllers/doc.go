// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers is the loop that keeps the catalogue: ImageQuery in, CloudImages and status out.
//
// The way of the data, down once and up once:
//
//	kubectl → apiserver → imagequery_controller → credentials → convert → catalog.shared → cvm ⇒ []catalog.Image
//	  ⇒ match ⇒ plan ⇒ apply (CloudImages) ⇒ status (one write) ⇒ schedule
//
// Read imagequery_controller.go first: Reconcile is the table of contents, and each of its steps is a file. Whatever
// decides is a pure function over what was gathered before; only apply.go and status_write.go write to the cluster.
package controllers
