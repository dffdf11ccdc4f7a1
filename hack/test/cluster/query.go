// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

// ApplyQuery applies an ImageQuery with kubectl. Its metadata and spec are in YAML's flow style.
func (c *Cluster) ApplyQuery(metadata, spec string) {
	c.Helper()
	c.Apply("{apiVersion: imagecatalog.dev/v1alpha1, kind: ImageQuery, metadata: {" + metadata + "}, spec: {" + spec + "}}")
}

// PatchStatus merges into the status of a query under the operator's name and field manager: the admission policy
// admits no other client, and the operator overwrites a foreign status.
func (c *Cluster) PatchStatus(query, patch string) {
	c.Helper()
	c.Kubectl("", "patch", "imagequery", query, "--subresource=status", "--type=merge", "-p", patch,
		"--field-manager="+ServiceAccount, "--as="+OperatorUser, "--as-group=system:masters")
}
