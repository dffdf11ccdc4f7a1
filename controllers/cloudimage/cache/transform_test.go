// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

func TestWhatRepeatsFactsIsMended(t *testing.T) {
	for name, spoil := range map[string]func(*imagev1alpha1.CloudImage){
		"a wrong label":     func(o *imagev1alpha1.CloudImage) { o.Labels[imagev1alpha1.LabelState] = "EVIL" },
		"no label":          func(o *imagev1alpha1.CloudImage) { delete(o.Labels, imagev1alpha1.LabelState) },
		"one label more":    func(o *imagev1alpha1.CloudImage) { o.Labels[imagev1alpha1.LabelCredentials] = "evil" },
		"an empty one more": func(o *imagev1alpha1.CloudImage) { o.Labels[imagev1alpha1.LabelCredentials] = "" },
		"none of them": func(o *imagev1alpha1.CloudImage) {
			maps.DeleteFunc(o.Labels, func(key, _ string) bool { return !strings.HasPrefix(key, imagev1alpha1.LabelQueryPrefix) })
		},
		"a wrong name": func(o *imagev1alpha1.CloudImage) { o.Annotations[imagev1alpha1.AnnotationDisplayName] = "evil" },
		"no name":      func(o *imagev1alpha1.CloudImage) { o.Annotations = nil },
	} {
		t.Run(name, func(t *testing.T) {
			right := cloudimage.WithDerived(stored("golden"))
			spoiled := right.DeepCopy()
			spoil(spoiled)
			for what, v := range map[string]selection.Decision{
				"kept":    {Members: []catalog.Image{planned}},
				"leaving": {Leaving: map[string]imagev1alpha1.RemovalReason{planned.ID: imagev1alpha1.RemovedNotMatched}},
			} {
				c := claimOf("golden")
				p := cloudimage.MakePlan(c, v, map[string]*cloudimage.Entry{plannedName: compacted(t, &interner{}, spoiled)})
				steps := slices.Concat(p.Keep, p.Release)
				if len(steps) != 1 {
					t.Fatalf("%s: %d steps, want one", what, len(steps))
				}
				written := cloudimage.WithDerived(steps[0].Desire(c, steps[0].Current.Object()))
				if !cloudimage.NewEntry(written.DeepCopy()).DerivedIntact {
					t.Errorf("%s: %v and %v are written", what, written.Labels, written.Annotations)
				}
			}
		})
	}
}

// fromWatch returns an object as decoded by a watch, with its own copy of each string.
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

func compacted(t *testing.T, shared *interner, image *imagev1alpha1.CloudImage) *cloudimage.Entry {
	t.Helper()
	got, err := shared.transform(fromWatch(t, image))
	if err != nil {
		t.Fatal(err)
	}
	return got.(*cloudimage.Entry)
}

// The cache omits derived labels. A write restores exactly the stored object.
func TestAnObjectIsWrittenAsItWasRead(t *testing.T) {
	image := left(stored("golden", "other"), "other", 1, imagev1alpha1.RemovedNotMatched)
	image.Image.Tags = []imagev1alpha1.Tag{{Key: "team", Value: "a"}, {Key: "empty"}}
	image.Image.Snapshots = []imagev1alpha1.Snapshot{{ID: "snap-1", DiskUsage: "SYSTEM_DISK", DiskSizeGiB: 50}}
	other := stored("golden")
	other.Name, other.Labels, other.Image.Platform = "not-by-its-id", nil, ""
	for name, image := range map[string]*imagev1alpha1.CloudImage{
		"full": cloudimage.WithDerived(image), "other": cloudimage.WithDerived(other),
	} {
		t.Run(name, func(t *testing.T) {
			want := fromWatch(t, image)
			image = image.DeepCopy()
			image.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "manager"}}
			shared := &interner{}
			cached := compacted(t, shared, image)
			if cached.Labels[imagev1alpha1.LabelState] != "" || !cached.DerivedIntact ||
				cached.Annotations[imagev1alpha1.AnnotationDisplayName] != "" {
				t.Errorf("the cache has %v and %v", cached.Labels, cached.Annotations)
			}
			if again, err := shared.transform(cached); err != nil || again != any(cached) {
				t.Errorf("compacted twice it is another (%v): %+v", err, again)
			}
			if diff := cmp.Diff(want, cloudimage.WithDerived(cached.CloudImage)); diff != "" {
				t.Errorf("-read +written:\n%s", diff)
			}
		})
	}
	gone := toolscache.DeletedFinalStateUnknown{Key: plannedName}
	if got, err := (&interner{}).transform(gone); err != nil || got != any(gone) {
		t.Errorf("what a watch lost became %v, %v", got, err)
	}
}

