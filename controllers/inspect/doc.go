// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package inspect answers questions about queries from their status and their CloudImages.
//
//	status.go   one query on one screen
//	why.go      why an image is selected, or isn't
//	approve.go  approves a removal: the only write
package inspect
