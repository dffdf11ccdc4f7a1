// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

func TestWhatRepeatsFactsIsMended(t *testing.T) {
	for name, spoil := range map[string]func(*imagev1alpha1.CloudImage){
		"a wrong label":     func(o *imagev1alpha1.CloudImage) { o.Labels[imagev1alpha1.LabelState] = "EVIL" },
		"no label":          func(o *imagev1alpha1.CloudImage) { delete(o.Labels, imagev1alpha1.LabelState) },
		"one label more":    func(o *imagev1alpha1.CloudImage) { o.Labels[imagev1alpha1.LabelCredentials] = "evil" },
		"an empty one more": func(o *imagev1alpha1.CloudImage) { o.Labels[imagev1alpha1.LabelCredentials] = "" },
		"none of them": func(o *imagev1alpha1.CloudImage) {
			maps.DeleteFunc(o.Labels, func(key, _ string) bool { return hasKey(factLabels(o), key) })
		},
		"a wrong name": func(o *imagev1alpha1.CloudImage) { o.Annotations[imagev1alpha1.AnnotationDisplayName] = "evil" },
		"no name":      func(o *imagev1alpha1.CloudImage) { o.Annotations = nil },
	} {
		t.Run(name, func(t *testing.T) {
			right := withDerived(stored("golden"))
			spoiled := right.DeepCopy()
			spoil(spoiled)
			for what, v := range map[string]verdict{
				"kept":    {members: []catalog.Image{planned}},
				"leaving": {leaving: map[string]imagev1alpha1.RemovalReason{planned.ID: imagev1alpha1.RemovedNotMatched}},
			} {
				c := claimOf("golden")
				p := makePlan(c, v, map[string]*entry{plannedName: compacted(t, &texts{}, spoiled)})
				steps := slices.Concat(p.keep, p.release)
				if len(steps) != 1 {
					t.Fatalf("%s: %d steps, want one", what, len(steps))
				}
				written := withDerived(carryOut(t, c, steps[0]))
				if !hasAll(written.Labels, factLabels(written)) || !hasAll(written.Annotations, factAnnotations(written)) {
					t.Errorf("%s: %v and %v are written", what, written.Labels, written.Annotations)
				}
			}
		})
	}
}

// Whoever could ask for such a label in a query would have it written and taken back at each poll.
func TestFactsHaveLabelsThatNoQueryCanAskFor(t *testing.T) {
	for key := range factLabels(stored("golden")) {
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

// Not a fuzz target: each worker of one would start a control plane of its own.
func TestWhateverIsWrittenBecomesALabelValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.StringMatching(`[-_.a-z镜 ]{0,80}`)).Draw(t, "text")
		if problems := validation.IsValidLabelValue(labelValue(in)); len(problems) > 0 {
			t.Errorf("%q became %q: %v", in, labelValue(in), problems)
		}
	})
}
