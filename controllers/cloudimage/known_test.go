// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

func TestWhatObjectsShowOfAQuery(t *testing.T) {
	grace := left(stored("golden"), "golden", 1, imagev1alpha1.RemovedGone)
	deleted := grace.DeepCopy()
	deleted.DeletionTimestamp = &metav1.Time{Time: catalogtest.Noon}
	elsewhere := stored("golden")
	elsewhere.Image.Region = "ap-shanghai"
	for name, tc := range map[string]struct {
		image                *imagev1alpha1.CloudImage
		member, grace, known bool
	}{
		"a member":                  {image: stored("golden"), member: true},
		"an image in grace":         {image: grace, grace: true},
		"one that is being deleted": {image: deleted},
		"of another query":          {image: stored("other")},
		"of another region":         {image: elsewhere},
	} {
		t.Run(name, func(t *testing.T) {
			k := KnownOf(claimOf("golden").Owner, map[string]*Entry{plannedName: inCache(tc.image)}, nil)
			_, member := k.Members[planned.ID]
			departed, grace := k.InGrace[planned.ID]
			if member != tc.member || grace != tc.grace || k.WithObject[planned.ID] != (tc.member || tc.grace) {
				t.Errorf("member %t, in grace %t, with an object %t", member, grace, k.WithObject[planned.ID])
			}
			if tc.grace && (departed.Image.ID != planned.ID || departed.Since.IsZero()) {
				t.Errorf("departed: %+v", departed)
			}
		})
	}
}

func TestWhatStatusShowsOfMembers(t *testing.T) {
	owned := stored("golden")
	owned.Image.Creator = "1"
	shown := func(id, creator string, verdict imagev1alpha1.SelectionVerdict) imagev1alpha1.ImageSummary {
		return imagev1alpha1.ImageSummary{ImageID: id, Name: "shown", Type: "PRIVATE_IMAGE", Creator: creator, Selection: verdict}
	}
	untold := shown(planned.ID, "", "NotNewest")
	untold.Type = ""
	remembered := catalog.Image{ID: "img-remembered", Description: "remembered"}
	for name, tc := range map[string]struct {
		shown       imagev1alpha1.ImageSummary
		wantCreator string
		wantPartial bool
		wantHeld    bool
	}{
		"what the object shows":       {shown: shown(planned.ID, "1", "NotNewest"), wantCreator: "1"},
		"another creator published":   {shown: shown(planned.ID, "2", "NotNewest"), wantCreator: "2", wantPartial: true},
		"an older version told none":  {shown: untold, wantCreator: "1"},
		"nothing but status":          {shown: shown("img-other", "3", "NotNewest"), wantCreator: "3", wantPartial: true},
		"what the process remembers":  {shown: shown(remembered.ID, "4", "NotNewest")},
		"it is held back, as we know": {shown: shown(planned.ID, "1", "HeldBack"), wantCreator: "1", wantHeld: true},
	} {
		t.Run(name, func(t *testing.T) {
			c, id := claimOf("golden"), tc.shown.ImageID
			c.Query.Status.ObservedQuery = selection.ObservedQuery(c.Query)
			c.Query.Status.Images = []imagev1alpha1.ImageSummary{tc.shown}
			k := KnownOf(c.Owner, map[string]*Entry{plannedName: inCache(owned)}, []catalog.Image{remembered})
			if got := k.Members[id]; got.ID != id || got.Creator != tc.wantCreator || k.Partial[id] != tc.wantPartial {
				t.Errorf("%+v, partial %t", got, k.Partial[id])
			}
			if k.Verdicts[id] != tc.shown.Selection || k.HeldBack[id] != tc.wantHeld {
				t.Errorf("the verdict is %q, held back %t", k.Verdicts[id], k.HeldBack[id])
			}
			c.Query.Status.ObservedQuery = "of another region"
			k = KnownOf(c.Owner, map[string]*Entry{plannedName: inCache(owned)}, nil)
			if diff := cmp.Diff(map[string]catalog.Image{planned.ID: FromRecord(&owned.Image)}, k.Members); diff != "" || len(k.Verdicts) > 0 {
				t.Errorf("of another scope, status shows %v, and members (-want +got):\n%s", k.Verdicts, diff)
			}
		})
	}
}

