// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package observe tests what people and dashboards see of the operator: every situation of an ImageQuery as kstatus and Argo CD judge
// it, metrics, alerts and the dashboard, and the commands of the runbooks. The situations are produced by the built operator on a real
// API server; the tools are the real ones, or the engine that the real one runs on.
package observe
