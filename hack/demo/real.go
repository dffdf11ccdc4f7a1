// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// publicImages queries all public images of a region.
const publicImages = `apiVersion: imagecatalog.dev/v1alpha1
kind: ImageQuery
metadata:
  name: public-images
spec:
  region: %s
  filters:
  - name: image-type
    values: [PUBLIC_IMAGE]
`

// playReal shows the public images of a region of Tencent Cloud. The manager reads the keys from the environment, as in a pod.
func playReal(c *children, cl *cluster, s settings, say *story) error {
	if err := cl.createNamespace(c.ctx); err != nil {
		return err
	}
	say.step("Starting the operator (bin/manager) with TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, against the real cloud")
	if err := startManager(c, cl, s, "--default-credentials=env"); err != nil {
		return err
	}
	query := fmt.Sprintf(publicImages, s.region)
	out, err := cl.kubectl(c.ctx, query, "apply", "-f", "-")
	if err != nil {
		return err
	}
	say.step("Applied a query for the public images of %s (REGION)", s.region)
	say.command("kubectl apply -f - <<EOF\n"+query+"EOF", out, 0)
	queries, err := cl.untilSynced(c.ctx)
	if err != nil {
		return err
	}
	if len(queries[0].Status.Images) == 0 {
		return fmt.Errorf("ImageQuery %s is synced, but its status lists no image", queries[0].Name)
	}
	if err := cl.catalogue(c.ctx, say, queries, s.region+"-"+queries[0].Status.Images[0].ImageID); err != nil {
		return err
	}
	return stay(c, cl, s, say, "kubectl get cloudimages --watch")
}
