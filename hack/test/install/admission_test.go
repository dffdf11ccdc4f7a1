// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// imageWrites are the ways to change CloudImages. Each gets an existing image, except create, and changes no other.
var imageWrites = map[string]func(context.Context, client.Client, *imagev1alpha1.CloudImage) error{
	"create": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.Create(ctx, newImage(image.Image.ID+"new"))
	},
	"update of image": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		image.Image.Name = "another"
		return c.Update(ctx, image)
	},
	"update of lifecycle": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		image.Lifecycle.Presence = imagev1alpha1.PresenceGone
		return c.Update(ctx, image)
	},
	"update of labels": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.Patch(ctx, image, merge(`{"metadata":{"labels":{"imagecatalog.dev/state":"EVIL"}}}`))
	},
	"update of owners": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.Patch(ctx, image, merge(`{"metadata":{"ownerReferences":null}}`))
	},
	"update of nothing": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.Update(ctx, image)
	},
	// Like Kubernetes' storage version migrator.
	"migration": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.Patch(ctx, image, apply(fmt.Sprintf(`{"apiVersion":"imagecatalog.dev/v1alpha1","kind":"CloudImage",
			"metadata":{"name":%q,"uid":%q,"resourceVersion":%q}}`, image.Name, image.UID, image.ResourceVersion)), client.FieldOwner("migrator"))
	},
	"server-side apply": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.Patch(ctx, image, apply(
			`{"apiVersion":"imagecatalog.dev/v1alpha1","kind":"CloudImage",
			"metadata":{"name":"`+image.Name+`","labels":{"imagecatalog.dev/state":"EVIL"}},
			"image":{"id":"`+image.Image.ID+`","region":"ap-guangzhou","cloudInit":false,"deprecated":false,"sizeGiB":0},
			"lifecycle":{"presence":"Present","firstSeenTime":"2026-11-24T00:00:00Z","lastChangeTime":"2026-11-24T00:00:00Z"}}`,
		), client.FieldOwner("test"), client.ForceOwnership)
	},
	"delete": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.Delete(ctx, image)
	},
	"deletecollection": func(ctx context.Context, c client.Client, image *imagev1alpha1.CloudImage) error {
		return c.DeleteAllOf(ctx, image, client.MatchingFields{"metadata.name": image.Name})
	},
}

// What the policy lets everybody do who has the right, and what only the garbage collector.
var (
	harmless  = []string{"update of nothing", "migration"}
	lettingGo = slices.Concat(harmless, []string{"update of owners", "delete", "deletecollection"})
)

func merge(patch string) client.Patch {
	return client.RawPatch("application/merge-patch+json", []byte(patch))
}

func apply(object string) client.Patch {
	return client.RawPatch("application/apply-patch+yaml", []byte(object))
}

// strangers are neither the operator nor the garbage collector, but have similar names.
var strangers = []string{
	"admin",
	"system:serviceaccount:image-catalog-system:default",
	"system:serviceaccount:default:image-catalog-operator",
	"system:serviceaccount:kube-system:namespace-controller",
	"system:serviceaccount:kube-system:storage-version-migrator-controller",
	"system:node:node-1",
}

// collectors are the garbage collector's own account, and the one without --use-service-account-credentials.
var collectors = []string{"system:serviceaccount:kube-system:generic-garbage-collector", "system:kube-controller-manager"}

func TestOnlyTheOperatorAndTheGarbageCollectorWriteCloudImages(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	untilEnforced(t, c)
	for _, tc := range []struct {
		users   []string
		allowed func(write string) bool
	}{
		{[]string{cluster.OperatorUser}, func(string) bool { return true }},
		{collectors, among(lettingGo)},
		{strangers, among(harmless)},
	} {
		for _, user := range tc.users {
			for what, write := range imageWrites {
				tryImageWrite(t, c, user, what, write, tc.allowed(what))
			}
		}
	}
}

func among(writes []string) func(string) bool {
	return func(write string) bool { return slices.Contains(writes, write) }
}