func TestObjectsInTheCacheShareTheirText(t *testing.T) {
	image := cloudimage.WithDerived(stored("golden"))
	image.Image.Tags = []imagev1alpha1.Tag{{Key: "team", Value: "a"}}
	image.Annotations[imagev1alpha1.AnnotationLabelKeys] = "team"
	shared := &interner{}
	a := compacted(t, shared, image)
	runtime.GC()
	runtime.GC()
	b := compacted(t, shared, image)
	for name, text := range map[string]func(*cloudimage.Entry) string{
		"region":     func(o *cloudimage.Entry) string { return o.Image.Region },
		"platform":   func(o *cloudimage.Entry) string { return o.Image.Platform },
		"tag":        func(o *cloudimage.Entry) string { return o.Image.Tags[0].Value },
		"owner":      func(o *cloudimage.Entry) string { return string(o.OwnerReferences[0].UID) },
		"label":      func(o *cloudimage.Entry) string { return slices.Sorted(maps.Keys(o.Labels))[0] },
		"annotation": func(o *cloudimage.Entry) string { return o.Annotations[imagev1alpha1.AnnotationLabelKeys] },
	} {
		if text(a) == "" || unsafe.StringData(text(a)) != unsafe.StringData(text(b)) {
			t.Errorf("two objects have a %s of their own: %q", name, text(a))
		}
	}
	if reflect.ValueOf(a.Labels).Pointer() != reflect.ValueOf(b.Labels).Pointer() || &a.OwnerReferences[0] != &b.OwnerReferences[0] {
		t.Error("two objects of the same queries have labels and owners of their own")
	}
	other := image.DeepCopy()
	other.Labels[imagev1alpha1.LabelQueryPrefix+"golden"], other.OwnerReferences[0].Controller = "excluded", new(true)
	if c := compacted(t, shared, other); c.Labels[imagev1alpha1.LabelQueryPrefix+"golden"] != "excluded" || c.OwnerReferences[0].Controller == nil {
		t.Errorf("an object has the metadata of another: %+v", c.ObjectMeta)
	}
	if unsafe.StringData(a.Image.ID) != unsafe.StringData(a.Name[len(a.Name)-len(a.Image.ID):]) {
		t.Error("an object has its id more than once")
	}
}

// Metadata of other clients is not cached. That there was some is remembered, so that a write doesn't remove it.
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
			image := cloudimage.WithDerived(stored("golden"))
			image.Labels["asked"], image.Annotations[imagev1alpha1.AnnotationLabelKeys] = "for", "asked"
			want := compacted(t, &interner{}, image)
			if want.Labels["asked"] != "for" || want.Partial {
				t.Fatalf("the object is %+v", want.ObjectMeta)
			}
			tc.change(image)
			got := compacted(t, &interner{}, image)
			if got.Partial != tc.partial {
				t.Errorf("something is missing: %t, want %t", got.Partial, tc.partial)
			}
			if raw, err := json.Marshal(got); err != nil || len(raw) > 5000 {
				t.Errorf("%d bytes are kept (%v)", len(raw), err)
			}
		})
	}
}

// Any client that may write annotations determines the number and length of texts.
func TestSharedTextIsBounded(t *testing.T) {
	shared := &interner{}
	for i := range 3 * maxTexts {
		text := fmt.Sprint("text ", i)
		if shared.share(&text); text != fmt.Sprint("text ", i) {
			t.Fatalf("text %d became %q", i, text)
		}
	}
	for i := range 2*maxTexts + 1 {
		shared.sharedMap(map[string]string{"team": fmt.Sprint(i)})
		shared.sharedOwners([]metav1.OwnerReference{{Name: fmt.Sprint(i)}})
	}
	if len(shared.maps) != 1 || len(shared.owners) != 1 {
		t.Errorf("%d maps and %d lists of owners are known, want 1 each after %d", len(shared.maps), len(shared.owners), 2*maxTexts+1)
	}
	large := map[string]string{"team": strings.Repeat("x", maxSharedBytes)}
	if got := shared.sharedMap(large); !maps.Equal(got, large) || len(shared.maps) != 1 {
		t.Errorf("a large map became %v, and %d are known", got, len(shared.maps))
	}
	long := strings.Repeat("x", maxTextBytes+1)
	shared.share(&long)
	if _, known := shared.known[long]; known || len(shared.known) > maxTexts || len(shared.known) == 0 {
		t.Errorf("%d texts are known, the long one among them: %v", len(shared.known), known)
	}
}
