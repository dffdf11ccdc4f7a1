// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster runs the operator as a user does, for tests that look at it from outside: a control plane with RBAC, garbage
// collection and an audit log, config/default as it ships, the simulated cloud, and bin/manager under exactly the shipped roles.
// All of them are processes on loopback addresses, and end with the test. What tests do with them then is in hack/kit.
//
//	c := cluster.Start(t, cluster.Options{})
//	cloud := c.StartCloud("-private=12")
//	manager := c.StartManager(cloud)
//	c.ApplyQuery("name: all", "region: ap-guangzhou")
//	query := c.UntilSynced("all")
//	manager.Kill()
//
// The binaries of the control plane come from KUBEBUILDER_ASSETS, or else from bin/controlplane (make controlplane). bin/manager and
// bin/cvmsim are built once for each run, unless MANAGER and CVMSIM name others.
//
// hack/demo starts the same programs, for people. It belongs to the root module and tells a story while it does so; the two share
// envtest, not code.
package cluster
