// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package observe tests what people and dashboards see of the operator: every situation of an ImageQuery as evaluated by kstatus and
// Argo CD, what kubectl shows in the commonest ones (testdata/kubectl), metrics, alerts and the dashboard, and the commands of the
// runbooks. The built operator produces the situations on a real
// API server. The tools are the real ones, or use the same engine.
package observe
