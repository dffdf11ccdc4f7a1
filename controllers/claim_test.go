// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
)

func TestNoClaimIsMadeWithoutTheTime(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a claim without the time was made")
		}
	}()
	newClaim(syncedQuery(0), time.Time{}, nil)
}

// An annotation of an object may have 256 KiB: 56 queries with 16 long labels each would need more.
func TestQueriesPutAtMostSixtyFourLabelsOnAnObjectTheOldestFirst(t *testing.T) {
	var image *imagev1alpha1.CloudImage
	peers, newest := map[string]*imagev1alpha1.ImageQuery{}, claim{}
	for i := range 56 {
		q := claimOf(fmt.Sprintf("q%02d", 99-i)).query
		q.CreationTimestamp = metav1.NewTime(catalogtest.Noon.Add(time.Duration(i) * time.Minute))
		q.Spec.CloudImages.Labels = map[string]imagev1alpha1.LabelValue{"approved": imagev1alpha1.LabelValue(fmt.Sprint("by-", i))}
		for k := range 15 {
			q.Spec.CloudImages.Labels[fmt.Sprintf("%s.%02d.%02d/k", strings.Repeat("x", 240), i, k)] = "v"
		}
		peers[q.Name] = q
		newest = newClaim(q, catalogtest.Noon, peers)
		image = newest.keep(image, plannedName, toRecord(planned, newest.scope), imagev1alpha1.QueryMember)
	}
	after := carryOut(t, newest, step{name: plannedName, current: inCache(image), desire: claim.tidied})
	asked := 0
	for key := range after.Labels {
		if strings.HasSuffix(key, "/k") || key == "approved" {
			asked++
		}
	}
	if asked != 64 || after.Labels["approved"] != "by-0" || len(after.Annotations[imagev1alpha1.AnnotationLabelKeys]) > 64*318 {
		t.Errorf("%d labels that queries ask for, approved is %q, the annotation has %d bytes", asked, after.Labels["approved"], len(after.Annotations[imagev1alpha1.AnnotationLabelKeys]))
	}
	var lacks leftOut
	lacks.note(newest.holder, after)
	if len(lacks.labels) != 16 || !strings.Contains(leftOutNote(lacks), "approved") {
		t.Errorf("the newest query lacks %d labels: %s", len(lacks.labels), leftOutNote(lacks))
	}
}

// What an annotation says was put there by queries is no reason to take off what is another query's.
func TestLabelsOfQueriesAreNotTakenOffForAnAnnotation(t *testing.T) {
	c, image := claimOf("golden"), stored("golden", "other")
	c.peers = map[string]*imagev1alpha1.ImageQuery{"other": claimOf("other").query}
	image.Annotations = map[string]string{imagev1alpha1.AnnotationLabelKeys: "query.imagecatalog.dev/other,team"}
	image.Labels["team"] = "infra"
	after := c.tidied(image)
	if after.Labels["query.imagecatalog.dev/other"] != imagev1alpha1.QueryMember || after.Labels["team"] != "" {
		t.Errorf("labels are %v", after.Labels)
	}
}

// A namesake has nothing of a query that was deleted before.
func TestANamesakesLabelMakesNoMember(t *testing.T) {
	image := stored("golden", "other")
	namesake := claimOf("other").query
	namesake.UID = "another"
	c := claimOf("golden")
	c.peers = map[string]*imagev1alpha1.ImageQuery{"other": namesake}
	if got := c.members(image); len(got) != 1 || got[0] != "golden" {
		t.Errorf("members are %v", got)
	}
}

func TestUnowned(t *testing.T) {
	ago := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: catalogtest.Noon.Add(-d)} }
	c := claimOf("golden")
	for name, tc := range map[string]struct {
		change       func(*imagev1alpha1.CloudImage)
		want         string // presence
		wantDeletion time.Duration
	}{
		"a member's":                    {change: func(*imagev1alpha1.CloudImage) {}, want: "NotMatched", wantDeletion: 24 * time.Hour},
		"one in its grace period":       {change: func(i *imagev1alpha1.CloudImage) { *i = *left(i, "golden", 1, imagev1alpha1.RemovedGone) }, want: "Gone", wantDeletion: 24 * time.Hour},
		"one that was marked":           {change: func(i *imagev1alpha1.CloudImage) { *i = *unowned(i, catalogtest.Noon.Add(-20*time.Hour)) }, want: "NotMatched", wantDeletion: 4 * time.Hour},
		"one that was marked a day ago": {change: func(i *imagev1alpha1.CloudImage) { *i = *unowned(i, catalogtest.Noon.Add(-24*time.Hour)) }},
		"one that somebody would keep": {change: func(i *imagev1alpha1.CloudImage) {
			*i = *unowned(i, catalogtest.Noon)
			i.Lifecycle.DeleteAfter = ago(-9999 * time.Hour)
		}, want: "NotMatched", wantDeletion: 24 * time.Hour},
		"a member's, due by its lifecycle": {change: func(i *imagev1alpha1.CloudImage) { i.Lifecycle.DeleteAfter = ago(time.Hour) }, want: "NotMatched", wantDeletion: 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			image := stored("golden")
			tc.change(image)
			image.OwnerReferences = nil
			after := carryOut(t, c, step{name: plannedName, current: inCache(image), desire: func(c claim, i *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage { return unowned(i, c.now) }})
			switch {
			case tc.want == "" && after == nil:
				return
			case tc.want == "" || after == nil:
				t.Fatalf("it becomes %+v", after)
			}
			if l := after.Lifecycle; string(l.Presence) != tc.want || len(l.Leaving) > 0 || l.DeleteAfter.Sub(catalogtest.Noon) != tc.wantDeletion || after.Labels[c.label()] != "" {
				t.Errorf("it becomes %+v with labels %v", l, after.Labels)
			}
			if !sameObject(after, unowned(after, catalogtest.Noon)) {
				t.Error("it would be written again")
			}
		})
	}
}

// What is remembered in place of objects are facts, too.
func TestHalfFactsAreNotRemembered(t *testing.T) {
	q, m := syncedQuery(0), &memory{}
	q.Spec.CloudImages.Policy = imagev1alpha1.CloudImagesNone
	known := catalog.Image{ID: "img-00000002", State: "NORMAL"}
	m.ended(q, &outcome{published: true, verdict: verdict{members: []catalog.Image{planned, known}, partial: map[string]bool{planned.ID: true}}}, catalogtest.Noon)
	if len(m.members) != 1 || m.members[0].ID != known.ID {
		t.Errorf("remembered are %+v", m.members)
	}
}

func TestAStoredRecordStaysWhereOnlyStatusTellsOfTheImage(t *testing.T) {
	c := claimOf("golden")
	partial := catalog.Image{ID: planned.ID, Name: planned.Name}
	p := makePlan(c, verdict{members: []catalog.Image{partial}, partial: map[string]bool{planned.ID: true}}, map[string]*entry{plannedName: inCache(stored("other"))})
	if len(p.keep) != 1 {
		t.Fatalf("%d steps", len(p.keep))
	}
	if after := carryOut(t, c, p.keep[0]); !sameFacts(&after.Image, &stored("other").Image) || !c.owns(after) {
		t.Errorf("the record is %+v", after.Image)
	}
}
