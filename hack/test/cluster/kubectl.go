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

// Kubectl runs kubectl as an administrator with a standard input, and returns its output.
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

// KubectlCommand returns a kubectl command as an administrator, for calls that may fail.
func (c *Cluster) KubectlCommand(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.Context(), filepath.Join(c.assets, "kubectl"), args...)
	cmd.Env = c.Environ()
	return cmd
}

// Environ returns an environment with kubectl in the PATH, configured for the cluster.
func (c *Cluster) Environ() []string {
	return append(os.Environ(),
		"PATH="+c.assets+string(os.PathListSeparator)+os.Getenv("PATH"), "KUBECONFIG="+c.Kubeconfig,
		// Tests must not use kubectl's cache and preferences in the home folder.
		"KUBECACHEDIR="+filepath.Join(c.children.dir, "cache"), "KUBERC=off")
}

// Apply applies YAML like a user.
func (c *Cluster) Apply(yaml string) {
	c.Helper()
	// kubectl 1.31 takes for JSON what begins with a brace.
	c.Kubectl("---\n"+yaml, "apply", "-f", "-")
}
