// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package upgrade upgrades the previous release to this checkout, with a catalogue, and goes back, as docs/upgrading.md says. The
// previous release is built from the repository's history.
package upgrade
