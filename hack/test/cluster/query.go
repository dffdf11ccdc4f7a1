// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// UntilQuery waits for a state of an ImageQuery; reached says what is missing.
func (c *Cluster) UntilQuery(name string, reached func(*imagev1alpha1.ImageQuery) error) *imagev1alpha1.ImageQuery {
	c.Helper()
	query := &imagev1alpha1.ImageQuery{}
	c.Until("ImageQuery "+name+" is as expected", func(ctx context.Context) error {
		*query = imagev1alpha1.ImageQuery{} // what is absent in an answer leaves a field as it was
		if err := c.Client.Get(ctx, client.ObjectKey{Name: name}, query); err != nil {
			return err
		}
		if err := reached(query); err != nil {
			return fmt.Errorf("%w; its status is %s", err, describe(query))
		}
		return nil
	})
	return query
}

// UntilReady waits until Ready has a status and a reason that answer the present generation.
func (c *Cluster) UntilReady(name string, status metav1.ConditionStatus, reason string) *imagev1alpha1.ImageQuery {
	c.Helper()
	return c.UntilQuery(name, func(q *imagev1alpha1.ImageQuery) error {
		ready := meta.FindStatusCondition(q.Status.Conditions, imagev1alpha1.ConditionReady)
		if ready == nil || ready.Status != status || ready.Reason != reason || q.Status.ObservedGeneration != q.Generation {
			return fmt.Errorf("it is not Ready=%s with the reason %s in generation %d", status, reason, q.Generation)
		}
		return nil
	})
}

// UntilSynced waits until a query's present generation shows what the cloud has.
func (c *Cluster) UntilSynced(name string) *imagev1alpha1.ImageQuery {
	c.Helper()
	return c.UntilReady(name, metav1.ConditionTrue, imagev1alpha1.ReasonSynced)
}

// Annotate sets an annotation of a query.
func (c *Cluster) Annotate(query, annotation, value string) {
	c.Helper()
	c.Kubectl("", "annotate", "--overwrite", "imagequery", query, annotation+"="+value)
}

// PatchStatus merges into the status of a query in the operator's name and as its field manager: the admission policy lets nobody else,
// and the operator writes over what is somebody else's.
func (c *Cluster) PatchStatus(query, patch string) {
	c.Helper()
	c.Kubectl("", "patch", "imagequery", query, "--subresource=status", "--type=merge", "-p", patch,
		"--field-manager="+ServiceAccount, "--as="+OperatorUser, "--as-group=system:masters")
}

// Poll asks for a poll, as a person does, and waits for its end, good or bad.
func (c *Cluster) Poll(name string) *imagev1alpha1.ImageQuery {
	c.Helper()
	token := c.children.path("poll")
	c.Annotate(name, imagev1alpha1.AnnotationRequestedAt, token)
	return c.UntilQuery(name, func(q *imagev1alpha1.ImageQuery) error {
		if q.Status.LastHandledReconcileAt != token {
			return fmt.Errorf("the requested poll has not ended")
		}
		return nil
	})
}

// Images are the CloudImages with a query's label, by name; all of them for no query.
func (c *Cluster) Images(query string) map[string]imagev1alpha1.CloudImage {
	c.Helper()
	var list imagev1alpha1.CloudImageList
	if err := c.Client.List(c.Context(), &list); err != nil {
		c.Fatalf("listing CloudImages: %v", err)
	}
	images := map[string]imagev1alpha1.CloudImage{}
	for _, image := range list.Items {
		if _, member := image.Labels[imagev1alpha1.LabelQueryPrefix+query]; member || query == "" {
			images[image.Name] = image
		}
	}
	return images
}

func describe(q *imagev1alpha1.ImageQuery) string {
	var out strings.Builder
	fmt.Fprintf(&out, "generation %d, observed %d, synced %d, %d images", q.Generation, q.Status.ObservedGeneration, q.Status.SyncedGeneration, len(q.Status.Images))
	for _, condition := range q.Status.Conditions {
		fmt.Fprintf(&out, "\n\t%s=%s %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message)
	}
	return out.String()
}