// tryImageWrite has somebody write an image that a query owns, and looks whether it is done.
func tryImageWrite(
	t *testing.T, c *cluster.Cluster, user, what string,
	write func(context.Context, client.Client, *imagev1alpha1.CloudImage) error, allowed bool,
) {
	t.Helper()
	operator := as(t, c, cluster.OperatorUser)
	before := ownedBy(newImage("img-0000001"), imagev1alpha1.GroupVersion.String(), "ImageQuery")
	if err := operator.Create(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := operator.DeleteAllOf(t.Context(), &imagev1alpha1.CloudImage{}); err != nil {
			t.Fatal(err)
		}
	}()
	err := write(t.Context(), as(t, c, user), before.DeepCopy())
	if allowed {
		if err != nil {
			t.Errorf("%s of a CloudImage by %s: %v", what, user, err)
		}
		return
	}
	forbidden(t, err, what+" of a CloudImage by "+user, user, cluster.OperatorUser, "garbage collector", "change the ImageQuery")
	after := &imagev1alpha1.CloudImage{}
	err = c.Client.Get(t.Context(), client.ObjectKeyFromObject(before), after)
	if err != nil || after.ResourceVersion != before.ResourceVersion {
		t.Errorf("%s was forbidden to %s, and done: %v", what, user, err)
	}
}

// forbidden expects a refusal that contains words.
func forbidden(t *testing.T, err error, what string, words ...string) {
	t.Helper()
	if !apierrors.IsForbidden(err) {
		t.Errorf("%s is to be forbidden, but: %v", what, err)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: who reads this doesn't learn of %q: %v", what, word, err)
		}
	}
}

// ownedBy adds an owner to an image.
func ownedBy(image *imagev1alpha1.CloudImage, apiVersion, kind string) *imagev1alpha1.CloudImage {
	image.OwnerReferences = append(image.OwnerReferences, metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: "query", UID: "1"})
	return image
}

