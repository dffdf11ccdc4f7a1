// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package install tests what clusters consume: config/default, dist/install.yaml and the Helm chart. Each is installed
// on a real API server like users do it, and its security properties are checked.
package install
