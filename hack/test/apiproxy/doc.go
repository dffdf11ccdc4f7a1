// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiproxy is a proxy between a manager and kube-apiserver that injects faults: it delays requests, answers in place of
// the server, drops replies, delays, merges and cuts watches, and crashes a manager at an exact write.
//
//	proxy := apiproxy.Start(t, c.Config)
//	manager := c.StartManager(cloud, "--kubeconfig="+c.KubeconfigOf(cluster.ServiceAccount, proxy.Config()))
//	proxy.Inject(apiproxy.Fault{Verb: "create", Resource: "cloudimages", Times: 1, DropReply: true})
//
// Faults apply to all clients of the proxy. It forwards tokens, so authentication is up to the server.
package apiproxy
