// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

var planned = catalog.Image{
	ID: "img-00000001", Name: "node", Type: "PRIVATE_IMAGE", State: "NORMAL", Platform: "Ubuntu", Architecture: "amd64",
}

const plannedName = "ap-guangzhou-img-00000001"

// claimOf returns the claim of a query some hours before noon.
func claimOf(name string, hours ...int) cloudimage.Claim {
	query := &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid of " + name)}}
	query.Spec.Region = "ap-guangzhou"
	now := catalogtest.Noon
	for _, h := range hours {
		now = now.Add(-time.Duration(h) * time.Hour)
	}
	return cloudimage.NewClaim(query, now, nil)
}

// stored returns the CloudImage of planned as a member of queries, without derived metadata.
func stored(queries ...string) *imagev1alpha1.CloudImage {
	var image *imagev1alpha1.CloudImage
	existing := map[string]*cloudimage.Entry{}
	for _, name := range queries {
		c := claimOf(name)
		image = cloudimage.MakePlan(c, selection.Decision{Members: []catalog.Image{planned}}, existing).Keep[0].Desire(c, image)
		existing[plannedName] = &cloudimage.Entry{CloudImage: image, DerivedIntact: true}
	}
	return image
}

// left returns a CloudImage that left a query some hours before noon.
func left(image *imagev1alpha1.CloudImage, query string, hours int, reason imagev1alpha1.RemovalReason) *imagev1alpha1.CloudImage {
	c := claimOf(query, hours)
	d := selection.Decision{Leaving: map[string]imagev1alpha1.RemovalReason{planned.ID: reason}}
	return cloudimage.MakePlan(c, d, map[string]*cloudimage.Entry{plannedName: {CloudImage: image, DerivedIntact: true}}).Release[0].Desire(c,
		image)
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
			got, err := queriesIn(&cloudimage.Entry{CloudImage: c.image})
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}
