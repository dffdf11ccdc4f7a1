// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Manager is a running bin/manager.
type Manager struct {
	*Process

	// Probes and Metrics are the addresses (host:port) of its servers.
	Probes, Metrics string

	path  string
	flags []string
}

// StartManager runs the built operator under the shipped roles with a cloud, and waits until it is ready. Its servers
// get free ports; the given flags take precedence. As with env(1), NAME=value sets a variable of its environment.
func (c *Cluster) StartManager(cloud *Cloud, flags ...string) *Manager {
	c.Helper()
	path, err := managerBinary()
	if err != nil {
		c.Fatalf("%v", err)
	}
	return c.StartManagerOf(path, cloud, flags...)
}

// StartManagerOf is StartManager for another build of the operator.
func (c *Cluster) StartManagerOf(path string, cloud *Cloud, flags ...string) *Manager {
	c.Helper()
	m := &Manager{Probes: c.FreeAddress(), Metrics: c.FreeAddress(), path: path}
	m.flags = append([]string{
		"--kubeconfig=" + c.OperatorKubeconfig, "--credentials-namespace=" + Namespace,
		"--cvm-endpoint=" + cloud.Endpoint, "--sts-endpoint=" + cloud.STS,
		"--health-probe-bind-address=" + m.Probes, "--metrics-bind-address=" + m.Metrics,
	}, flags...)
	return c.RestartManager(m)
}

// RestartManager starts a manager that has ended again, with the same flags and more, and waits until it is ready.
func (c *Cluster) RestartManager(old *Manager, flags ...string) *Manager {
	c.Helper()
	m := c.LaunchManager(old, flags...)
	c.Until("the manager is ready", func(ctx context.Context) error { return c.ready(ctx, m.Probes) })
	return m
}

// LaunchManager is RestartManager without waiting, for a manager that may never become ready.
func (c *Cluster) LaunchManager(old *Manager, flags ...string) *Manager {
	c.Helper()
	m := &Manager{Probes: old.Probes, Metrics: old.Metrics, path: old.path, flags: slices.Concat(old.flags, flags)}
	var flagsOnly, env []string
	for _, flag := range m.flags {
		if strings.HasPrefix(flag, "-") {
			flagsOnly = append(flagsOnly, flag)
		} else {
			env = append(env, flag)
		}
	}
	m.Process = c.children.start(c.T, env, m.path, flagsOnly...)
	return m
}

func (c *Cluster) ready(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s", response.Status)
	}
	return nil
}

// FreeAddress returns an unused loopback address.
func (c *Cluster) FreeAddress() string {
	c.Helper()
	l, err := (&net.ListenConfig{}).Listen(c.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		c.Fatalf("%v", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
