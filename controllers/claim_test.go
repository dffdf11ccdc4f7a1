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
		q.CreationTimestamp = metav1.NewTime(noon.Add(time.Duration(i) * time.Minute))
		q.Spec.CloudImages.Labels = map[string]imagev1alpha1.LabelValue{"approved": imagev1alpha1.LabelValue(fmt.Sprint("by-", i))}
		for k := range 15 {
			q.Spec.CloudImages.Labels[fmt.Sprintf("%s.%02d.%02d/k", strings.Repeat("x", 240), i, k)] = "v"
		}
		peers[q.Name] = q
		newest = newClaim(q, noon, peers)
		image = newest.keep(image, plannedName, toRecord(planned, newest.scope), imagev1alpha1.QueryMember)
	}
	after := carryOut(t, newest, step{name: plannedName, current: image, desire: claim.tidied})
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
	if len(lacks.labels) != 16 || !strings.Contains(lacks.message(), "approved") {
		t.Errorf("the newest query lacks %d labels: %s", len(lacks.labels), lacks.message())
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

// What is remembered in place of objects are facts, too.
func TestHalfFactsAreNotRemembered(t *testing.T) {
	q, m := syncedQuery(0), &memory{}
	q.Spec.CloudImages.Policy = imagev1alpha1.CloudImagesNone
	known := catalog.Image{ID: "img-00000002", State: "NORMAL"}
	m.ended(q, &outcome{published: true, verdict: verdict{members: []catalog.Image{planned, known}, partial: map[string]bool{planned.ID: true}}}, noon)
	if len(m.members) != 1 || m.members[0].ID != known.ID {
		t.Errorf("remembered are %+v", m.members)
	}
}

func TestAStoredRecordStaysWhereOnlyStatusTellsOfTheImage(t *testing.T) {
	c := claimOf("golden")
	partial := catalog.Image{ID: planned.ID, Name: planned.Name}
	p := c.makePlan(verdict{members: []catalog.Image{partial}, partial: map[string]bool{planned.ID: true}}, map[string]*imagev1alpha1.CloudImage{plannedName: stored("other")})
	if len(p.keep) != 1 {
		t.Fatalf("%d steps", len(p.keep))
	}
	if after := carryOut(t, c, p.keep[0]); !sameFacts(&after.Image, &stored("other").Image) || !c.owns(after) {
		t.Errorf("the record is %+v", after.Image)
	}
}
