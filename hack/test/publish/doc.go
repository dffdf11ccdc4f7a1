// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package publish has the tests of selections in ConfigMaps: the built manager under the shipped roles and policies, and the
// consumers of docs/consumers*.md, each by its own library or tool, or by the smallest stand-in for what it does.
package publish
