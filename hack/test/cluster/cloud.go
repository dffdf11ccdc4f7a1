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

// Cloud is a running simulator (docs/simulator.md), with the means to change it and to look at the requests it got.
type Cloud struct {
	*cvmtest.Control
	*Process

	// Endpoint is what --cvm-endpoint takes, STS what --sts-endpoint does, and Metadata what --metadata-endpoint does.
	Endpoint, STS, Metadata string

	// Keys changes who may have keys of roles.
	Keys authtest.Control
}

// StartCloud starts a simulator that knows no limit of requests unless a flag gives it one, and stores its key in the default Secret.
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
