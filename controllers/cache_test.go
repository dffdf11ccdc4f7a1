// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

const finalizer = "example.com/kept"

// foreign returns metadata of another client, with an annotation of the maximum length.
func foreign(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"example.com/mine": "yes"}, Finalizers: []string{finalizer},
		Annotations:     map[string]string{"example.com/note": strings.Repeat("x", 255<<10)},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "mine", UID: "1"}},
	}
}

// release removes the finalizer of an object at the end of the test.
func (w *world) release(o client.Object) {
	w.Cleanup(func() {
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		if err := w.Client.Patch(context.Background(), o, patch); client.IgnoreNotFound(err) != nil {
			w.Error(err)
		}
	})
}

func wantForeign(t *testing.T, o client.Object) {
	t.Helper()
	want := foreign(o.GetName())
	if o.GetLabels()["example.com/mine"] != "yes" || len(o.GetAnnotations()["example.com/note"]) != 255<<10 ||
		!cmp.Equal(o.GetFinalizers(), want.Finalizers) || !slices.Contains(o.GetOwnerReferences(), want.OwnerReferences[0]) {
		t.Errorf("metadata of others is gone: labels %v, finalizers %v, owners %v, an annotation of %d bytes",
			o.GetLabels(), o.GetFinalizers(), o.GetOwnerReferences(), len(o.GetAnnotations()["example.com/note"]))
	}
}

// The cache omits metadata that isn't read, so a status is written from an object without it.
func TestAStatusWrittenWithoutMetadataLosesNone(t *testing.T) {
	w := newWorld(t)
	query := newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Suspend = true })
	query.ObjectMeta = foreign("golden")
	w.Create(query)
	w.release(query)
	w.UntilReady("golden", metav1.ConditionUnknown, imagev1alpha1.ReasonSuspended)
	w.idle()
	w.tampered.Store(true) // the test writes statuses
	bare := &imagev1alpha1.ImageQuery{}
	w.Eventually(func() error {
		if err := w.Client.Get(w.Context(), client.ObjectKey{Name: "golden"}, query); err != nil {
			return err
		}
		bare.ObjectMeta = metav1.ObjectMeta{Name: "golden", ResourceVersion: query.ResourceVersion, UID: query.UID}
		bare.Spec, bare.Status = query.Spec, query.Status
		bare.Status.SelectedSummary = "written"
		return w.Client.Status().Update(w.Context(), bare)
	})
	written := w.Query("golden")
	wantForeign(t, written)
	if written.Status.SelectedSummary != "written" || len(written.ManagedFields) < len(query.ManagedFields) {
		t.Errorf("the status is %q, and %d managers of fields are left of %d",
			written.Status.SelectedSummary, len(written.ManagedFields), len(query.ManagedFields))
	}
}

func TestTheOperatorKeepsOfQueriesAndImagesWhatItReads(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	query := newQuery("golden")
	query.ObjectMeta = foreign("golden")
	query.Annotations[imagev1alpha1.AnnotationApproveRemoval] = "token"
	w.Create(query)
	w.release(query)
	w.UntilSynced("golden")
	image := w.Image(objectName(1))
	want := foreign(image.Name)
	image.Labels["example.com/mine"], image.Annotations["example.com/note"] = "yes", want.Annotations["example.com/note"]
	image.Finalizers, image.OwnerReferences = want.Finalizers, append(want.OwnerReferences, image.OwnerReferences...)
	w.release(&image)
	if err := w.Client.Update(w.Context(), &image); err != nil {
		t.Fatal(err)
	}

	cached := &imagev1alpha1.ImageQuery{}
	if err := w.operator.Client.Get(w.Context(), client.ObjectKey{Name: "golden"}, cached); err != nil {
		t.Fatal(err)
	}
	if len(cached.Labels)+len(cached.Finalizers)+len(cached.OwnerReferences)+len(cached.ManagedFields) > 0 ||
		!cmp.Equal(cached.Annotations, map[string]string{imagev1alpha1.AnnotationApproveRemoval: "token"}) {
		t.Errorf("of the query's metadata is kept: %+v", cached.ObjectMeta)
	}
	w.Eventually(func() error {
		cached := &imagev1alpha1.CloudImage{}
		if err := w.operator.Client.Get(w.Context(), client.ObjectKeyFromObject(&image), cached); err != nil {
			return err
		}
		if cached.ResourceVersion != image.ResourceVersion {
			return errors.New("the cache has not caught up")
		}
		if len(cached.Annotations["example.com/note"])+len(cached.Finalizers) > 0 || len(cached.OwnerReferences) != 1 {
			return fmt.Errorf("of the image's metadata is kept: %+v", cached.ObjectMeta)
		}
		return nil
	})

	// Nothing to change, nothing written; and what is written changes nothing of others'.
	w.idle()
	w.writes.take()
	w.Poll("golden")
	kit.Equal(w, "writes of a poll without news", []string{"PUT imagequeries/golden/status"}, w.writes.take())
	w.cloud.Update(region, newImage(1).ImageID, func(i *cvmtest.Image) { i.ImageDescription = "rebuilt" })
	w.Poll("golden")
	image = w.Image(objectName(1))
	if image.Image.Description != "rebuilt" || len(image.OwnerReferences) != 2 ||
		image.Labels[labelOf("golden")] != imagev1alpha1.QuerySelected {
		t.Errorf("the image is %+v", image)
	}
	wantForeign(t, &image)
	if err := w.Client.Get(w.Context(), client.ObjectKey{Name: "golden"}, query); err != nil {
		t.Fatal(err)
	}
	wantForeign(t, query)
}

