// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// writes are the ways to change CloudImages. Each gets an image that is there, but for create, and has no business with others.
var writes = map[string]func(context.Context, client.Client, *imagev1alpha1.CloudImage) error{
	"create": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.Create(ctx, newImage(image.Image.ID+"new"))
	},
	"update": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		image.Image.Name = "another"
		return c.Update(ctx, image)
	},
	"patch of metadata": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.Patch(ctx, image, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"imagecatalog.dev/state":"NORMAL"}}}`)))
	},
	"server-side apply": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.Patch(ctx, image, client.RawPatch("application/apply-patch+yaml", []byte(
			`{"apiVersion":"imagecatalog.dev/v1alpha1","kind":"CloudImage","metadata":{"name":"`+image.Name+`","annotations":{"example.com/note":"seen"}},
			"image":{"id":"`+image.Image.ID+`","region":"ap-guangzhou","cloudInit":false,"deprecated":false,"sizeGiB":0},
			"lifecycle":{"presence":"Present","firstSeenTime":"2026-11-24T00:00:00Z","lastChangeTime":"2026-11-24T00:00:00Z"}}`,
		)), client.FieldOwner("test"), client.ForceOwnership)
	},
	"delete": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.Delete(ctx, image)
	},
	"deletecollection": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.DeleteAllOf(ctx, image, client.MatchingLabels{"test/image": image.Image.ID})
	},
}

func TestOnlyTheOperatorAndTheGarbageCollectorWriteCloudImages(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	operator := as(t, c, cluster.OperatorUser)
	untilEnforced(t, c)

	image := func(id string) *imagev1alpha1.CloudImage {
		t.Helper()
		image := newImage(id)
		image.Labels = map[string]string{"test/image": id}
		if err := operator.Create(t.Context(), image); err != nil {
			t.Fatal(err)
		}
		return image
	}
	for number, user := range []string{
		cluster.OperatorUser,
		"system:serviceaccount:kube-system:generic-garbage-collector",
		"system:kube-controller-manager",
	} {
		id := "img-a" + string(rune('0'+number))
		for what, write := range writes {
			if err := write(t.Context(), as(t, c, user), image(id)); err != nil {
				t.Errorf("%s of a CloudImage by %s: %v", what, user, err)
			}
			if err := operator.DeleteAllOf(t.Context(), &imagev1alpha1.CloudImage{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for number, user := range []string{
		"admin",
		"system:serviceaccount:image-catalog-system:default",
		"system:serviceaccount:default:image-catalog-operator",
		"system:serviceaccount:kube-system:namespace-controller",
		"system:node:node-1",
	} {
		id := "img-r" + string(rune('0'+number))
		before := image(id)
		for what, write := range writes {
			err := write(t.Context(), as(t, c, user), before.DeepCopy())
			if !apierrors.IsForbidden(err) {
				t.Errorf("%s of a CloudImage by %s is to be forbidden, but: %v", what, user, err)
				continue
			}
			for _, word := range []string{user, cluster.OperatorUser, "garbage collector", "change the ImageQuery"} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%s by %s: who reads this doesn't learn of %q: %v", what, user, word, err)
				}
			}
		}
		after := &imagev1alpha1.CloudImage{}
		if err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(before), after); err != nil || after.ResourceVersion != before.ResourceVersion {
			t.Errorf("what was forbidden to %s was done: %v", user, err)
		}
	}
}

// The operator itself comes with a token, and nobody else gets what the policy lets through: roles decide first.
func TestTheOperatorsTokenWritesCloudImages(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	untilEnforced(t, c)
	config, err := clientcmd.BuildConfigFromFlags("", c.OperatorKubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	operator, err := client.New(config, client.Options{Scheme: c.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	image := newImage("img-0000001")
	if err := operator.Create(t.Context(), image); err != nil {
		t.Error(err)
	}
	image.Image.Name = "another"
	if err := operator.Update(t.Context(), image); err != nil {
		t.Error(err)
	}
	if err := operator.DeleteAllOf(t.Context(), image); !apierrors.IsForbidden(err) {
		t.Errorf("the operator never deletes more than one image at a time, so its role doesn't have the verb, but: %v", err)
	}
	if err := operator.Delete(t.Context(), image); err != nil {
		t.Error(err)
	}
}

// untilEnforced waits until the API server has read the policy, which takes it a moment.
func untilEnforced(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	admin := as(t, c, "admin")
	c.Until("the policy is in force", func(ctx context.Context) error {
		if err := admin.Create(ctx, newImage("img-0000000"), client.DryRunAll); !apierrors.IsForbidden(err) {
			return errors.Join(errors.New("an administrator may still create a CloudImage"), err)
		}
		return nil
	})
}
