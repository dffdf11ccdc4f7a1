// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiproxy stands between a manager and kube-apiserver, and goes wrong when it is told to: it delays, answers in the server's
// place, loses replies after the server has acted, holds back, merges and cuts watches, and crashes a manager at an exact write.
//
//	proxy := apiproxy.Start(t, c.Config)
//	manager := c.StartManager(cloud, "--kubeconfig="+c.KubeconfigOf(cluster.ServiceAccount, proxy.Config()))
//	proxy.Inject(apiproxy.Fault{Verb: "create", Resource: "cloudimages", Times: 1, DropReply: true})
//
// What it is told applies to whoever talks through it. Authentication is the server's: tokens pass through.
package apiproxy
