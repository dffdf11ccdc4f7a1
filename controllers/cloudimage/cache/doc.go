// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cache holds CloudImages as the watch brings them, without what is derived from their records, and files them by the
// queries that have them. Its entries are shared: read only.
package cache
