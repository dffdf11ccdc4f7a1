// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

var planned = catalog.Image{ID: "img-00000001", Name: "node", Type: "PRIVATE_IMAGE", State: "NORMAL", Platform: "Ubuntu", Architecture: "amd64"}

const plannedName = "ap-guangzhou-img-00000001"

// claimOf is the claim of a query with this name, at noon.
func claimOf(name string) claim {
	q := syncedQuery(0)
	q.Name, q.UID = name, types.UID("uid of "+name)
	q.Spec.Region = "ap-guangzhou"
	return claim{query: q, scope: scopeOf(q), now: noon}
}

// stored is the image's CloudImage as these queries have it.
func stored(queries ...string) *imagev1alpha1.CloudImage {
	var image *imagev1alpha1.CloudImage
	for _, name := range queries {
		image = claimOf(name).keep(image, plannedName, toRecord(planned, scope{region: "ap-guangzhou"}))
	}
	return image
}

func TestPlan(t *testing.T) {
	changed := planned
	changed.Description = "rebuilt"
	deleting := stored("golden")
	deleting.DeletionTimestamp = &metav1.Time{Time: noon}
	unlabelled := stored("golden")
	delete(unlabelled.Labels, "query.imagecatalog.dev/golden")

	for name, tc := range map[string]struct {
		deleted  map[string]bool
		members  []catalog.Image
		existing *imagev1alpha1.CloudImage

		wantStep   string   // keep, release or nothing
		wantObject bool     // what is there afterwards, if there is a step
		wantOwners []string // and who owns it
	}{
		"a new image is created":                    {members: []catalog.Image{planned}, wantStep: "keep", wantObject: true, wantOwners: []string{"golden"}},
		"an unchanged one is left alone":            {members: []catalog.Image{planned}, existing: stored("golden")},
		"a changed one is updated":                  {members: []catalog.Image{changed}, existing: stored("golden"), wantStep: "keep", wantObject: true, wantOwners: []string{"golden"}},
		"another query's is shared":                 {members: []catalog.Image{planned}, existing: stored("other"), wantStep: "keep", wantObject: true, wantOwners: []string{"other", "golden"}},
		"the last owner deletes":                    {existing: stored("golden"), wantStep: "release"},
		"one of two owners lets go":                 {existing: stored("golden", "other"), wantStep: "release", wantObject: true, wantOwners: []string{"other"}},
		"another query's is none of ours":           {existing: stored("other")},
		"an owner without its label lets go":        {existing: unlabelled, wantStep: "release"},
		"an object on its way out is created anew":  {members: []catalog.Image{planned}, existing: deleting, wantStep: "keep", wantObject: true, wantOwners: []string{"golden"}},
		"an object on its way out needs no release": {existing: deleting},
		"a deleted query's label is taken off":      {deleted: map[string]bool{"other": true}, members: []catalog.Image{planned}, existing: stored("golden", "other"), wantStep: "keep", wantObject: true, wantOwners: []string{"golden", "other"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := claimOf("golden")
			c.deleted = tc.deleted
			existing := map[string]*imagev1alpha1.CloudImage{}
			if tc.existing != nil {
				existing[plannedName] = tc.existing
			}
			before := tc.existing.DeepCopy()
			p := c.makePlan(tc.members, existing)

			got, steps := "", append(p.keep, p.release...)
			switch {
			case len(p.keep) == 1 && len(p.release) == 0:
				got = "keep"
			case len(p.keep) == 0 && len(p.release) == 1:
				got = "release"
			case len(steps) > 0:
				t.Fatalf("%d steps", len(steps))
			}
			if got != tc.wantStep {
				t.Fatalf("the step is %q, want %q", got, tc.wantStep)
			}
			if diff := cmp.Diff(before, tc.existing); diff != "" {
				t.Errorf("planning changed the cache's object:\n%s", diff)
			}
			if got == "" {
				return
			}
			after := steps[0].desire(steps[0].current)
			if (after != nil) != tc.wantObject {
				t.Fatalf("afterwards there is %v", after)
			}
			if after == nil {
				return
			}
			var owners []string
			for _, ref := range after.OwnerReferences {
				owners = append(owners, ref.Name)
			}
			if diff := cmp.Diff(tc.wantOwners, owners); diff != "" {
				t.Errorf("owners (-want +got):\n%s", diff)
			}
			for name := range tc.deleted {
				if _, there := after.Labels["query.imagecatalog.dev/"+name]; there {
					t.Errorf("the label of %s is still there", name)
				}
			}
		})
	}
}

func TestLifecycleTimesMoveWithFactsOnly(t *testing.T) {
	first := stored("golden")
	later := claimOf("golden")
	later.now = noon.Add(time.Hour)
	record := toRecord(planned, later.scope)
	if same := later.keep(first, plannedName, record); !sameObject(first, same) {
		t.Error("an unchanged image was changed")
	}
	record.State = "SYNCING"
	moved := later.keep(first, plannedName, record)
	if !moved.Lifecycle.FirstSeenTime.Time.Equal(noon) || !moved.Lifecycle.LastChangeTime.Time.Equal(noon.Add(time.Hour)) {
		t.Errorf("lifecycle is %+v", moved.Lifecycle)
	}
	if moved.Labels[imagev1alpha1.LabelState] != "SYNCING" {
		t.Errorf("labels are %v", moved.Labels)
	}
}
