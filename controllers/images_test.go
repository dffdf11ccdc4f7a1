// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

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
