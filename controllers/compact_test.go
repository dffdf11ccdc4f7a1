// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
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

func compacted(t *testing.T, shared *texts, image *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	t.Helper()
	got, err := shared.compact(fromWatch(t, image))
	if err != nil {
		t.Fatal(err)
	}
	return got.(*imagev1alpha1.CloudImage)
}

// What the API server has, the cache has without the facts' labels; what is written then is the same again.
func TestAnObjectIsWrittenAsItWasRead(t *testing.T) {
	image := left(stored("golden", "other"), "other", 1, imagev1alpha1.RemovedNotMatched)
	image.Image.Tags = []imagev1alpha1.Tag{{Key: "team", Value: "a"}, {Key: "empty"}}
	image.Image.Snapshots = []imagev1alpha1.Snapshot{{ID: "snap-1", DiskUsage: "SYSTEM_DISK", DiskSizeGiB: 50}}
	other := stored("golden")
	other.Name, other.Labels, other.Image.Platform = "not-by-its-id", nil, ""
	for name, image := range map[string]*imagev1alpha1.CloudImage{"full": withFacts(image), "other": withFacts(other)} {
		t.Run(name, func(t *testing.T) {
			want := fromWatch(t, image)
			image = image.DeepCopy()
			image.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "manager"}}
			shared := &texts{}
			inCache := compacted(t, shared, image)
			if hasKey(inCache.Labels, imagev1alpha1.LabelState) || inCache.Labels[factsMark] != "right" || hasKey(inCache.Annotations, imagev1alpha1.AnnotationDisplayName) {
				t.Errorf("the cache has %v and %v", inCache.Labels, inCache.Annotations)
			}
			again, err := shared.compact(inCache.DeepCopy())
			if diff := cmp.Diff(any(inCache), again); err != nil || diff != "" {
				t.Errorf("compacted twice it is another (%v):\n%s", err, diff)
			}
			if diff := cmp.Diff(want, withFacts(inCache)); diff != "" {
				t.Errorf("-read +written:\n%s", diff)
			}
		})
	}
	gone := toolscache.DeletedFinalStateUnknown{Key: plannedName}
	if got, err := (&texts{}).compact(gone); err != nil || got != any(gone) {
		t.Errorf("what a watch lost became %v, %v", got, err)
	}
}

func TestObjectsInTheCacheShareTheirText(t *testing.T) {
	image := withFacts(stored("golden"))
	image.Image.Tags = []imagev1alpha1.Tag{{Key: "team", Value: "a"}}
	image.Annotations[imagev1alpha1.AnnotationLabelKeys] = "team"
	shared := &texts{}
	a := compacted(t, shared, image)
	runtime.GC()
	runtime.GC()
	b := compacted(t, shared, image)
	for name, text := range map[string]func(*imagev1alpha1.CloudImage) string{
		"region":     func(o *imagev1alpha1.CloudImage) string { return o.Image.Region },
		"platform":   func(o *imagev1alpha1.CloudImage) string { return o.Image.Platform },
		"tag":        func(o *imagev1alpha1.CloudImage) string { return o.Image.Tags[0].Value },
		"owner":      func(o *imagev1alpha1.CloudImage) string { return string(o.OwnerReferences[0].UID) },
		"label":      func(o *imagev1alpha1.CloudImage) string { return slices.Sorted(maps.Keys(o.Labels))[0] },
		"annotation": func(o *imagev1alpha1.CloudImage) string { return o.Annotations[imagev1alpha1.AnnotationLabelKeys] },
	} {
		if text(a) == "" || unsafe.StringData(text(a)) != unsafe.StringData(text(b)) {
			t.Errorf("two objects have a %s of their own: %q", name, text(a))
		}
	}
	if unsafe.StringData(a.Image.ID) != unsafe.StringData(a.Name[len(a.Name)-len(a.Image.ID):]) {
		t.Error("an object has its id more than once")
	}
}

// What others put on an object is not kept; that there was something is, so that it isn't lost.
func TestTheCacheKeepsOfMetadataWhatIsRead(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for name, tc := range map[string]struct {
		change  func(*imagev1alpha1.CloudImage)
		partial bool
	}{
		"nothing more": {func(*imagev1alpha1.CloudImage) {}, false},
		"server-side metadata": {func(o *imagev1alpha1.CloudImage) {
			o.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: long}}
		}, false},
		"an annotation": {func(o *imagev1alpha1.CloudImage) { o.Annotations["note"] = long }, true},
		"a label":       {func(o *imagev1alpha1.CloudImage) { o.Labels["note"] = "x" }, true},
		"an owner": {func(o *imagev1alpha1.CloudImage) {
			o.OwnerReferences = append(o.OwnerReferences, metav1.OwnerReference{Kind: long})
		}, true},
		"a finalizer":      {func(o *imagev1alpha1.CloudImage) { o.Finalizers = []string{long} }, true},
		"a list of labels": {func(o *imagev1alpha1.CloudImage) { o.Annotations[imagev1alpha1.AnnotationLabelKeys] = long }, true},
	} {
		t.Run(name, func(t *testing.T) {
			image := withFacts(stored("golden"))
			image.Labels["asked"], image.Annotations[imagev1alpha1.AnnotationLabelKeys] = "for", "asked"
			want := compacted(t, &texts{}, image)
			if want.Labels["asked"] != "for" || isPartial(want) {
				t.Fatalf("the object is %+v", want.ObjectMeta)
			}
			tc.change(image)
			got := compacted(t, &texts{}, image)
			if isPartial(got) != tc.partial {
				t.Errorf("something is missing: %t, want %t", isPartial(got), tc.partial)
			}
			if raw, err := json.Marshal(got); err != nil || len(raw) > 5000 {
				t.Errorf("%d bytes are kept (%v)", len(raw), err)
			}
			again, err := (&texts{}).compact(got.DeepCopy())
			if diff := cmp.Diff(any(got), again); err != nil || diff != "" {
				t.Errorf("compacted twice it is another (%v):\n%s", err, diff)
			}
		})
	}
}

// Whoever may write annotations decides how many texts there are, and how long.
func TestSharedTextIsBounded(t *testing.T) {
	shared := &texts{}
	for i := range 3 * maxTexts {
		text := fmt.Sprint("text ", i)
		if shared.share(&text); text != fmt.Sprint("text ", i) {
			t.Fatalf("text %d became %q", i, text)
		}
	}
	long := strings.Repeat("x", maxTextBytes+1)
	shared.share(&long)
	if _, known := shared.known[long]; known || len(shared.known) > maxTexts || len(shared.known) == 0 {
		t.Errorf("%d texts are known, the long one among them: %v", len(shared.known), known)
	}
}
