// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// The ClusterRoles for people grant what they should, and Kubernetes' own roles grant nothing by themselves.
func TestPeopleMayWhatTheirRoleSays(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	roles := map[string][]string{
		"imagequery-editor": {"create imagequeries", "delete imagequeries", "patch imagequeries", "list imagequeries", "list cloudimages"},
		"imagequery-viewer": {"list imagequeries"},
		"cloudimage-viewer": {"list cloudimages"},
		"admin":             nil, "edit": nil, "view": nil,
	}
	for role := range roles {
		c.Kubectl("", "create", "clusterrolebinding", role, "--clusterrole="+role, "--user="+role)
	}
	for role, allowed := range roles {
		for _, what := range []string{
			"create imagequeries", "delete imagequeries", "patch imagequeries", "list imagequeries",
			"update imagequeries/status", "patch imagequeries/status",
			"list cloudimages", "create cloudimages", "update cloudimages", "patch cloudimages", "delete cloudimages",
			"deletecollection cloudimages",
		} {
			if got, want := mayDo(t, c, role, what), slices.Contains(allowed, what); got != want {
				t.Errorf("%s by who has the ClusterRole %s: allowed is %t, want %t", what, role, got, want)
			}
		}
	}
}

func mayDo(t *testing.T, c *cluster.Cluster, user, what string) bool {
	t.Helper()
	verb, resource, _ := strings.Cut(what, " ")
	resource, subresource, _ := strings.Cut(resource, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: imagev1alpha1.GroupVersion.Group, Resource: resource, Subresource: subresource,
		},
	}}
	if err := c.Client.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}
