// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package writer carries plans out. It is the only writer of CloudImages. A write carries the resourceVersion that was read; a
// conflict is read again with back-off, and a write that is given up is an error.
package writer
