// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

var discard = log.New(io.Discard, "", 0)

func TestFault45APoisonedQuery(t *testing.T) {
	w := synced(t, 45, 3)
	for name, spec := range map[string]string{
		"a duration beyond what Go has": `{"interval":"99999999999h"}`, "a duration in a unit that Go lacks": `{"interval":"1d"}`,
		"a number that doesn't fit": `{"minImages":99999999999999}`, "an expression that can't be compiled": `{"match":{"nameRegex":"("}}`,
		"a list with an empty text": `{"imageIDs":[""]}`, "a duration that is a number": `{"removal":{"gracePeriod":3}}`,
	} {
		out := w.tryKubectl("patch", "imagequery", golden, "--type=merge", "-p", `{"spec":`+spec+`}`)
		if !strings.Contains(out, "invalid") && !strings.Contains(out, "Invalid") {
			t.Errorf("%s was admitted: %s", name, out)
		}
	}
	w.query("beside")
	w.UntilSynced("beside")
	w.heals(golden)
}

// unguarded calls run while the policy that protects CloudImages is deleted.
func (w *world) unguarded(run func()) {
	w.t.Helper()
	const name = "cloudimage-writers.imagecatalog.dev"
	w.remove("validatingadmissionpolicybinding", name)
	defer w.For(process).Kubectl("", "apply", "--server-side", "-k", filepath.Join(repository, "config", "admission"))
	w.Until("anybody may write CloudImages", func(ctx context.Context) error {
		return w.Client.Create(ctx, record("img-probe"), client.DryRunAll)
	})
	run()
}

// record returns a valid CloudImage that the operator didn't write.
func record(id string) *imagev1alpha1.CloudImage {
	object := &imagev1alpha1.CloudImage{ObjectMeta: metav1.ObjectMeta{Name: region + "-" + id}}
	object.Image.ID, object.Image.Region = id, region
	object.Lifecycle = imagev1alpha1.ImageLifecycle{
		Presence: imagev1alpha1.PresencePresent, FirstSeenTime: metav1.Now(), LastChangeTime: metav1.Now(),
	}
	return object
}

// repository is the top of the checkout, relative to this package.
const repository = "../../.."

func TestFault46ACloudImageIsTamperedWith(t *testing.T) {
	w := synced(t, 46, 6)
	names := slices.Sorted(maps.Keys(w.Images(golden)))
	out := w.tryKubectl("label", "cloudimage", names[0], "imagecatalog.dev/state=EVIL", "--overwrite")
	if !strings.Contains(out, "only the operator") {
		t.Errorf("an administrator's change was answered with %q", out)
	}
	before := w.catalogue(golden)
	w.unguarded(func() {
		for i, patch := range []string{
			`{"metadata":{"labels":{"imagecatalog.dev/state":"EVIL","kubernetes.io/arch":null,"mine":"stays"}}}`,
			`{"metadata":{"labels":{"query.imagecatalog.dev/` + golden + `":null}}}`,
			`{"metadata":{"ownerReferences":[]}}`,
			`{"metadata":{"labels":{"query.imagecatalog.dev/` + golden + `":null},"ownerReferences":[]}}`,
			`{"image":{"name":"evil","state":"EVIL","creator":"666"}}`,
			`{"lifecycle":{"presence":"Gone","deleteAfter":"2020-01-01T00:00:00Z","leaving":[` +
				`{"query":"` + golden + `","since":"2020-01-01T00:00:00Z","deleteAfter":"2020-01-01T00:00:00Z"}]}}`,
		} {
			w.Kubectl("", "patch", "cloudimage", names[i], "--type=merge", "-p", patch)
		}
		w.Poll(golden)
		w.UntilSynced(golden)
	})
	w.agrees(golden)
	after := w.Images(golden)
	for _, name := range names {
		object := after[name]
		if string(object.UID) != before.objects[name] {
			t.Errorf("%s was made anew", name)
		}
		if object.Labels[imagev1alpha1.LabelState] == "EVIL" || object.Image.Name == "evil" || len(object.OwnerReferences) != 1 ||
			object.Lifecycle.Presence != imagev1alpha1.PresencePresent {
			t.Errorf("%s is %+v %+v %+v", name, object.ObjectMeta, object.Image, object.Lifecycle)
		}
	}
	if after[names[0]].Labels["mine"] != "stays" {
		t.Error("somebody's label was taken off")
	}
	if now := w.catalogue(golden); !slices.Equal(now.selected, before.selected) {
		t.Errorf("selected was %v and is %v", before.selected, now.selected)
	}
	w.heals(golden)
}

