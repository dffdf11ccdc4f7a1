// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// A namespace without a Role, and one that isn't there, hold up neither the others nor the polls. They are served as soon as they can
// be.
func TestANamespaceThatCannotBeReadHoldsUpNothing(t *testing.T) {
	c, cloud := start(t)
	c.Kubectl("", "create", "namespace", "closed")
	label(c, consented, "images", query)
	label(c, "closed", "images", query)
	m := c.StartManager(cloud, "--publish-namespaces="+consented+",closed,missing", "--metrics-secure=false") // waits until it is ready
	c.ApplyQuery("name: "+query, "region: "+region)
	c.UntilSynced(query)
	untilHas(c, "images", "image_id_amd64", "img-amd00001")
	untilReadable(c, m, map[string]string{consented: "1", "closed": "0", "missing": "0"})
	for _, words := range []string{"The ConfigMaps of a namespace can't be read", `"namespace":"closed"`} {
		if log := m.Log(); !strings.Contains(log, words) {
			t.Errorf("the log lacks %q: %s", words, log)
		}
	}

	c.ConsentIn("closed")
	c.Until("the namespace that was closed is served", func(ctx context.Context) error {
		configMap := &corev1.ConfigMap{}
		if err := c.Client.Get(ctx, client.ObjectKey{Namespace: "closed", Name: "images"}, configMap); err != nil {
			return err
		}
		if stateOf(configMap) != imagev1alpha1.PublishCurrent {
			return errors.New("it is not")
		}
		return nil
	})
	untilReadable(c, m, map[string]string{"closed": "1", "missing": "0"})
}

func untilReadable(c *cluster.Cluster, m *cluster.Manager, want map[string]string) {
	c.Helper()
	c.Until("the metrics show which namespaces can be read", func(ctx context.Context) error {
		text, err := scrape(ctx, m)
		if err != nil {
			return err
		}
		for namespace, value := range want {
			if series := `imagecatalog_publish_namespace_readable{namespace="` + namespace + `"} ` + value; !strings.Contains(text, series) {
				return errors.New("they lack " + series)
			}
		}
		return nil
	})
}

// Operators with regions of their own serve the same namespace, each the queries of its regions.
func TestShardsPublishTheirOwnQueries(t *testing.T) {
	c, cloud := start(t)
	const elsewhere = "ap-shanghai"
	cloud.Put(elsewhere, image("img-sha00001", "x86_64", 1))
	for _, shard := range []string{region, elsewhere} {
		c.StartManager(cloud, "--publish-namespaces="+consented, "--leader-elect", "--regions="+shard)
	}
	c.ApplyQuery("name: here", "region: "+region)
	c.ApplyQuery("name: there", "region: "+elsewhere)
	label(c, consented, "here", "here")
	label(c, consented, "there", "there")
	label(c, consented, "nowhere", "nowhere")
	untilHas(c, "here", "image_id_amd64", "img-amd00001")
	untilHas(c, "there", "image_id_amd64", "img-sha00001")
	untilState(c, "nowhere", "There is no ImageQuery")

	c.Patch("here", `{"spec":{"region":"ap-shanghai"}}`)
	untilHas(c, "here", "image_id_amd64", "img-sha00001")
	mark := c.Mark()
	c.Kubectl("", "delete", "imagequery", "here")
	untilState(c, "here", imagev1alpha1.PublishKept)
	c.Kubectl("", "-n", consented, "label", "--overwrite", "configmap", "nowhere", imagev1alpha1.LabelSelectionOf+"=there")
	untilHas(c, "nowhere", "image_id_amd64", "img-sha00001")
	if got := updates(c, mark); len(got) > 3 { // one each; two if the deletion was seen late
		t.Errorf("the operators write against each other: %v", got)
	}
}
