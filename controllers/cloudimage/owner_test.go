// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// ownedBy returns the image's object with as many owners, and one of another kind.
func ownedBy(queries int) *imagev1alpha1.CloudImage {
	image := stored("q0")
	image.OwnerReferences = []metav1.OwnerReference{
		{APIVersion: "v1", Kind: "ConfigMap", Name: "other", UID: "other"}, {APIVersion: "imagecatalog.dev/v1", Kind: "Other", Name: "kind",
			UID: "kind"},
		{APIVersion: "example.com/v1", Kind: "ImageQuery", Name: "group", UID: "group"},
	}
	for i := range queries {
		image.OwnerReferences = append(image.OwnerReferences, metav1.OwnerReference{
			APIVersion: imagev1alpha1.GroupVersion.String(), Kind: "ImageQuery", Name: fmt.Sprintf("q%d", i), UID: claimOf(fmt.Sprintf("q%d",
				i)).Query.UID,
		})
	}
	return image
}

func TestWhoIsLeftOutOfAnObject(t *testing.T) {
	for name, tc := range map[string]struct {
		query  string
		owners int
		want   bool
	}{
		"there is room":      {"golden", MaxOwners - 1, false},
		"there is none":      {"golden", MaxOwners, true},
		"who is on it stays": {"q0", MaxOwners, false},
	} {
		c, image := claimOf(tc.query), ownedBy(tc.owners)
		if got := c.LeftOut(image); got != tc.want {
			t.Errorf("%s: left out: %t", name, got)
		}
		record := toRecord(planned, selection.Scope{Region: "ap-guangzhou"})
		if after := c.ensureMember(image, plannedName, record, imagev1alpha1.QueryMember); after == nil || c.Owns(after) == tc.want {
			t.Errorf("%s: as a member's it becomes %+v", name, after)
		}
		var lacks LeftOut
		if lacks.Note(c.Owner, image); slices.Contains(lacks.Objects, image.Name) != tc.want {
			t.Errorf("%s: it lacks %v", name, lacks.Objects)
		}
	}
}

// If another client removes the owner reference or the label, the image must not leave unconfirmed. A label that others put on a
// query's object makes it no member.
func TestWhatIsAMember(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*imagev1alpha1.CloudImage)
		want   bool
	}{
		"label and owner":    {func(*imagev1alpha1.CloudImage) {}, true},
		"the owner only":     {func(i *imagev1alpha1.CloudImage) { i.Labels = nil }, true},
		"the label only":     {func(i *imagev1alpha1.CloudImage) { i.OwnerReferences = nil }, true},
		"neither":            {func(i *imagev1alpha1.CloudImage) { i.OwnerReferences, i.Labels = nil, nil }, false},
		"a label on others'": {func(i *imagev1alpha1.CloudImage) { i.OwnerReferences = stored("other").OwnerReferences }, false},
		"others' alone":      {func(i *imagev1alpha1.CloudImage) { *i = *stored("other") }, false},
		"in its grace":       {func(i *imagev1alpha1.CloudImage) { *i = *left(i, "golden", 1, imagev1alpha1.RemovedGone) }, false},
		"being deleted":      {func(i *imagev1alpha1.CloudImage) { i.DeletionTimestamp = &metav1.Time{} }, false},
	} {
		image := stored("golden")
		tc.change(image)
		if got := claimOf("golden").IsMember(image); got != tc.want {
			t.Errorf("%s: a member: %t", name, got)
		}
	}
}

func TestWhichQueriesAnObjectNames(t *testing.T) {
	image := left(left(stored("b", "a", "c"), "c", 1, imagev1alpha1.RemovedGone), "a", 1, imagev1alpha1.RemovedGone)
	image.Labels["team"], image.Labels["query.imagecatalog.dev/d"] = "infra", "member"
	image.OwnerReferences = append(image.OwnerReferences, ownedBy(0).OwnerReferences...)
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, QueriesIn(image)); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, slices.Sorted(NamesIn(image))); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for range NamesIn(image) {
		break // must not be asked to go on
	}
	for range NamesIn(&imagev1alpha1.CloudImage{Lifecycle: image.Lifecycle}) {
		break
	}
}
