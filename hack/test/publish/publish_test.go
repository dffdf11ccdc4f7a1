// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

const (
	region = "ap-guangzhou"

	// consented is a namespace that the flag lists, and query the one that most ConfigMaps name.
	consented, query = "team-a", "nodes"
)

func image(id, architecture string, day int) cvmtest.Image {
	return cvmtest.Image{
		ImageID: id, ImageName: "node-" + id, ImageType: "PRIVATE_IMAGE", ImageState: "NORMAL", Architecture: architecture,
		Platform: "TencentOS", CreatedTime: new(fmt.Sprintf("2026-08-%02dT08:00:00Z", day)),
	}
}

// start starts a cluster with a consented namespace, and a cloud with one image of each architecture.
func start(t *testing.T) (*cluster.Cluster, *cluster.Cloud) {
	t.Helper()
	c := cluster.Start(t, cluster.Options{WithoutControllers: true})
	cloud := c.StartCloud("-public=false", "-private=0", "-shared=0")
	cloud.Put(region, image("img-amd00001", "x86_64", 1), image("img-arm00001", "arm", 1))
	c.Consent(consented)
	return c, cloud
}

// label creates a ConfigMap that asks for a query's selection.
func label(c *cluster.Cluster, namespace, name, query string) {
	c.Helper()
	c.Create(&corev1.ConfigMap{ObjectMeta: meta(namespace, name, map[string]string{imagev1alpha1.LabelSelectionOf: query})})
}

func meta(namespace, name string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}
}

// read returns a ConfigMap that must be there.
func read(c *cluster.Cluster, namespace, name string) *corev1.ConfigMap {
	c.Helper()
	configMap := &corev1.ConfigMap{}
	if err := c.Client.Get(c.Context(), client.ObjectKey{Namespace: namespace, Name: name}, configMap); err != nil {
		c.Fatalf("%v", err)
	}
	return configMap
}

// until waits until a ConfigMap is as it should be.
func until(c *cluster.Cluster, name, what string, reached func(*corev1.ConfigMap) bool) *corev1.ConfigMap {
	c.Helper()
	configMap := &corev1.ConfigMap{}
	c.Until(fmt.Sprintf("the ConfigMap %s: %s", name, what), func(ctx context.Context) error {
		*configMap = corev1.ConfigMap{}
		if err := c.Client.Get(ctx, client.ObjectKey{Namespace: consented, Name: name}, configMap); err != nil {
			return err
		}
		if !reached(configMap) {
			return fmt.Errorf("its publish-state is %q, and its data %v", stateOf(configMap), configMap.Data)
		}
		return nil
	})
	return configMap
}

// untilState waits until the publish-state of a ConfigMap begins with some words.
func untilState(c *cluster.Cluster, name, words string) *corev1.ConfigMap {
	c.Helper()
	return until(c, name, words, func(configMap *corev1.ConfigMap) bool { return strings.HasPrefix(stateOf(configMap), words) })
}

// untilHas waits until a ConfigMap is Current and a key has a value.
func untilHas(c *cluster.Cluster, name, key, value string) *corev1.ConfigMap {
	c.Helper()
	return until(c, name, key+" is "+value, func(configMap *corev1.ConfigMap) bool {
		return configMap.Data[key] == value && stateOf(configMap) == imagev1alpha1.PublishCurrent
	})
}

func stateOf(configMap *corev1.ConfigMap) string {
	return configMap.Annotations[imagev1alpha1.AnnotationPublishState]
}

// updates returns the operator's updates of ConfigMaps since a mark.
func updates(c *cluster.Cluster, mark int64) []cluster.Request {
	c.Helper()
	return slices.DeleteFunc(c.RequestsSince(mark), func(r cluster.Request) bool {
		return r.User != cluster.OperatorUser || r.Resource != "configmaps" || r.Verb != "update"
	})
}

// updatesOf returns those of one ConfigMap.
func updatesOf(c *cluster.Cluster, name string, mark int64) []cluster.Request {
	c.Helper()
	return slices.DeleteFunc(updates(c, mark), func(r cluster.Request) bool { return r.Name != name })
}

// noneDenied fails the test if the roles of the operator didn't allow something that it asked for.
func noneDenied(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	for _, r := range c.RequestsOf(cluster.OperatorUser) {
		if r.Denied() {
			t.Errorf("denied: %s", r)
		}
	}
}

// A namespace that the flag lists is served. Another one isn't, whatever is labelled there, nor is it even read.
func TestAConsentedNamespaceIsServed(t *testing.T) {
	c, cloud := start(t)
	c.Kubectl("", "create", "namespace", "team-b")
	c.StartManager(cloud, "--publish-namespaces="+consented)
	for _, namespace := range []string{consented, "team-b"} {
		c.Apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: images, namespace: ` + namespace + `,
			labels: {imagecatalog.dev/selection-of: nodes}}, data: {mine: "1"}}`)
	}
	c.Create(&corev1.ConfigMap{ObjectMeta: meta(consented, "unlabelled", nil)})
	c.ApplyQuery("name: "+query, "region: "+region)
	revision := c.UntilSynced(query).Status.Revision
	got := untilState(c, "images", imagev1alpha1.PublishCurrent)
	for key, want := range map[string]string{
		"mine": "1", "image_id_amd64": "img-amd00001", "image_id_arm64": "img-arm00001", "image_id": "", "revision": revision,
	} {
		if got.Data[key] != want {
			t.Errorf("%s is %q, want %q", key, got.Data[key], want)
		}
	}

	cloud.Put(region, image("img-amd00002", "x86_64", 2))
	c.Poll(query)
	untilHas(c, "images", "image_id_amd64", "img-amd00002")

	mark := c.Mark()
	c.Poll(query)
	label(c, consented, "later", query) // written after what the poll could have led to
	untilHas(c, "later", "image_id_amd64", "img-amd00002")
	for _, r := range updates(c, mark) {
		if r.Name != "later" {
			t.Errorf("a poll that finds nothing new led to %s", r)
		}
	}

	// Without the label it is a ConfigMap like any other.
	c.Kubectl("", "-n", consented, "label", "configmap", "images", imagev1alpha1.LabelSelectionOf+"-")
	cloud.Put(region, image("img-amd00003", "x86_64", 3))
	c.Poll(query)
	untilHas(c, "later", "image_id_amd64", "img-amd00003")
	if got := read(c, consented, "images").Data["image_id_amd64"]; got != "img-amd00002" {
		t.Errorf("a ConfigMap without the label has %s", got)
	}
	if got := read(c, "team-b", "images"); len(got.Data) != 1 || len(got.Annotations) > 1 {
		t.Errorf("a namespace without consent has %v", got.Data)
	}
	noneDenied(t, c)
	for _, r := range c.RequestsOf(cluster.OperatorUser) {
		if r.Resource == "configmaps" && r.Namespace != consented || r.Name == "unlabelled" {
			t.Errorf("the operator asked for more than it is to: %s", r)
		}
	}
}
