// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"os"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth/authtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// Cloud is a running simulator (docs/simulator.md) with its control API.
type Cloud struct {
	*cvmtest.Control
	*Process

	// Endpoint, STS and Metadata are the values of --cvm-endpoint, --sts-endpoint and --metadata-endpoint.
	Endpoint, STS, Metadata string

	// Keys controls the services that issue keys.
	Keys authtest.Control
}

// StartCloud starts a simulator, without a rate limit unless a flag sets it, and stores its key in the default Secret.
func (c *Cluster) StartCloud(flags ...string) *Cloud {
	c.Helper()
	path, err := cvmsimBinary()
	if err != nil {
		c.Fatalf("%v", err)
	}
	ready := c.children.path("cvmsim.json")
	process := c.children.start(c.T, nil, path, append([]string{"-rate-limit=-1", "-ready-file=" + ready}, flags...)...)
	var said struct{ URL, STS, Metadata, Control, SecretID, SecretKey string }
	c.Until("the simulated cloud is ready", func(context.Context) error {
		content, err := os.ReadFile(ready)
		if err != nil {
			return err
		}
		return json.Unmarshal(content, &said)
	})
	control := cvmtest.Dial(said.Control)
	c.Cleanup(control.Close)
	c.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, cvmtest.Credential{SecretID: said.SecretID, SecretKey: said.SecretKey})
	return &Cloud{Control: control, Process: process, Endpoint: said.URL, STS: said.STS, Metadata: said.Metadata, Keys: authtest.Dial(control)}
}
