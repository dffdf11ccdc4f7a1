// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// Otherwise a query that requests such a label would rewrite it at each poll.
func TestFactsHaveLabelsThatNoQueryCanAskFor(t *testing.T) {
	for key := range derivedLabels(stored("golden")) {
		if domain, _, _ := strings.Cut(key, "/"); domain != "imagecatalog.dev" && domain != "kubernetes.io" {
			t.Errorf("spec.cloudImages.labels admits %s", key)
		}
	}
}

func TestLabelValuesAreSanitised(t *testing.T) {
	for in, want := range map[string]string{
		"TencentOS":                      "TencentOS",
		"Rocky Linux":                    "Rocky-Linux",
		"国际站filetruck镜像":                 "filetruck",
		"--x--":                          "x",
		"aZ-09":                          "aZ-09",
		"zA-90":                          "zA-90",
		"":                               "",
		"镜像":                             "",
		strings.Repeat("a", 70):          strings.Repeat("a", 63),
		strings.Repeat("a", 62) + "-bcd": strings.Repeat("a", 62),
	} {
		got := labelValue(in)
		if got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// Not a fuzz target: each worker would start its own control plane.
func TestWhateverIsWrittenBecomesALabelValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.StringMatching(`[-_.a-z镜 ]{0,80}`)).Draw(t, "text")
		if problems := validation.IsValidLabelValue(labelValue(in)); len(problems) > 0 {
			t.Errorf("%q became %q: %v", in, labelValue(in), problems)
		}
	})
}

func TestFactsBecomeLabels(t *testing.T) {
	image := stored("golden")
	for name, tc := range map[string]struct {
		change func(*imagev1alpha1.Image)
		want   map[string]string // of those that the case is about
	}{
		"as it is": {func(*imagev1alpha1.Image) {}, map[string]string{
			"imagecatalog.dev/region": "ap-guangzhou", "imagecatalog.dev/credentials": "", "imagecatalog.dev/image-id": "img-00000001",
			"imagecatalog.dev/type": "PRIVATE_IMAGE", "imagecatalog.dev/platform": "Ubuntu", "imagecatalog.dev/state": "NORMAL",
			"imagecatalog.dev/presence": "Present", "imagecatalog.dev/deprecated": "false", "kubernetes.io/arch": "amd64",
			"kubernetes.io/os": "linux",
		}},
		"deprecated":  {func(i *imagev1alpha1.Image) { i.Deprecated = true }, map[string]string{"imagecatalog.dev/deprecated": "true"}},
		"Windows":     {func(i *imagev1alpha1.Image) { i.Platform = "Windows" }, map[string]string{"kubernetes.io/os": "windows"}},
		"FreeBSD":     {func(i *imagev1alpha1.Image) { i.Platform = "FreeBSD" }, map[string]string{"kubernetes.io/os": "freebsd"}},
		"no platform": {func(i *imagev1alpha1.Image) { i.Platform = "" }, map[string]string{"kubernetes.io/os": ""}},
		"of another's account": {func(i *imagev1alpha1.Image) { i.Credentials = "acct2" },
			map[string]string{"imagecatalog.dev/credentials": "acct2"}},
	} {
		t.Run(name, func(t *testing.T) {
			changed := *image
			tc.change(&changed.Image)
			got := WithDerived(&changed)
			for key, value := range tc.want {
				if there, present := got.Labels[key]; there != value || present != (value != "") {
					t.Errorf("%s is %q, %t, want %q", key, there, present, value)
				}
			}
			if got.Annotations[imagev1alpha1.AnnotationDisplayName] != planned.Name {
				t.Errorf("annotations are %v", got.Annotations)
			}
		})
	}
}

// What is derived takes no memory in the cache, and what somebody changed of it is written anew.
func TestWhatIsDerivedIsNotKept(t *testing.T) {
	for name, tc := range map[string]struct {
		change     func(*imagev1alpha1.CloudImage)
		wantIntact bool
	}{
		"as it was written":     {func(*imagev1alpha1.CloudImage) {}, true},
		"with labels of others": {func(i *imagev1alpha1.CloudImage) { i.Labels["team"], i.Annotations["note"] = "infra", "x" }, true},
		"a label is lost":       {func(i *imagev1alpha1.CloudImage) { delete(i.Labels, imagev1alpha1.LabelState) }, false},
		"a label differs":       {func(i *imagev1alpha1.CloudImage) { i.Labels[imagev1alpha1.LabelState] = "SYNCING" }, false},
		"a label too many":      {func(i *imagev1alpha1.CloudImage) { i.Labels[imagev1alpha1.LabelCredentials] = "" }, false},
		"another title":         {func(i *imagev1alpha1.CloudImage) { i.Annotations[imagev1alpha1.AnnotationDisplayName] = "other" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			image := WithDerived(stored("golden"))
			tc.change(image)
			_, foreign := image.Labels["team"]
			e := NewEntry(image.DeepCopy())
			if e.DerivedIntact != tc.wantIntact {
				t.Errorf("intact is %t", e.DerivedIntact)
			}
			wantLabels, wantAnnotations := map[string]string{"query.imagecatalog.dev/golden": "member"}, map[string]string{}
			if foreign {
				wantLabels["team"], wantAnnotations["note"] = "infra", "x"
			}
			if diff := cmp.Diff(wantLabels, e.Labels) + cmp.Diff(wantAnnotations, e.Annotations); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

// Almost every object is up to date at almost every poll: maps are copied only if something changes.
func TestUnchangedMapsAreNotCopied(t *testing.T) {
	base := map[string]string{"a": "1", "empty": ""}
	for name, tc := range map[string]struct {
		values, want map[string]string
	}{
		"the same":                {map[string]string{"a": "1"}, base},
		"absent, and stays so":    {map[string]string{"b": ""}, base},
		"another value":           {map[string]string{"a": "2"}, map[string]string{"a": "2", "empty": ""}},
		"one more":                {map[string]string{"b": "1"}, map[string]string{"a": "1", "b": "1", "empty": ""}},
		"one less":                {map[string]string{"a": ""}, map[string]string{"empty": ""}},
		"one less, that is empty": {map[string]string{"empty": ""}, map[string]string{"a": "1"}},
	} {
		got := merged(base, tc.values)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if same := reflect.ValueOf(got).Pointer() == reflect.ValueOf(base).Pointer(); same != cmp.Equal(tc.want, base) {
			t.Errorf("%s: it is the same map: %t", name, same)
		}
	}
	if got := merged(nil, map[string]string{"a": "1"}); got["a"] != "1" {
		t.Errorf("into none: %v", got)
	}
}
