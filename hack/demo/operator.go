// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// namespace is the namespace of the operator and its credentials.
const namespace = "image-catalog-system"

// createNamespace creates the namespace, as "make deploy" does.
func (cl *cluster) createNamespace(ctx context.Context) error {
	return cl.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
}

// startManager runs the built operator with the flags of a deployment, and waits until it is ready.
func startManager(c *children, cl *cluster, s settings, flags ...string) error {
	probe, err := freeAddress(c.ctx)
	if err != nil {
		return err
	}
	flags = append(flags, "--kubeconfig="+cl.kubeconfig, "--credentials-namespace="+namespace,
		"--metrics-bind-address=0", "--health-probe-bind-address="+probe)
	if err := c.start(s.manager, flags...); err != nil {
		return err
	}
	return untilServed(c.ctx, "the manager is ready", "http://"+probe+"/readyz")
}

// startPage serves the page, and returns its address.
func startPage(c *children, cl *cluster, s settings) (string, error) {
	address, err := freeAddress(c.ctx)
	if err != nil {
		return "", err
	}
	if err := c.startAs("page", s.manager, "page", "--kubeconfig="+cl.kubeconfig, "--bind-address="+address); err != nil {
		return "", err
	}
	url := "http://" + address + "/"
	return url, untilServed(c.ctx, "the page shows the catalogue", url)
}

// untilServed waits until an address is answered with success.
func untilServed(ctx context.Context, what, url string) error {
	return until(ctx, what, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, response.Status)
		}
		return nil
	})
}

// untilSynced waits until all ImageQueries are synced.
func (cl *cluster) untilSynced(ctx context.Context) ([]imagev1alpha1.ImageQuery, error) {
	var list imagev1alpha1.ImageQueryList
	err := until(ctx, "all queries are synced", func(ctx context.Context) error {
		if err := cl.List(ctx, &list); err != nil {
			return err
		}
		if len(list.Items) == 0 {
			return permanentError{errors.New("there is no ImageQuery")}
		}
		for i := range list.Items {
			if err := synced(&list.Items[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list.Items, err
}

// synced returns why a query is not synced yet. A stalled query is a permanent error, since a person must act.
func synced(q *imagev1alpha1.ImageQuery) error {
	if c := meta.FindStatusCondition(q.Status.Conditions, imagev1alpha1.ConditionStalled); c != nil {
		return permanentError{fmt.Errorf("ImageQuery %s is stalled, %s: %s", q.Name, c.Reason, c.Message)}
	}
	ready := meta.FindStatusCondition(q.Status.Conditions, imagev1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return fmt.Errorf("ImageQuery %s has no condition yet", q.Name)
	case ready.Status != metav1.ConditionTrue || ready.Reason != imagev1alpha1.ReasonSynced || q.Status.SyncedGeneration != q.Generation:
		return fmt.Errorf("ImageQuery %s is Ready=%s/%s: %s", q.Name, ready.Status, ready.Reason, ready.Message)
	}
	return nil
}

// images returns the CloudImages of a query by name, or all of them if query is empty.
func (cl *cluster) images(ctx context.Context, query string) (map[string]imagev1alpha1.CloudImage, error) {
	var list imagev1alpha1.CloudImageList
	if err := cl.List(ctx, &list); err != nil {
		return nil, err
	}
	found := map[string]imagev1alpha1.CloudImage{}
	for _, image := range list.Items {
		if _, member := image.Labels[imagev1alpha1.LabelQueryPrefix+query]; member || query == "" {
			found[image.Name] = image
		}
	}
	return found, nil
}

// agrees returns an error if a query's status and its CloudImages differ.
func (cl *cluster) agrees(ctx context.Context, q *imagev1alpha1.ImageQuery) error {
	images, err := cl.images(ctx, q.Name)
	if err != nil {
		return err
	}
	want := len(q.Status.Selected)
	if q.Spec.CloudImages.Policy == imagev1alpha1.CloudImagesAll && q.Status.ImageCount != nil {
		want = int(*q.Status.ImageCount)
	}
	if want != len(images) {
		return fmt.Errorf("the status of ImageQuery %s and the %d CloudImages with its label are not the same images", q.Name, len(images))
	}
	return nil
}
