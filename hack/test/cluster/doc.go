// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster runs the operator like a user, for tests from outside: a control plane with RBAC, garbage collection and an audit
// log, the shipped config/default, the simulated cloud, and bin/manager under exactly the shipped roles. All are processes on loopback
// addresses, and end with the test. hack/kit has helpers to use them.
//
//	c := cluster.Start(t, cluster.Options{})
//	cloud := c.StartCloud("-private=12")
//	manager := c.StartManager(cloud)
//	c.ApplyQuery("name: all", "region: ap-guangzhou")
//	query := c.UntilSynced("all")
//	manager.Kill()
//
// The binaries of the control plane are in KUBEBUILDER_ASSETS, or else in bin/controlplane (make controlplane). bin/manager and
// bin/cvmsim are built once per run, unless MANAGER and CVMSIM are set.
//
// hack/demo starts the same programs for demonstration. It belongs to the root module; the two share envtest, but no code.
package cluster
