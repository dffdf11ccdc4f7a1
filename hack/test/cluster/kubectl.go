// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kubectl runs kubectl as an administrator, with what goes to its standard input, and returns what it printed.
func (c *Cluster) Kubectl(input string, args ...string) string {
	c.Helper()
	cmd := c.KubectlCommand(args...)
	cmd.Stdin = strings.NewReader(input)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		c.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return out.String()
}

// KubectlCommand is kubectl as an administrator, not run yet: for calls that may fail.
func (c *Cluster) KubectlCommand(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.Context(), filepath.Join(c.assets, "kubectl"), args...)
	cmd.Env = c.Environ()
	return cmd
}

// Environ is the environment of a command that finds kubectl in its PATH, and the cluster by it.
func (c *Cluster) Environ() []string {
	return append(os.Environ(),
		"PATH="+c.assets+string(os.PathListSeparator)+os.Getenv("PATH"), "KUBECONFIG="+c.Kubeconfig,
		// kubectl's cache and preferences in the home folder are none of a test's business.
		"KUBECACHEDIR="+filepath.Join(c.children.dir, "cache"), "KUBERC=off")
}

// Apply applies YAML as a user does.
func (c *Cluster) Apply(yaml string) {
	c.Helper()
	c.Kubectl(yaml, "apply", "-f", "-")
}
