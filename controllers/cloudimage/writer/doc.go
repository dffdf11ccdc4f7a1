// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package writer executes plans. Nothing else writes CloudImages. Each write carries the resourceVersion that was read. After
// a conflict the object is read again with back-off, and giving up is an error.
package writer
