// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
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
