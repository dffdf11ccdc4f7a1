// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

const region = "ap-guangzhou"

func image(id, architecture string, day int) cvmtest.Image {
	return cvmtest.Image{
		ImageID: id, ImageName: "node-" + id, ImageType: "PRIVATE_IMAGE", ImageState: "NORMAL", Architecture: architecture, Platform: "TencentOS",
		CreatedTime: new(fmt.Sprintf("2026-08-%02dT08:00:00Z", day)),
	}
}

// A namespace that the flag lists is served, another isn't, whatever is labelled there.
func TestAConsentedNamespaceIsServed(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true})
	cloud := c.StartCloud("-public=false", "-private=0", "-shared=0")
	cloud.Put(region, image("img-amd00001", "x86_64", 1), image("img-arm00001", "arm", 1))
	c.Consent("team-a")
	c.Kubectl("", "create", "namespace", "team-b")
	c.StartManager(cloud, "--publish-namespaces=team-a")
	for _, namespace := range []string{"team-a", "team-b"} {
		c.Apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: images, namespace: ` + namespace + `,
			labels: {imagecatalog.dev/selection-of: nodes}}, data: {mine: "1"}}`)
	}
	c.ApplyQuery("name: nodes", "region: "+region)
	query := c.UntilSynced("nodes")
	got := untilState(c, "team-a", "images", imagev1alpha1.PublishCurrent)
	for key, want := range map[string]string{
		"mine": "1", "image_id_amd64": "img-amd00001", "image_id_arm64": "img-arm00001", "image_id": "", "revision": query.Status.Revision,
	} {
		if got.Data[key] != want {
			t.Errorf("%s is %q, want %q", key, got.Data[key], want)
		}
	}
}

// untilState waits until a ConfigMap has a publish-state.
func untilState(c *cluster.Cluster, namespace, name, state string) *corev1.ConfigMap {
	c.Helper()
	configMap := &corev1.ConfigMap{}
	c.Until(fmt.Sprintf("the ConfigMap %s/%s is %s", namespace, name, state), func(ctx context.Context) error {
		*configMap = corev1.ConfigMap{}
		if err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, configMap); err != nil {
			return err
		}
		if got := configMap.Annotations[imagev1alpha1.AnnotationPublishState]; got != state {
			return fmt.Errorf("its publish-state is %q, and its data %v", got, configMap.Data)
		}
		return nil
	})
	return configMap
}

