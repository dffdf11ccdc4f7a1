// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// release is a release of the chart in a cluster, managed with helm.
type release struct {
	*testing.T
	*cluster.Cluster
}

func (r release) helm(args ...string) (string, error) {
	r.T.Helper()
	return attempt(helmCommand(r.T.Context(), r.T, append(args, "--namespace", namespace)...), []string{"KUBECONFIG=" + r.Kubeconfig})
}

// must runs helm, which must succeed. It doesn't wait, since there is no node to run a pod.
func (r release) must(args ...string) string {
	r.T.Helper()
	out, err := r.helm(args...)
	if err != nil {
		r.Fatal(err)
	}
	return out
}

// objects returns the objects of the release as they are in the cluster, and those that are missing.
func (r release) objects(manifest string) (there, absent []*unstructured.Unstructured) {
	r.T.Helper()
	for _, o := range parse(r.T, manifest) {
		switch err := r.Client.Get(r.T.Context(), client.ObjectKeyFromObject(o), o); {
		case err == nil:
			there = append(there, o)
		case apierrors.IsNotFound(err):
			absent = append(absent, o)
		default:
			r.Errorf("%s: %v", key(o), err)
		}
	}
	return there, absent
}

func TestHelmInstallsUpgradesAndUninstalls(t *testing.T) {
	r := release{t, cluster.Start(t, cluster.Options{Empty: true, WithoutControllers: true, WithoutAudit: true})}
	notes := r.must("install", "image-catalog", chart, "--create-namespace")
	if !strings.Contains(notes, "create secret generic tencentcloud-credentials") {
		t.Errorf("the notes don't say how to give keys: %s", notes)
	}
	manifest := r.must("get", "manifest", "image-catalog")
	first, absent := r.objects(manifest)
	if len(first) < 15 || len(absent) > 0 {
		t.Fatalf("%d objects are there and %d are not", len(first), len(absent))
	}
	catalogue := newCatalogue(t, r.Cluster)

	r.must("upgrade", "image-catalog", chart, "--set", "concurrent=8", "--set", "networkPolicy.enabled=true")
	upgraded, _ := r.objects(r.must("get", "manifest", "image-catalog"))
	if got := arguments(t, deployment(t, upgraded)); !slices.Contains(got, "--concurrent=8") {
		t.Errorf("after an upgrade the manager's arguments are %q", got)
	}
	if len(upgraded) != len(first)+1 {
		t.Errorf("the upgrade was to add a NetworkPolicy to %d objects, and there are %d", len(first), len(upgraded))
	}
	uids := map[string]types.UID{}
	for _, o := range first {
		uids[key(o)] = o.GetUID()
	}
	for _, o := range upgraded {
		if before, ok := uids[key(o)]; ok && o.GetUID() != before {
			t.Errorf("the upgrade made %s anew", key(o))
		}
	}
	catalogue.untouched(t, "an upgrade")

	r.must("rollback", "image-catalog", "1")
	back, _ := r.objects(r.must("get", "manifest", "image-catalog"))
	if got := arguments(t, deployment(t, back)); slices.Contains(got, "--concurrent=8") {
		t.Errorf("after a rollback the manager's arguments are %q", got)
	}
	catalogue.untouched(t, "a rollback")

	r.must("uninstall", "image-catalog")
	kept, _ := r.objects(manifest)
	for _, o := range kept {
		if o.GetKind() != "CustomResourceDefinition" {
			t.Errorf("%s is still there after the release has gone", key(o))
		}
	}
	if len(kept) != 2 {
		t.Errorf("%d CRDs are there after the release has gone, want 2", len(kept))
	}
	catalogue.untouched(t, "uninstalling")

	r.must("install", "image-catalog", chart)
	catalogue.untouched(t, "installing again")
}

// The tag of a released image can be moved, and its digest can't.
func TestThePackedChartNamesTheImageByDigest(t *testing.T) {
	const version = "v0.0.9-test"
	digest := "sha256:" + strings.Repeat("0a1b2c3d", 8)
	makeTarget(t, nil, "chart", "VERSION="+version, "DIGEST="+digest)
	packed := filepath.Join(root, "dist", "image-catalog-operator-"+strings.TrimPrefix(version, "v")+".tgz")
	t.Cleanup(func() { _ = os.Remove(packed) })
	text, err := attempt(helmCommand(t.Context(), t, "template", "image-catalog", packed, "--namespace", namespace, "--kube-version", oldest), nil)
	if err != nil {
		t.Fatal(err)
	}
	objects := parse(t, text)
	if got := container(t, deployment(t, objects)).Image; got != "ghcr.io/image-catalog/image-catalog-operator@"+digest {
		t.Errorf("the image is %s", got)
	}
	unpacked, err := render(t)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(parse(t, unpacked)); len(objects) != want {
		t.Errorf("the packed chart has %d objects, and the folder %d", len(objects), want)
	}
}

func TestHelmTakesOverWhatKubectlInstalled(t *testing.T) {
	r := release{t, cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})}
	catalogue := newCatalogue(t, r.Cluster)
	if _, err := r.helm("install", "image-catalog", chart); err == nil {
		t.Error("helm took what isn't its own without being told to")
	}
	r.must("install", "image-catalog", chart, "--take-ownership")
	catalogue.untouched(t, "helm took over")
}

func TestUndeployLeavesTheCatalogue(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Empty: true, WithoutAudit: true})
	env := []string{"KUBECONFIG=" + c.Kubeconfig}
	makeTarget(t, env, "deploy", "IMG=registry.example.com/operator:v1")
	shipped := readInstaller(t)
	there, absent := release{t, c}.objects(shipped)
	if len(absent) > 0 {
		t.Fatalf("%d objects of dist/install.yaml are not there", len(absent))
	}
	if got := container(t, deployment(t, there)).Image; got != "registry.example.com/operator:v1" {
		t.Errorf("the image is %s", got)
	}
	catalogue := newCatalogue(t, c)

	makeTarget(t, env, "undeploy")
	kept, _ := release{t, c}.objects(shipped)
	for _, o := range kept {
		if o.GetKind() != "CustomResourceDefinition" {
			t.Errorf("%s is still there after make undeploy", key(o))
		}
	}
	catalogue.untouched(t, "make undeploy")

	// The admission policy forbids deleting images, but must not prevent an uninstall.
	makeTarget(t, env, "deploy", "IMG=registry.example.com/operator:v1")
	catalogue.untouched(t, "make deploy")
	untilEnforced(t, c)
	makeTarget(t, env, "uninstall")
	catalogue.untilGone()
	makeTarget(t, env, "undeploy")
	c.Until("nothing is left", func(context.Context) error {
		if left, _ := (release{t, c}).objects(shipped); len(left) > 0 {
			return errors.New(key(left[0]) + " is there")
		}
		return nil
	})
}

func readInstaller(t *testing.T) string {
	t.Helper()
	return readFile(t, filepath.Join(root, "dist", "install.yaml"))
}