func TestALongRequestIsOnePoll(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	for _, token := range []string{strings.Repeat("a", 200<<10), strings.Repeat("b", 200<<10)} {
		w.Patch("golden", fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, imagev1alpha1.AnnotationRequestedAt, token))
		sum := sha256.Sum256([]byte(token))
		w.UntilQuery("golden", "the request is handled", func(q *imagev1alpha1.ImageQuery) bool {
			return q.Status.LastHandledReconcileAt == hex.EncodeToString(sum[:])
		})
	}
	before, _ := w.listings()
	w.pass(5 * time.Second)
	w.pass(5 * time.Second)
	w.idle()
	if after, _ := w.listings(); after != before {
		t.Errorf("a request that was handled made %d more polls", after-before)
	}
}

func TestASecretThatIsNoCredentialCostsNothing(t *testing.T) {
	const queries = 50
	w := newWorld(t)
	w.SetCredentials("acct2", cvmtest.DefaultCredential)
	w.cloud.Put(region, newImage(1))
	usesAcct2 := func(s *imagev1alpha1.ImageQuerySpec) {
		s.CredentialsRef = &imagev1alpha1.CredentialsReference{Name: "acct2"}
	}
	for i := range queries {
		w.Create(newQuery(fmt.Sprintf("default-%02d", i)))
	}
	w.Create(newQuery("other", usesAcct2))
	for i := range queries {
		w.UntilSynced(fmt.Sprintf("default-%02d", i))
	}
	w.UntilSynced("other")

	// Of a Secret, the cache holds only parts of keys.
	noise := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "noise", Annotations: map[string]string{"note": "x"}, Labels: map[string]string{"owner": "helm"},
		},
		Data: map[string][]byte{"release": make([]byte, 500<<10), "secretId": []byte("id")},
	}
	w.Create(noise)
	w.Eventually(func() error {
		cached := &corev1.Secret{}
		if err := w.operator.Client.Get(w.Context(), client.ObjectKeyFromObject(noise), cached); err != nil {
			return err
		}
		keys := map[string][]byte{"secretId": []byte("id")}
		if len(cached.Annotations)+len(cached.Labels)+len(cached.ManagedFields) > 0 || !cmp.Equal(cached.Data, keys) {
			t.Errorf("of a Secret is kept: %+v, %d keys of data", cached.ObjectMeta, len(cached.Data))
		}
		return nil
	})

	// Its event reconciles no query.
	if got := w.operator.QueriesOf(w.Context(), noise); len(got) != 0 {
		t.Errorf("a Secret that nobody uses concerns %v", got)
	}
	if n := testing.AllocsPerRun(10, func() { w.operator.QueriesOf(w.Context(), noise) }); n > queries {
		t.Errorf("the event of a Secret that nobody uses allocates %v times beside %d queries", n, queries)
	}
	other := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "acct2"}}
	if got := w.operator.QueriesOf(w.Context(), other); len(got) != 1 || got[0].Name != "other" {
		t.Errorf("the Secret of one query concerns %v", got)
	}
	standard := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: imagev1alpha1.DefaultCredentialsSecret}}
	if got := w.operator.QueriesOf(w.Context(), standard); len(got) != queries+1 {
		t.Errorf("the default Secret concerns %d queries, want all: a Secret with a role only builds on it", len(got))
	}

	// A change of the default Secret that isn't one of its keys brings no query here. Events come in order, so this one has
	// been there once the next has had its effect.
	w.idle()
	before, _ := w.reconciles()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"note":"x"}},"data":{"unused":"eA=="}}`))
	if err := w.Client.Patch(w.Context(), standard, patch); err != nil {
		t.Fatal(err)
	}
	polls := w.polls(imagev1alpha1.ReasonSynced)
	another := cvmtest.Credential{SecretID: "AKIDanother", SecretKey: "another", UIN: cvmtest.DefaultCredential.UIN}
	w.cloud.SetCredential(another)
	w.clock.offset.Add(int64(2 * time.Second))
	w.SetCredentials("acct2", another)
	w.Eventually(func() error {
		if w.polls(imagev1alpha1.ReasonSynced) == polls {
			return errors.New("other keys made no poll")
		}
		return nil
	})
	w.idle()
	if after, _ := w.reconciles(); after-before > queries/2 {
		t.Errorf("an annotation of a Secret brought %v queries here", after-before)
	}
}
