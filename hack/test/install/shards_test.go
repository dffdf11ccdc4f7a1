// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// Two releases of the chart, the second with its own names, serve a region each. The policies of either apply to the
// whole cluster, so each admits both accounts and no others.
func TestTwoReleasesWriteSideBySide(t *testing.T) {
	r := release{t, cluster.Start(t, cluster.Options{Empty: true, WithoutControllers: true, WithoutAudit: true})}
	r.must("install", "guangzhou", chart, "--create-namespace", "--set", "extraArgs[0]=--regions=ap-guangzhou",
		"--set", "admissionPolicy.writers[0]=system:serviceaccount:image-catalog-system:shanghai")
	r.must("install", "shanghai", chart, "--values", chart+"/ci/shard-values.yaml")
	untilEnforced(t, r.Cluster)

	cloud := r.StartCloud("-public=false", "-private=3", "-shared=0", "-regions=ap-guangzhou,ap-shanghai")
	for _, name := range []string{"guangzhou", "shanghai"} {
		objects, _ := r.objects(r.must("get", "manifest", name))
		r.startAs(cloud, deployment(t, objects))
		r.ApplyQuery("name: "+name, "region: ap-"+name)
	}
	for _, name := range []string{"guangzhou", "shanghai"} {
		r.UntilSynced(name)
		if got := len(r.Images(name)); got != 3 {
			t.Errorf("%s has %d images, want 3", name, got)
		}
	}

	// Each release's policies also work alone.
	r.must("uninstall", "guangzhou")
	if err := as(t, r.Cluster, "admin").Create(t.Context(), newImage("img-0000001"), client.DryRunAll); !apierrors.IsForbidden(err) {
		t.Errorf("the policies of the release that is left are to forbid this, but: %v", err)
	}
}

// startAs runs the manager with the account and the arguments of a Deployment, under the roles of its release.
func (r release) startAs(cloud *cluster.Cloud, deployment *unstructured.Unstructured) {
	r.T.Helper()
	account, _, err := unstructured.NestedString(deployment.Object, "spec", "template", "spec", "serviceAccountName")
	if err != nil {
		r.Fatal(err)
	}
	r.StartManager(cloud, slices.Concat(arguments(r.T, deployment), []string{"--kubeconfig=" + r.KubeconfigOf(account, r.Config)})...)
}

// Names of objects follow the release's name, so two releases share no object, except the identical roles for people.
func TestReleasesWithNamesOfTheirOwnShareNoObject(t *testing.T) {
	everything := []string{
		"--set", "networkPolicy.enabled=true", "--set", "serviceMonitor.enabled=true", "--set", "serviceMonitor.insecureSkipVerify=true",
		"--set", "prometheusRule.enabled=true", "--set", "grafanaDashboard.enabled=true",
		"--set", "rbac.metricsReaders[0].name=prometheus-k8s", "--set", "rbac.metricsReaders[0].namespace=monitoring",
	}
	first, err := render(t, append(everything, "--set", "crds.enabled=false", "--set", "rbac.userRoles=false")...)
	if err != nil {
		t.Fatal(err)
	}
	second, err := render(t, append(everything, "--values", chart+"/ci/shard-values.yaml")...)
	if err != nil {
		t.Fatal(err)
	}
	objects := byKey(t, parse(t, first))
	for _, o := range parse(t, second) {
		if objects[key(o)] != nil {
			t.Errorf("%s is in both releases", key(o))
		}
	}
}