func TestFault47AStrangersCloudImage(t *testing.T) {
	w := begin(t, 47)
	w.cloud.Put(region, cvmtest.PrivateImages(47, 3, cvmtest.DefaultCredential.UIN)...)
	id := w.cloudIDs()[0]
	name := region + "-" + id
	var uid, other string
	w.unguarded(func() {
		for _, made := range []string{id, "img-nobodys0"} {
			foreign := record(made)
			foreign.Labels, foreign.Image.Name = map[string]string{"mine": "stays"}, "foreign"
			if err := w.Client.Create(t.Context(), foreign); err != nil {
				t.Fatal(err)
			}
			uid, other = other, string(foreign.UID)
		}
		uid, other = other, uid
		// The policy applies to users who create queries. The operator isn't affected.
		w.start()
		w.query(golden)
		w.UntilSynced(golden)
	})
	object := w.Images(golden)[name]
	if object.Labels["mine"] != "stays" || object.Image.Name == "foreign" {
		t.Errorf("the object under our name is %+v %+v", object.ObjectMeta, object.Image)
	}
	// What no query has goes in a day, and its facts stay until then.
	w.Until("the object that no query has is marked", func(context.Context) error {
		left := w.Images("")[region+"-img-nobodys0"]
		if l := left.Lifecycle; left.Image.Name != "foreign" || l.Presence != imagev1alpha1.PresenceNotMatched || l.DeleteAfter == nil {
			return fmt.Errorf("it is %+v", left)
		}
		return nil
	})
	w.agrees(golden)
	w.unguarded(func() { w.remove("cloudimage", region+"-img-nobodys0") })
	w.heals(golden)
}

func TestFault48SecretsThatHoldNoKey(t *testing.T) {
	w := synced(t, 48, 3)
	good := map[string][]byte{"secretId": []byte(cvmtest.DefaultCredential.SecretID), "secretKey": []byte(cvmtest.DefaultCredential.SecretKey)}
	put := func(data map[string][]byte) {
		t.Helper()
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: imagev1alpha1.DefaultCredentialsSecret}, Data: data,
		}
		err := w.Client.Update(t.Context(), secret)
		if apierrors.IsNotFound(err) {
			err = w.Client.Create(t.Context(), secret)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		w.For(process).SetCredentials(imagev1alpha1.DefaultCredentialsSecret, cvmtest.DefaultCredential)
	})
	for name, tc := range map[string]struct {
		data   map[string][]byte // nil means that the Secret is deleted
		reason string
	}{
		"no Secret": {reason: imagev1alpha1.ReasonCredentialsNotFound},
		"empty keys": {
			data:   map[string][]byte{"secretId": {}, "secretKey": {}},
			reason: imagev1alpha1.ReasonCredentialsNotFound,
		},
		"half a key": {
			data:   map[string][]byte{"secretId": good["secretId"]},
			reason: imagev1alpha1.ReasonCredentialsNotFound,
		},
		"binary": {
			data:   map[string][]byte{"secretId": {0, 1, 2, 255}, "secretKey": {254, 0}},
			reason: imagev1alpha1.ReasonCredentialsNotFound,
		},
		"almost 1 MiB": {data: map[string][]byte{
			"secretId": []byte(strings.Repeat("A", 1<<19)), "secretKey": []byte(strings.Repeat("B", 1<<18)),
		}},
		"a line too many": {
			data: map[string][]byte{
				"secretId":  slices.Concat(good["secretId"], []byte("\n")),
				"secretKey": slices.Concat([]byte(" "), good["secretKey"], []byte("\r\n")),
			},
			reason: "fine",
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := w.catalogue(golden)
			if tc.data == nil {
				w.Kubectl("", "-n", cluster.Namespace, "delete", "secret", imagev1alpha1.DefaultCredentialsSecret)
			} else {
				put(tc.data)
			}
			w.Until("it is noticed", func(context.Context) error {
				query := w.Poll(golden)
				stalled := kit.Condition(query, imagev1alpha1.ConditionStalled)
				switch {
				case tc.reason == "fine" && stalled.Type == "", tc.reason == "" && stalled.Type != "", tc.reason != "" && stalled.Reason == tc.reason:
					return nil
				}
				return fmt.Errorf("Stalled is %s/%s: %s", stalled.Status, stalled.Reason, stalled.Message)
			})
			w.kept(golden, before)
			w.decent(w.Query(golden))
			put(good)
			w.Until("it is well again", func(context.Context) error {
				if stalled := kit.Condition(w.Poll(golden), imagev1alpha1.ConditionStalled); stalled.Type != "" {
					return fmt.Errorf("Stalled: %s", stalled.Message)
				}
				return nil
			})
		})
	}
	w.heals(golden)
}

