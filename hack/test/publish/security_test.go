// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// The operator's token is used for what the operator itself never does.
func TestTheOperatorsTokenChangesNoOtherConfiguration(t *testing.T) {
	c, _ := start(t)
	config, err := clientcmd.BuildConfigFromFlags("", c.OperatorKubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	operator, err := client.New(config, client.Options{Scheme: c.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{imagev1alpha1.LabelSelectionOf: query}
	shared := map[string]string{"mine": "1", "image_id": "img-0000001"}
	for _, o := range []client.Object{
		&corev1.ConfigMap{ObjectMeta: meta(consented, "labelled", labels), Data: shared},
		&corev1.ConfigMap{ObjectMeta: meta(consented, "plain", nil), Data: shared},
		&corev1.ConfigMap{ObjectMeta: meta("kube-system", "labelled", labels), Data: shared},
		&corev1.Secret{ObjectMeta: meta(consented, "secret", labels)},
	} {
		c.Create(o)
	}
	update := func(namespace, name string, edit func(*corev1.ConfigMap)) func(context.Context) error {
		return func(ctx context.Context) error {
			configMap := read(c, namespace, name)
			edit(configMap)
			return operator.Update(ctx, configMap)
		}
	}
	set := func(key string) func(*corev1.ConfigMap) {
		return func(configMap *corev1.ConfigMap) { configMap.Data[key] = "evil" }
	}
	c.Until("the policies are in force", func(ctx context.Context) error {
		if err := update(consented, "plain", set("image_id"))(ctx); !apierrors.IsForbidden(err) {
			return errors.Join(errors.New("the operator's token may still update a ConfigMap without the label"), err)
		}
		return nil
	})
	labelled := func(edit func(*corev1.ConfigMap)) func(context.Context) error {
		return update(consented, "labelled", edit)
	}
	for what, try := range map[string]func(context.Context) error{
		"create": func(ctx context.Context) error {
			return operator.Create(ctx, &corev1.ConfigMap{ObjectMeta: meta(consented, "new", labels)})
		},
		"delete": func(ctx context.Context) error { return operator.Delete(ctx, read(c, consented, "labelled")) },
		"delete of all": func(ctx context.Context) error {
			return operator.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace(consented))
		},
		"patch": func(ctx context.Context) error {
			configMap := read(c, consented, "labelled")
			return operator.Patch(ctx, configMap, client.RawPatch("application/merge-patch+json", []byte(`{"data":{"image_id":"evil"}}`)))
		},
		"a ConfigMap without the label":      update(consented, "plain", set("image_id")),
		"a label on a ConfigMap without one": update(consented, "plain", func(o *corev1.ConfigMap) { o.Labels = labels }),
		"another namespace, kube-system":     update("kube-system", "labelled", set("image_id")),
		"reading kube-system": func(ctx context.Context) error {
			return operator.List(ctx, &corev1.ConfigMapList{}, client.InNamespace("kube-system"))
		},
		"a key of another client": labelled(set("mine")),
		"a new key":               labelled(set("new")),
		"a key fewer":             labelled(func(o *corev1.ConfigMap) { delete(o.Data, "mine") }),
		"binary data":             labelled(func(o *corev1.ConfigMap) { o.BinaryData = map[string][]byte{"new": {1}} }),
		"immutable":               labelled(func(o *corev1.ConfigMap) { o.Immutable = new(true) }),
		"a label":                 labelled(func(o *corev1.ConfigMap) { o.Labels["new"] = "evil" }),
		"no label":                labelled(func(o *corev1.ConfigMap) { o.Labels = nil }),
		"another query":           labelled(func(o *corev1.ConfigMap) { o.Labels[imagev1alpha1.LabelSelectionOf] = "evil" }),
		"another annotation":      labelled(func(o *corev1.ConfigMap) { o.Annotations = map[string]string{"example.com/new": "evil"} }),
		"a finalizer":             labelled(func(o *corev1.ConfigMap) { o.Finalizers = []string{"example.com/evil"} }),
		"an owner": labelled(func(o *corev1.ConfigMap) {
			o.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "plain", UID: "1"}}
		}),
		"a Secret": func(ctx context.Context) error {
			return operator.Get(ctx, client.ObjectKey{Namespace: consented, Name: "secret"}, &corev1.Secret{})
		},
		"Secrets": func(ctx context.Context) error {
			return operator.List(ctx, &corev1.SecretList{}, client.InNamespace(consented))
		},
	} {
		if err := try(t.Context()); !apierrors.IsForbidden(err) {
			t.Errorf("%s is to be forbidden to the operator's token, but: %v", what, err)
		}
	}
	// What it is there for.
	for what, edit := range map[string]func(*corev1.ConfigMap){
		"its keys": func(o *corev1.ConfigMap) {
			for _, key := range []string{"image_id", "image_id_amd64", "image_id_arm64", "image_id_386", "revision", "selected_json"} {
				o.Data[key] = "new"
			}
		},
		"a key fewer": func(o *corev1.ConfigMap) { delete(o.Data, "revision") },
		"its annotation": func(o *corev1.ConfigMap) {
			o.Annotations = map[string]string{imagev1alpha1.AnnotationPublishState: "Current"}
		},
	} {
		if err := labelled(edit)(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := read(c, consented, "labelled"); got.Data["mine"] != "1" || got.Labels[imagev1alpha1.LabelSelectionOf] != query {
		t.Errorf("what was forbidden was done: %v", got)
	}
}

// The policy is about the operator. It holds up no other ConfigMaps.
func TestThePolicyConcernsNobodyElse(t *testing.T) {
	c, _ := start(t)
	c.Kubectl("", "create", "clusterrolebinding", "owner", "--clusterrole=cluster-admin", "--user=owner")
	owner := c.As("owner")
	configMap := &corev1.ConfigMap{ObjectMeta: meta(consented, "images", nil)}
	c.Until("an owner may do all", func(ctx context.Context) error {
		return owner.Create(ctx, configMap, client.DryRunAll)
	})
	if err := owner.Create(t.Context(), configMap); err != nil {
		t.Fatal(err)
	}
	configMap.Labels = map[string]string{imagev1alpha1.LabelSelectionOf: query}
	configMap.Data = map[string]string{"mine": "1", "image_id": "img-0000001"}
	if err := owner.Update(t.Context(), configMap); err != nil {
		t.Error(err)
	}
	if err := owner.Delete(t.Context(), configMap); err != nil {
		t.Error(err)
	}
}
