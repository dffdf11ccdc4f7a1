// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// as returns a client of a user whom roles allow everything, so that only an admission policy can refuse.
func as(t *testing.T, c *cluster.Cluster, user string) client.Client {
	t.Helper()
	config := rest.CopyConfig(c.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	somebody, err := client.New(config, client.Options{Scheme: c.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return somebody
}

// newQuery returns a query for all images that the account sees.
func newQuery() *imagev1alpha1.ImageQuery {
	return &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: "query"}, Spec: imagev1alpha1.ImageQuerySpec{Region: "ap-guangzhou"}}
}

// queryOf returns a query with more lines in its spec.
func queryOf(t *testing.T, spec string) *unstructured.Unstructured {
	t.Helper()
	const head = "{apiVersion: imagecatalog.dev/v1alpha1, kind: ImageQuery, metadata: {name: query}, spec: {region: ap-guangzhou, "
	return parse(t, head+spec+"}}")[0]
}

// newImage returns a CloudImage like the operator's.
func newImage(id string) *imagev1alpha1.CloudImage {
	now := metav1.NewTime(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
	return &imagev1alpha1.CloudImage{
		ObjectMeta: metav1.ObjectMeta{Name: "ap-guangzhou-" + id},
		Image:      imagev1alpha1.Image{ID: id, Region: "ap-guangzhou", Name: "node"},
		Lifecycle:  imagev1alpha1.ImageLifecycle{Presence: "Present", FirstSeenTime: now, LastChangeTime: now},
	}
}

// catalogue is a query and one of its images in a cluster without an operator.
type catalogue struct {
	c    *cluster.Cluster
	uids map[client.Object]types.UID
}

func newCatalogue(t *testing.T, c *cluster.Cluster) *catalogue {
	t.Helper()
	query := &imagev1alpha1.ImageQuery{
		ObjectMeta: metav1.ObjectMeta{Name: "golden-images"}, Spec: imagev1alpha1.ImageQuerySpec{Region: "ap-guangzhou"},
	}
	image := newImage("img-0000001")
	operator := as(t, c, cluster.OperatorUser)
	out := &catalogue{c: c, uids: map[client.Object]types.UID{}}
	for _, o := range []client.Object{query, image} {
		c.Until("the kind is served", func(ctx context.Context) error { return operator.Create(ctx, o) })
		out.uids[o] = o.GetUID()
	}
	return out
}

// untouched fails the test unless both exist and are unchanged.
func (k *catalogue) untouched(t *testing.T, after string) {
	t.Helper()
	for o, uid := range k.uids {
		if err := k.c.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Errorf("after %s: %v", after, err)
		} else if o.GetUID() != uid || o.GetDeletionTimestamp() != nil {
			t.Errorf("after %s: %s is another object, or about to go", after, o.GetName())
		}
	}
}

// untilGone waits until the kinds no longer exist.
func (k *catalogue) untilGone() {
	k.c.Until("the catalogue is gone", func(ctx context.Context) error {
		for o := range k.uids {
			err := k.c.Client.Get(ctx, client.ObjectKeyFromObject(o), o)
			if err == nil {
				return errors.New(o.GetName() + " is there")
			}
			if !apierrors.IsNotFound(err) {
				return err
			}
		}
		return nil
	})
}
