// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package install holds tests of what a cluster consumes: config/default, dist/install.yaml and the Helm chart, each put into a real
// API server in the way that people do it, and what they are to keep safe.
package install