func TestFault56TheNamespaceOfTheSecretsGoes(t *testing.T) {
	w := begin(t, 56)
	const namespace = "going"
	w.Kubectl("", "create", "namespace", namespace)
	role := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch"}}}
	subject := []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: cluster.Namespace, Name: cluster.ServiceAccount}}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: imagev1alpha1.DefaultCredentialsSecret},
		StringData: map[string]string{"secretId": cvmtest.DefaultCredential.SecretID, "secretKey": cvmtest.DefaultCredential.SecretKey},
	}
	// A finalizer without a controller keeps the namespace terminating.
	stuck := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "stuck", Finalizers: []string{"test.example/never"}}}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "operator"}, Rules: role},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "operator"}, Subjects: subject,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "operator"},
		},
		secret, stuck,
	} {
		if err := w.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	w.cloud.Put(region, cvmtest.PrivateImages(56, 3, cvmtest.DefaultCredential.UIN)...)
	w.start("--credentials-namespace=" + namespace)
	w.query(golden, "interval: 1m")
	w.UntilSynced(golden)
	before := w.catalogue(golden)
	w.Kubectl("", "delete", "namespace", namespace, "--wait=false")
	w.UntilCondition(golden, imagev1alpha1.ConditionStalled, metav1.ConditionTrue, imagev1alpha1.ReasonCredentialsNotFound)
	writes := len(w.api.Writes())
	w.Poll(golden)
	w.kept(golden, before)
	if now := len(w.api.Writes()) - writes; now > 6 {
		t.Errorf("there were %d writes while nothing could be done", now)
	}
	w.Kubectl("", "-n", namespace, "patch", "configmap", "stuck", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
}

func TestFault58KindsThatAreMissingOrOlder(t *testing.T) {
	w := synced(t, 58, 3)
	crds := filepath.Join(repository, "config", "crd")
	t.Cleanup(func() {
		c := w.For(process) // the test's own context has ended
		c.Kubectl("", "apply", "--server-side", "--force-conflicts", "-k", crds)
		c.Until("the kinds are served", func(ctx context.Context) error { return c.Client.List(ctx, &imagev1alpha1.ImageQueryList{}) })
	})
	// Deleted, their objects go with them. Made again they are empty, and an empty cache is no reason to delete anything.
	w.Kubectl("", "delete", "-k", crds, "--wait=true")
	w.manager.Kill()
	w.manager = w.LaunchManager(w.manager)
	w.untilLogged("no matches for") // the kind or, while its group is still being taken down, the group
	w.manager.Kill()
	w.Kubectl("", "apply", "--server-side", "-k", crds)
	w.Until("the kinds are served", func(ctx context.Context) error {
		if err := w.Client.List(ctx, &imagev1alpha1.ImageQueryList{}); err != nil {
			return err
		}
		return w.Client.List(ctx, &imagev1alpha1.CloudImageList{})
	})
	w.restart()
	w.query(golden)
	w.UntilSynced(golden)
	w.heals(golden)
}

// untilLogged waits until the manager's log contains a text, even if the manager has ended.
func (w *world) untilLogged(words string) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(w.manager.Log(), words); {
		if time.Now().After(deadline) {
			w.t.Fatalf("the log doesn't say %q: %s", words, w.manager.Log())
		}
		<-time.After(50 * time.Millisecond)
	}
}

func TestFault59AnotherBinaryOfTheSameState(t *testing.T) {
	w := synced(t, 59, 12)
	before := w.catalogue(golden)
	for range 2 {
		w.stop()
		writes := len(w.api.Writes())
		w.restart()
		w.Poll(golden)
		if now := len(w.api.Writes()) - writes; now != 1 {
			t.Errorf("after a restart there were %d writes, want the echo of the request only", now)
		}
		w.kept(golden, before)
	}
	w.heals(golden)
}
