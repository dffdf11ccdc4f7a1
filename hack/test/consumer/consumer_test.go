// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
	"github.com/image-catalog/image-catalog-operator/hack/test/consumer"
)

const (
	region    = "ap-guangzhou"
	namespace = "image-consumer" // roles.yaml
)

const query = `
apiVersion: imagecatalog.dev/v1alpha1
kind: ImageQuery
metadata:
  name: nodes
  labels: {example.com/image-configmap: ""}
spec:
  region: ap-guangzhou
  filters:
  - {name: image-type, values: [PRIVATE_IMAGE]}
  selection:
    groupBy: [Architecture]
`

func image(id, architecture string, day int) cvmtest.Image {
	return cvmtest.Image{
		ImageID: id, ImageName: "node-" + id, ImageType: "PRIVATE_IMAGE", ImageState: "NORMAL", Architecture: architecture, Platform: "TencentOS",
		CreatedTime: new(fmt.Sprintf("2026-08-%02dT08:00:00Z", day)),
	}
}

// From a golden image built in the cloud to the id in a ConfigMap, and back.
func TestAConsumerUsesWhatIsSelected(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	cloud := c.StartCloud("-public=false", "-private=0", "-shared=0")
	cloud.Put(region, image("img-amd00001", "x86_64", 1), image("img-arm00001", "arm", 1))
	c.StartManager(cloud)
	start(c)

	c.Apply(query)
	untilData(c, "each architecture has its image", map[string]string{"amd64": "img-amd00001", "arm64": "img-arm00001"})
	untilReason(c, imagev1alpha1.ReasonSelected)

	cloud.Put(region, image("img-amd00002", "x86_64", 2))
	c.Poll("nodes")
	untilData(c, "a newer image takes the place of its predecessor", map[string]string{"amd64": "img-amd00002", "arm64": "img-arm00001"})

	// The newest image is copied to another region: it is no longer NORMAL, and stays.
	copied := image("img-amd00002", "x86_64", 2)
	copied.ImageState = "SYNCING"
	cloud.Put(region, copied)
	c.Poll("nodes")
	untilReason(c, imagev1alpha1.ReasonKept)
	// An edit leaves nothing of either architecture: what is in use stays in use.
	both := map[string]string{"amd64": "img-amd00002", "arm64": "img-arm00001"}
	c.Patch("nodes", `{"spec":{"match":{"excludeImageIDs":["img-amd00001","img-amd00002","img-arm00001"]},"minImages":0}}`)
	untilReason(c, imagev1alpha1.ReasonNothingSelected)
	untilData(c, "nothing is selected", both)
	cloud.Put(region, image("img-amd00002", "x86_64", 2))
	c.Patch("nodes", `{"spec":{"match":null}}`)
	c.Poll("nodes") // the edit's own poll may use a listing from before
	untilReason(c, imagev1alpha1.ReasonSelected)
	untilData(c, "the images are selected again", both)

	// The cloud no longer knows the key, and the ConfigMap is deleted: the last selection stays valid.
	cloud.RemoveCredential(cloud.Requests()[0].SecretID)
	c.Poll("nodes")
	c.UntilCondition("nodes", imagev1alpha1.ConditionStalled, metav1.ConditionTrue, imagev1alpha1.ReasonAuthenticationFailed)
	c.Kubectl("", "delete", "configmap", "-n", namespace, "nodes")
	untilData(c, "it is there again while the cloud is not", map[string]string{"amd64": "img-amd00002", "arm64": "img-arm00001"})

	c.Kubectl("", "label", "imagequery", "nodes", consumer.Label+"-")
	untilGone(c, "the query has lost its label")
	c.Kubectl("", "label", "imagequery", "nodes", consumer.Label+"=")
	untilData(c, "the query has its label again", map[string]string{"amd64": "img-amd00002", "arm64": "img-arm00001"})
	c.Kubectl("", "delete", "imagequery", "nodes")
	untilGone(c, "the query is deleted")

	for _, request := range c.RequestsOf("system:serviceaccount:" + cluster.Namespace + ":" + namespace) {
		if request.Denied() {
			t.Errorf("roles.yaml lacks something: %s", request)
		}
	}
}

// start runs the consumer with the permissions of roles.yaml until the test ends.
func start(c *cluster.Cluster) {
	c.Helper()
	roles, err := os.ReadFile("roles.yaml")
	if err != nil {
		c.Fatalf("%v", err)
	}
	c.Apply(string(roles))
	config, err := clientcmd.BuildConfigFromFlags("", c.KubeconfigOf(namespace, c.Config))
	if err != nil {
		c.Fatalf("%v", err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(c.Context()))
	ended := make(chan error, 1)
	go func() { ended <- consumer.Run(ctx, config, namespace) }()
	c.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			c.Logf("the consumer has ended: %v", err)
		}
	})
}

func untilData(c *cluster.Cluster, what string, want map[string]string) {
	c.Helper()
	c.Until(what, func(ctx context.Context) error {
		got := &corev1.ConfigMap{}
		if err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "nodes"}, got); err != nil {
			return err
		}
		if !maps.Equal(got.Data, want) {
			return fmt.Errorf("the ConfigMap has %v, want %v", got.Data, want)
		}
		return nil
	})
}

func untilReason(c *cluster.Cluster, want string) {
	c.Helper()
	c.Until("the ConfigMap has the reason "+want, func(ctx context.Context) error {
		got := &corev1.ConfigMap{}
		if err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "nodes"}, got); err != nil {
			return err
		}
		if reason := got.Annotations[consumer.Annotation]; reason != want {
			return fmt.Errorf("it has %q", reason)
		}
		return nil
	})
}

func untilGone(c *cluster.Cluster, what string) {
	c.Helper()
	c.Until("the ConfigMap is gone: "+what, func(ctx context.Context) error {
		err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "nodes"}, &corev1.ConfigMap{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is there"), err)
	})
}
