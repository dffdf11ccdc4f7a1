// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// Namespace is the operator's namespace.
const Namespace = "image-catalog-system"

// T is the part of testing.TB that Kit needs. Programs may have their own.
type T interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// Kit acts on one cluster. Its methods fail the test on errors.
type Kit struct {
	// Client is an uncached client of an administrator.
	Client client.Client

	// Broken, if set, returns an error when waiting is pointless, for instance because a process of the test has ended.
	Broken func() error

	// Check, if set, is called for each query that was waited for.
	Check func(*imagev1alpha1.ImageQuery)

	t T
}

// New returns a kit for a test.
func New(t T, c client.Client) Kit { return Kit{Client: c, t: t} }

// For returns the kit for a subtest.
func (k Kit) For(t T) Kit {
	k.t = t
	return k
}

// Create creates objects.
func (k *Kit) Create(objects ...client.Object) {
	k.t.Helper()
	for _, o := range objects {
		if err := k.Client.Create(k.t.Context(), o); err != nil {
			k.t.Fatalf("creating %s: %v", o.GetName(), err)
		}
	}
}

// Delete deletes objects.
func (k *Kit) Delete(objects ...client.Object) {
	k.t.Helper()
	for _, o := range objects {
		if err := k.Client.Delete(k.t.Context(), o); err != nil {
			k.t.Fatalf("deleting %s: %v", o.GetName(), err)
		}
	}
}

// SetSecret creates or replaces a Secret in the operator's namespace.
func (k *Kit) SetSecret(name string, data map[string]string) {
	k.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name}, StringData: data}
	err := k.Client.Update(k.t.Context(), secret)
	if client.IgnoreNotFound(err) == nil && err != nil {
		err = k.Client.Create(k.t.Context(), secret)
	}
	if err != nil {
		k.t.Fatalf("storing the Secret %s: %v", name, err)
	}
}

// SetCredentials stores a key in a Secret for credentialsRef.
func (k *Kit) SetCredentials(name string, key cvmtest.Credential) {
	k.t.Helper()
	data := map[string]string{"secretId": key.SecretID, "secretKey": key.SecretKey}
	if key.Token != "" {
		data["token"] = key.Token
	}
	k.SetSecret(name, data)
}

// Images returns the CloudImages with a query's label, by name, or all of them if query is empty.
func (k *Kit) Images(query string) map[string]imagev1alpha1.CloudImage {
	k.t.Helper()
	var list imagev1alpha1.CloudImageList
	if err := k.Client.List(k.t.Context(), &list); err != nil {
		k.t.Fatalf("listing CloudImages: %v", err)
	}
	images := map[string]imagev1alpha1.CloudImage{}
	for _, image := range list.Items {
		if _, member := image.Labels[imagev1alpha1.LabelQueryPrefix+query]; member || query == "" {
			images[image.Name] = image
		}
	}
	return images
}

// ImageNames returns the sorted names of Images.
func (k *Kit) ImageNames(query string) []string {
	k.t.Helper()
	return slices.Sorted(maps.Keys(k.Images(query)))
}

// Image returns a CloudImage that must exist.
func (k *Kit) Image(name string) imagev1alpha1.CloudImage {
	k.t.Helper()
	var image imagev1alpha1.CloudImage
	if err := k.Client.Get(k.t.Context(), client.ObjectKey{Name: name}, &image); err != nil {
		k.t.Fatalf("reading the CloudImage %s: %v", name, err)
	}
	return image
}

// Equal fails the test with a diff unless two values are equal.
func Equal(t interface {
	Helper()
	Errorf(format string, args ...any)
}, what string, want, got any,
) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
