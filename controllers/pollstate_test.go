// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// Images without all fields must not be remembered in place of objects.
func TestHalfFactsAreNotRemembered(t *testing.T) {
	q, m := syncedQuery(0), &pollState{}
	planned := catalog.Image{ID: "img-00000001", Name: "node"}
	q.Spec.CloudImages.Policy = imagev1alpha1.CloudImagesNone
	known := catalog.Image{ID: "img-00000002", State: "NORMAL"}
	m.pollFinished(q, &pollResult{
		published: true,
		Decision:  selection.Decision{Members: []catalog.Image{planned, known}, Partial: map[string]bool{planned.ID: true}},
	}, catalogtest.Noon)
	if len(m.members) != 1 || m.members[0].ID != known.ID {
		t.Errorf("remembered are %+v", m.members)
	}
}
