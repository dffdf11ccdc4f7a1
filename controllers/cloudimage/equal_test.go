// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// full returns an object with a value in every compared field.
func full() *imagev1alpha1.CloudImage {
	at := metav1.Time{Time: catalogtest.Noon}
	return &imagev1alpha1.CloudImage{
		ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"a": "b"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "v", Kind: "k", Name: "n", UID: "u", Controller: new(true), BlockOwnerDeletion: new(true),
			}},
		},
		Image: imagev1alpha1.Image{
			CreatedTime: &at, Tags: []imagev1alpha1.Tag{{Key: "k", Value: "v"}}, Snapshots: []imagev1alpha1.Snapshot{{ID: "snap-1"}},
		},
		Lifecycle: imagev1alpha1.ImageLifecycle{
			FirstSeenTime: at, LastChangeTime: at, DeleteAfter: &at, Leaving: []imagev1alpha1.LeavingQuery{{Query: "q", Since: at, DeleteAfter: at}},
		},
	}
}

func TestAChangeOfAnyFieldIsSeen(t *testing.T) {
	if !sameObject(full(), full()) {
		t.Fatal("equal objects count as different")
	}
	changes := 0
	for _, field := range []string{"Labels", "Annotations", "OwnerReferences", "Image", "Lifecycle"} {
		walk(reflect.ValueOf(full()).Elem().FieldByName(field), nil, func(path []any) {
			changes++
			changed := full()
			change(reflect.ValueOf(changed).Elem().FieldByName(field), path)
			if sameObject(full(), changed) || sameObject(changed, full()) {
				t.Errorf("a change of %s at %v is not seen", field, path)
			}
		})
	}
	if changes < 35 {
		t.Errorf("only %d fields were changed", changes)
	}
}

// walk visits every leaf value by its path of field and item indexes.
func walk(v reflect.Value, path []any, visit func(path []any)) {
	path = slices.Clip(path)
	switch {
	case v.Type() == reflect.TypeFor[metav1.Time]():
		visit(path)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), append(path, i), visit)
		}
	case v.Kind() == reflect.Slice:
		visit(path) // an additional item
		walk(v.Index(0), append(path, "item"), visit)
	case v.Kind() == reflect.Pointer:
		walk(v.Elem(), append(path, "to"), visit)
	default:
		visit(path)
	}
}

// change changes the value at a path.
func change(v reflect.Value, path []any) {
	for _, step := range path {
		switch step := step.(type) {
		case int:
			v = v.Field(step)
		default:
			if v.Kind() == reflect.Slice {
				v = v.Index(0)
			} else {
				v = v.Elem()
			}
		}
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int64, reflect.Int32:
		v.SetInt(v.Int() + 1)
	case reflect.Map:
		v.SetMapIndex(reflect.ValueOf("new"), reflect.ValueOf("new"))
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	case reflect.Struct:
		v.Set(reflect.ValueOf(metav1.Time{Time: catalogtest.Noon.Add(time.Second)}))
	default:
		panic(v.Kind())
	}
}

// Desired objects share unchanged parts with the cache, so they must not be modified in place.
func TestPlansLeaveTheCacheAlone(t *testing.T) {
	changed := planned
	changed.Description = "rebuilt"
	for name, v := range map[string]selection.Decision{
		"kept":    {Members: []catalog.Image{planned}},
		"changed": {Members: []catalog.Image{changed}},
		"leaving": {Leaving: map[string]imagev1alpha1.RemovalReason{planned.ID: imagev1alpha1.RemovedNotMatched}},
	} {
		t.Run(name, func(t *testing.T) {
			c := claimOf("golden")
			c.Peers = map[string]*imagev1alpha1.ImageQuery{"golden": c.Query, "other": nil}
			current := left(stored("golden", "other"), "golden", 1, imagev1alpha1.RemovedNotMatched)
			current.Labels[c.Label()] = "member"
			current.Labels[imagev1alpha1.LabelTagPrefix+"old"] = "x"
			current.Labels["old"] = "x"
			current.Annotations = map[string]string{imagev1alpha1.AnnotationLabelKeys: "old"}
			before := current.DeepCopy()
			p := MakePlan(c, v, map[string]*Entry{plannedName: inCache(current)})
			if p.Empty() {
				t.Error("nothing is planned")
			}
			if diff := cmp.Diff(before, current); diff != "" {
				t.Errorf("the cache's object was changed (-before +after):\n%s", diff)
			}
		})
	}
}
