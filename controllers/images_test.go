// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"slices"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// fromWatch is an object as a watch brings it: all text is its own.
func fromWatch(t *testing.T, image *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	t.Helper()
	raw, err := json.Marshal(image)
	if err != nil {
		t.Fatal(err)
	}
	out := &imagev1alpha1.CloudImage{}
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func compacted(t *testing.T, image *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	t.Helper()
	got, err := compact(fromWatch(t, image))
	if err != nil {
		t.Fatal(err)
	}
	return got.(*imagev1alpha1.CloudImage)
}

func TestTheCacheChangesNothingThatIsCompared(t *testing.T) {
	image := left(stored("golden", "other"), "other", 1, imagev1alpha1.RemovedNotMatched)
	image.Image.Tags = []imagev1alpha1.Tag{{Key: "team", Value: "a"}, {Key: "empty"}}
	image.Image.Snapshots = []imagev1alpha1.Snapshot{{ID: "snap-1", DiskUsage: "SYSTEM_DISK", DiskSizeGiB: 50}}
	image.Annotations["note"] = "somebody's"
	other := stored("golden")
	other.Name, other.Labels, other.Annotations = "not-by-its-id", nil, nil
	for name, image := range map[string]*imagev1alpha1.CloudImage{"full": image, "other": other, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			want := fromWatch(t, image)
			image = image.DeepCopy()
			image.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "manager"}}
			if diff := cmp.Diff(want, compacted(t, image)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	gone := toolscache.DeletedFinalStateUnknown{Key: plannedName}
	if got, err := compact(gone); err != nil || got != any(gone) {
		t.Errorf("what a watch lost became %v, %v", got, err)
	}
}

func TestObjectsInTheCacheShareTheirText(t *testing.T) {
	image := stored("golden")
	image.Image.Tags = []imagev1alpha1.Tag{{Key: "team", Value: "a"}}
	a, b := compacted(t, image), compacted(t, image)
	label := func(o *imagev1alpha1.CloudImage, key string) string { return o.Labels[key] }
	for name, text := range map[string]func(*imagev1alpha1.CloudImage) string{
		"region":   func(o *imagev1alpha1.CloudImage) string { return o.Image.Region },
		"platform": func(o *imagev1alpha1.CloudImage) string { return o.Image.Platform },
		"tag":      func(o *imagev1alpha1.CloudImage) string { return o.Image.Tags[0].Value },
		"owner":    func(o *imagev1alpha1.CloudImage) string { return string(o.OwnerReferences[0].UID) },
		"label":    func(o *imagev1alpha1.CloudImage) string { return label(o, imagev1alpha1.LabelType) },
		"label key": func(o *imagev1alpha1.CloudImage) string {
			for key := range o.Labels {
				if key == imagev1alpha1.LabelType {
					return key
				}
			}
			return ""
		},
	} {
		if text(a) == "" || unsafe.StringData(text(a)) != unsafe.StringData(text(b)) {
			t.Errorf("two objects have a %s of their own: %q", name, text(a))
		}
	}
	id := label(a, imagev1alpha1.LabelImageID)
	if unsafe.StringData(id) != unsafe.StringData(a.Image.ID) || unsafe.StringData(a.Image.ID) != unsafe.StringData(a.Name[len(a.Name)-len(a.Image.ID):]) {
		t.Error("an object has its id more than once")
	}
	if name := a.Annotations[imagev1alpha1.AnnotationDisplayName]; name != a.Image.Name || unsafe.StringData(name) != unsafe.StringData(a.Image.Name) {
		t.Error("an object has the image's name more than once")
	}
}

func TestObjectsAreFiledUnderTheirQueries(t *testing.T) {
	unlabelled := stored("golden")
	delete(unlabelled.Labels, imagev1alpha1.LabelQueryPrefix+"golden")
	unowned := stored("golden")
	unowned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "other"}}
	forgotten := left(stored("golden", "other"), "other", 1, imagev1alpha1.RemovedNotMatched)
	forgotten.OwnerReferences = forgotten.OwnerReferences[:1]
	for name, c := range map[string]struct {
		image *imagev1alpha1.CloudImage
		want  []string
	}{
		"by label and owner":   {stored("other", "golden"), []string{"golden", "other"}},
		"by owner alone":       {unlabelled, []string{"golden"}},
		"by label alone":       {unowned, []string{"golden"}},
		"by what it remembers": {forgotten, []string{"golden", "other"}},
		"nobody's":             {&imagev1alpha1.CloudImage{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := queriesIn(c.image)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}
