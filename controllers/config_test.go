// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// documents returns the YAML documents in a folder's files by file and index, except kustomizations.
func documents(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	root := filepath.Join("..", "config", folder)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "kustomization.yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		for i, document := range bytes.Split(content, []byte("\n---\n")) {
			out[entry.Name()+"#"+string(rune('0'+i))] = document
		}
		return err
	})
	if err != nil || len(out) == 0 {
		t.Fatalf("reading %s: %v, %d documents", root, err, len(out))
	}
	return out
}

func TestEverySampleBecomesReady(t *testing.T) {
	w := newWorld(t)
	w.cloud.Fill(cvmtest.Inventory{Seed: 1, Regions: []string{region}, Public: true, Private: 20})
	for file, document := range documents(t, "samples") {
		query := &imagev1alpha1.ImageQuery{}
		if err := yaml.UnmarshalStrict(document, query); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		w.Create(query)
		if synced := w.UntilSynced(query.Name); len(synced.Status.Images) == 0 {
			t.Errorf("%s: no images", file)
		}
	}
}

func TestTheAPIServerTakesWhatIsDeployed(t *testing.T) {
	w := newWorld(t)
	for _, folder := range []string{"rbac", "admission", "manager", "network-policy"} {
		for file, document := range documents(t, folder) {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(document, &object.Object); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			err := w.Client.Create(w.Context(), object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
			if err != nil && !apierrors.IsAlreadyExists(err) {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

func TestThePodIsAdmittedWhereThePodSecurityStandardRestrictedIsEnforced(t *testing.T) {
	w := newWorld(t)
	const restricted = "restricted"
	w.Create(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: restricted, Labels: map[string]string{"pod-security.kubernetes.io/enforce": restricted},
		}},
	)
	deployment := &appsv1.Deployment{}
	for file, document := range documents(t, "manager") {
		if strings.Contains(string(document), "kind: Deployment") {
			if err := yaml.UnmarshalStrict(document, deployment); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: restricted, Name: "manager"}, Spec: deployment.Spec.Template.Spec}
	pod.Spec.ServiceAccountName = "" // no controller creates one here
	if err := w.Client.Create(w.Context(), pod, client.DryRunAll); err != nil {
		t.Error(err)
	}
	pod.Spec.Containers[0].SecurityContext = nil
	if err := w.Client.Create(w.Context(), pod, client.DryRunAll); !apierrors.IsForbidden(err) {
		t.Errorf("a pod without a security context is not refused: %v", err)
	}
}
