// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package writer executes plans. Nothing else writes CloudImages. Each write carries the resourceVersion that was read. After
// a conflict the object is read again with back-off, and giving up is an error. Queries that share an object take turns, and
// what they desire of it meanwhile is written at once.
package writer
