// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// stage is a cluster with a running operator, and a cloud.
type stage struct {
	*cluster.Cluster
	*testing.T

	cloud   *cluster.Cloud
	manager *cluster.Manager

	// whole is the cluster of all subtests: processes that it starts outlive a subtest.
	whole *cluster.Cluster
}

// For returns the stage for a subtest.
func (s *stage) For(t *testing.T) *stage {
	t.Helper()
	bound := *s
	bound.Cluster, bound.T = s.Cluster.For(t), t
	return &bound
}

// Both the cluster and the test have these.

func (s *stage) Helper()                           { s.T.Helper() }
func (s *stage) Context() context.Context          { return s.T.Context() }
func (s *stage) Fatalf(format string, args ...any) { s.T.Helper(); s.T.Fatalf(format, args...) }

// One control plane serves all subtests: starting one takes longer than most of them.
func TestOnARealControlPlane(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutAudit: true})
	cloud := c.StartCloud()
	c.Kubectl("", "apply", "-n", "default", "-f", "../../../config/publish/role.yaml", "-f", "../../../config/publish/role_binding.yaml")
	manager := c.StartManager(cloud, "--metrics-secure=false", "--leader-elect", "--publish-namespaces=default")
	shared := &stage{Cluster: c, whole: c, T: t, cloud: cloud, manager: manager}
	t.Run("samples", func(t *testing.T) { testSamples(shared.For(t)) })
	t.Run("cloudimage", func(t *testing.T) { testCloudImage(shared.For(t)) })
	t.Run("labels", func(t *testing.T) { testLabelsStayWhereTheyAre(shared.For(t)) })
	t.Run("situations", func(t *testing.T) { testSituations(t, shared) })
	t.Run("readings", func(t *testing.T) { testReadings(t, shared) })
	t.Run("documents", func(t *testing.T) { testDocuments(shared.For(t)) })
	t.Run("metrics", func(t *testing.T) { testMetrics(shared.For(t)) })
}

// query creates an ImageQuery for the private images of a region, with more lines of its spec. QUERY in them is
// replaced by its name.
func (s *stage) query(name, region string, spec ...string) {
	s.Helper()
	all := append([]string{"region: " + region, "filters: [{name: image-type, values: [PRIVATE_IMAGE]}]"}, spec...)
	s.ApplyQuery("name: "+name, strings.ReplaceAll(strings.Join(all, ", "), "QUERY", name))
}

// fill replaces a region's images by private ones.
func (s *stage) fill(region string, images int) {
	s.cloud.Clear(region)
	for i, id := range imageIDs(region, images) {
		created := time.Date(2026, 8, 20, 8, i, 0, 0, time.UTC).Format(time.RFC3339)
		image := cvmtest.PrivateImages(1, 1, cvmtest.DefaultCredential.UIN)[0]
		image.ImageID, image.ImageName, image.CreatedTime = id, fmt.Sprintf("node-v1.30.%d", i), &created
		s.cloud.Put(region, image)
	}
}

// imageIDs returns the ids of fill's images.
func imageIDs(_ string, images int) []string {
	var ids []string
	for i := range images {
		ids = append(ids, fmt.Sprintf("img-0000000%d", i))
	}
	return ids
}

func (s *stage) object(kind, name string) *unstructured.Unstructured {
	s.Helper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(imagev1alpha1.GroupVersion.WithKind(kind))
	if err := s.Client.Get(s.Context(), client.ObjectKey{Name: name}, object); err != nil {
		s.Fatalf("%v", err)
	}
	return object
}

// untilRefused waits until the API server rejects CloudImages of a region: a policy takes effect with a delay.
func (s *stage) untilRefused(region string) {
	s.Helper()
	probe := &imagev1alpha1.CloudImage{
		ObjectMeta: metav1.ObjectMeta{Name: region + "-img-probe"},
		Image:      imagev1alpha1.Image{ID: "img-probe", Region: region},
		Lifecycle: imagev1alpha1.ImageLifecycle{
			Presence: imagev1alpha1.PresencePresent, FirstSeenTime: metav1.Now().Rfc3339Copy(), LastChangeTime: metav1.Now().Rfc3339Copy(),
		},
	}
	// As the operator: the shipped policy rejects all other clients.
	config := rest.CopyConfig(s.Config)
	config.Impersonate.UserName = cluster.OperatorUser
	operator, err := client.New(config, client.Options{Scheme: s.Client.Scheme()})
	if err != nil {
		s.Fatalf("%v", err)
	}
	s.Until("CloudImages are refused", func(ctx context.Context) error {
		err := operator.Create(ctx, probe.DeepCopy(), client.DryRunAll)
		if (apierrors.IsInvalid(err) || apierrors.IsForbidden(err)) && strings.Contains(err.Error(), "not today") {
			return nil
		}
		return errors.Join(errors.New("the policy does not act yet"), err)
	})
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
