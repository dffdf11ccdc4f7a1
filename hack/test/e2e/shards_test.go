// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// Two operators with their own regions share a cluster. They neither wait for each other nor overwrite each other, and
// a query that moves from one to the other keeps its images.
func TestShardsDontMeet(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	cloud := c.StartCloud("-public=false", "-private=12", "-shared=0", "-regions="+region+","+elsewhere)
	for _, shard := range []string{region, elsewhere} {
		c.StartManager(cloud, "--leader-elect", "--regions="+shard)
	}
	for _, shard := range []string{region, elsewhere} {
		c.ApplyQuery("name: in-"+shard, "region: "+shard)
	}
	for _, shard := range []string{region, elsewhere} {
		c.UntilSynced("in-" + shard)
		lease := &coordinationv1.Lease{}
		key := client.ObjectKey{Namespace: cluster.Namespace, Name: "image-catalog-operator." + shard}
		if err := c.Client.Get(t.Context(), key, lease); err != nil {
			t.Errorf("the Lease of %s: %v", shard, err)
		}
	}
	moved := "in-" + region
	c.Patch(moved, fmt.Sprintf(`{"spec":{"region":%q}}`, elsewhere))
	c.UntilCurrent(moved)
	c.Until("the images of its former region are gone", func(context.Context) error {
		for name, image := range c.Images("") {
			if image.Image.Region == region {
				return fmt.Errorf("%s is there", name)
			}
		}
		return nil
	})
	if got := len(c.Images(moved)); got != 12 {
		t.Errorf("the query that moved has %d images, want 12", got)
	}
	for _, r := range c.RequestsOf(cluster.OperatorUser) {
		if r.Code == http.StatusConflict && !strings.HasPrefix(r.Resource, "leases") {
			t.Errorf("a conflict: %s", r)
		}
	}
	for _, r := range cloud.Requests() {
		if r.Region != region && r.Region != elsewhere {
			t.Errorf("the cloud was asked for %s", r.Region)
		}
	}
}