func TestMembersThatStatusDoesNotShowAreHeldBack(t *testing.T) {
	other := imagev1alpha1.ImageSummary{ImageID: "img-other", Name: "other", Type: "PRIVATE_IMAGE", Selection: imagev1alpha1.VerdictNotNewest}
	for name, tc := range map[string]struct {
		status imagev1alpha1.ImageQueryStatus
		edited bool
		want   bool
	}{
		"a poll ended before its status": {
			status: imagev1alpha1.ImageQueryStatus{ImageCount: new(int32(1)), Images: []imagev1alpha1.ImageSummary{other}}, want: true,
		},
		"an edit that is not synced took it out of status": {
			status: imagev1alpha1.ImageQueryStatus{ImageCount: new(int32(1)), Images: []imagev1alpha1.ImageSummary{other}}, edited: true,
		},
		"status is cut": {
			status: imagev1alpha1.ImageQueryStatus{
				ImageCount: new(int32(1)), Images: []imagev1alpha1.ImageSummary{other}, ImagesTruncated: new(true),
			},
		},
		"status counts more": {
			status: imagev1alpha1.ImageQueryStatus{ImageCount: new(int32(2)), Images: []imagev1alpha1.ImageSummary{other}},
		},
		"status shows none": {status: imagev1alpha1.ImageQueryStatus{ImageCount: new(int32(0))}},
	} {
		t.Run(name, func(t *testing.T) {
			c := claimOf("golden")
			c.Query.Status = tc.status
			c.Query.Status.ObservedQuery, c.Query.Status.SyncedGeneration = selection.ObservedQuery(c.Query), c.Query.Generation
			if tc.edited {
				c.Query.Generation++
			}
			k := KnownOf(c.Owner, map[string]*Entry{plannedName: inCache(stored("golden"))}, nil)
			if k.HeldBack[planned.ID] != tc.want {
				t.Errorf("held back is %t, want %t", k.HeldBack[planned.ID], tc.want)
			}
		})
	}
}

func TestWhenStatusCannotTellWhatIsHeldBack(t *testing.T) {
	private := imagev1alpha1.ImageSummary{ImageID: "img-1", Type: "PRIVATE_IMAGE"}
	shared := imagev1alpha1.ImageSummary{ImageID: "img-2", Type: "SHARED_IMAGE", Creator: "9"}
	held := private
	held.Selection = imagev1alpha1.VerdictHeldBack
	blocked := []metav1.Condition{{Type: imagev1alpha1.ConditionRemovalBlocked, Status: metav1.ConditionTrue}}
	for name, tc := range map[string]struct {
		images     []imagev1alpha1.ImageSummary
		conditions []metav1.Condition
		whole      bool
		want       bool
	}{
		"nothing is blocked":             {images: []imagev1alpha1.ImageSummary{private}},
		"blocked, and images left out":   {images: []imagev1alpha1.ImageSummary{private}, conditions: blocked, want: true},
		"blocked before an edit":         {images: []imagev1alpha1.ImageSummary{held}, want: true},
		"blocked, and no image left out": {images: []imagev1alpha1.ImageSummary{private}, conditions: blocked, whole: true},
		"untrusted ones are left out":    {images: []imagev1alpha1.ImageSummary{private, shared}, conditions: blocked},
	} {
		c, truncated := claimOf("golden"), !tc.whole
		c.Query.Status = imagev1alpha1.ImageQueryStatus{
			ObservedQuery: selection.ObservedQuery(c.Query), Images: tc.images, ImagesTruncated: &truncated, Conditions: tc.conditions,
		}
		if got := KnownOf(c.Owner, nil, nil).HeldBackUnknown; got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
