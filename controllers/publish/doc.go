// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package publish keeps selections in ConfigMaps, for consumers that can't read an ImageQuery: a second controller of the
// same manager and leader.
//
//	status.selected → Reconcile → desired → one PUT of a ConfigMap, none if nothing differs
//
// The owner of a namespace asks for it with a label on a ConfigMap, and the cluster's administrator consents by listing the
// namespace in --publish-namespaces. Nothing is created or deleted.
//
//	controller.go  Reconciler and Reconcile: one pass over one ConfigMap; watches
//	namespaces.go  the namespaces of the flag, and one cache for each of labelled ConfigMaps
//	desired.go     what a ConfigMap should have; pure
//	record.go      the key selected_json, which also records what the data was made from
//	owners.go      keys that another client keeps applying
//	metrics.go     ConfigMaps by state, namespaces that can't be read
//
// The caches hold metadata only, so the size of a ConfigMap costs the operator no memory. Each pass reads the ConfigMap
// from the API server.
package publish
