// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cache holds the CloudImages that the watch delivers, without the metadata derived from their records, and indexes
// them by query. Its entries are shared: read only.
package cache
