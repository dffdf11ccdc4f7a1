// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"testing"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

func TestASummaryFitsItsColumn(t *testing.T) {
	for given, want := range map[string]string{
		"node-v1.30.4":                        "node-v1.30.4 (+1)",
		"TencentOS Server 4 for x86_64":       "TencentOS Server 4… (+1)",
		"node-v1.30.4-20260820":               "node-v1.30.4-20260… (+1)",
		"exactly-nineteen-ch":                 "exactly-nineteen-ch (+1)",
		"测试镜像测试镜像测试镜像":                        "测试镜像测试镜像测… (+1)",
		"a测试镜像测试镜像测试镜像":                       "a测试镜像测试镜像… (+1)",
		"🐧-kernel-8-🐧🐧🐧🐧🐧🐧":                   "🐧-kernel-8-🐧🐧🐧… (+1)",
		"n\u0153ud-e\u0301e\u0301-0123456789": "n\u0153ud-e\u0301e\u0301-0123456789 (+1)",
	} {
		t.Run(given, func(t *testing.T) {
			got := summaryOf(slices.Repeat([]imagev1alpha1.SelectedImage{{ImageID: "img-1", Name: given}}, 2))
			if got != want || columns.StringWidth(got) > 24 {
				t.Errorf("got %q, of %d columns, want %q", got, columns.StringWidth(got), want)
			}
		})
	}
	many := slices.Repeat([]imagev1alpha1.SelectedImage{{ImageID: "img-9qabwvbn"}}, 2000)
	if got := summaryOf(many); got != "img-9qabwvbn (+1999)" || summaryOf(many[:1]) != "img-9qabwvbn" {
		t.Errorf("got %q", got)
	}
}