// A CloudImage without an owner, left by kubectl delete imagequery --cascade=orphan or a restored backup, can be
// deleted by every client with the permission.
func TestACloudImageWithoutAQueryIsDeletedByWhoeverMay(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	untilEnforced(t, c)
	operator, admin := as(t, c, cluster.OperatorUser), as(t, c, "admin")
	group := imagev1alpha1.GroupVersion.String()
	for what, tc := range map[string]struct {
		owners  [][2]string
		deleted bool
	}{
		"no owner":                           {nil, true},
		"an owner that is no query":          {[][2]string{{"v1", "ConfigMap"}}, true},
		"an owner of another group":          {[][2]string{{"example.com/v1", "ImageQuery"}}, true},
		"a query":                            {[][2]string{{group, "ImageQuery"}}, false},
		"a query of another version":         {[][2]string{{"imagecatalog.dev/v1", "ImageQuery"}}, false},
		"a query beside an owner of another": {[][2]string{{"v1", "ConfigMap"}, {group, "ImageQuery"}}, false},
	} {
		for _, how := range []string{"delete", "deletecollection"} {
			image := newImage("img-0000001")
			for _, owner := range tc.owners {
				ownedBy(image, owner[0], owner[1])
				image.OwnerReferences[len(image.OwnerReferences)-1].UID += "1" // unique
			}
			if err := operator.Create(t.Context(), image); err != nil {
				t.Fatal(err)
			}
			forbidden(t, imageWrites["update of image"](t.Context(), admin, image.DeepCopy()), "update of an image with "+what)
			err := imageWrites[how](t.Context(), admin, image.DeepCopy())
			if tc.deleted && err != nil {
				t.Errorf("%s of an image with %s: %v", how, what, err)
			}
			if !tc.deleted {
				forbidden(t, err, how+" of an image with "+what, "no ImageQuery owns")
			}
			if err := client.IgnoreNotFound(operator.Delete(t.Context(), image)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// statusWrites are the ways to change the status of an existing ImageQuery.
var statusWrites = map[string]func(context.Context, client.Client, *imagev1alpha1.ImageQuery) error{
	"update": func(ctx context.Context, c client.Client, query *imagev1alpha1.ImageQuery) error {
		query.Status.Selected = []imagev1alpha1.SelectedImage{{ImageID: evil}}
		return c.Status().Update(ctx, query)
	},
	"patch": func(ctx context.Context, c client.Client, query *imagev1alpha1.ImageQuery) error {
		return c.Status().Patch(ctx, query, merge(`{"status":{"selected":[{"imageID":"`+evil+`"}]}}`))
	},
	"server-side apply": func(ctx context.Context, c client.Client, query *imagev1alpha1.ImageQuery) error {
		return c.Status().Patch(ctx, query, apply(`{"apiVersion":"imagecatalog.dev/v1alpha1","kind":"ImageQuery",
			"metadata":{"name":"`+query.Name+`"},"status":{"selected":[{"imageID":"`+evil+`"}]}}`), client.FieldOwner("test"), client.ForceOwnership)
	},
	"clearing": func(ctx context.Context, c client.Client, query *imagev1alpha1.ImageQuery) error {
		return c.Status().Patch(ctx, query, merge(`{"status":null}`))
	},
}

// evil is an image that an attacker wants machines to boot.
const evil = "img-0000666"

func TestOnlyTheOperatorWritesTheStatusOfQueries(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	untilEnforced(t, c)
	query := newQuery()
	if err := c.Client.Create(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	operator := as(t, c, cluster.OperatorUser)
	for what, write := range statusWrites {
		if err := write(t.Context(), operator, query.DeepCopy()); err != nil {
			t.Errorf("%s of a status by the operator: %v", what, err)
		}
		if err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(query), query); err != nil {
			t.Fatal(err)
		}
	}
	query.Status = imagev1alpha1.ImageQueryStatus{ObservedGeneration: 1, Selected: []imagev1alpha1.SelectedImage{{ImageID: "img-0000001"}}}
	if err := operator.Status().Update(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	for _, user := range slices.Concat(strangers, collectors) {
		somebody := as(t, c, user)
		for what, write := range statusWrites {
			forbidden(t, write(t.Context(), somebody, query.DeepCopy()), what+" of a status by "+user, user, cluster.OperatorUser, "change the spec")
		}
		if err := somebody.Status().Update(t.Context(), query.DeepCopy()); err != nil {
			t.Errorf("an update of a status that changes nothing, by %s: %v", user, err)
		}
	}
	after := &imagev1alpha1.ImageQuery{}
	err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(query), after)
	if err != nil || after.ResourceVersion != query.ResourceVersion {
		t.Errorf("what was forbidden was done: %v", err)
	}
}

// The operator authenticates with a token. For other clients, roles apply before the policy.
func TestTheOperatorsTokenWritesCloudImages(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	untilEnforced(t, c)
	config, err := clientcmd.BuildConfigFromFlags("", c.OperatorKubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	operator, err := client.New(config, client.Options{Scheme: c.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	image := newImage("img-0000001")
	if err := operator.Create(t.Context(), image); err != nil {
		t.Error(err)
	}
	image.Image.Name = "another"
	if err := operator.Update(t.Context(), image); err != nil {
		t.Error(err)
	}
	if err := operator.DeleteAllOf(t.Context(), image); !apierrors.IsForbidden(err) {
		t.Errorf("the operator never deletes more than one image at a time, so its role doesn't have the verb, but: %v", err)
	}
	if err := operator.Delete(t.Context(), image); err != nil {
		t.Error(err)
	}
}

// untilEnforced waits until the API server has loaded the policies.
func untilEnforced(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	admin := as(t, c, "admin")
	probe := newQuery()
	probe.Name = "probe"
	if err := c.Client.Create(t.Context(), probe); err != nil {
		t.Fatal(err)
	}
	c.Until("the policies are in force", func(ctx context.Context) error {
		if err := admin.Create(ctx, newImage("img-0000000"), client.DryRunAll); !apierrors.IsForbidden(err) {
			return errors.Join(errors.New("an administrator may still create a CloudImage"), err)
		}
		if err := statusWrites["patch"](ctx, client.NewDryRunClient(admin), probe.DeepCopy()); !apierrors.IsForbidden(err) {
			return errors.Join(errors.New("an administrator may still write a status"), err)
		}
		return nil
	})
	if err := c.Client.Delete(t.Context(), probe); err != nil {
		t.Fatal(err)
	}
}
