// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

func TestNoClaimIsMadeWithoutTheTime(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a claim without the time was made")
		}
	}()
	NewClaim(claimOf("golden").Query, time.Time{}, nil)
}

// An annotation of an object may have 256 KiB: 56 queries with 16 long labels each would need more.
func TestQueriesPutAtMostSixtyFourLabelsOnAnObjectTheOldestFirst(t *testing.T) {
	var image *imagev1alpha1.CloudImage
	peers, newest := map[string]*imagev1alpha1.ImageQuery{}, Claim{}
	for i := range 56 {
		q := claimOf(fmt.Sprintf("q%02d", 99-i)).Query
		q.CreationTimestamp = metav1.NewTime(catalogtest.Noon.Add(time.Duration(i) * time.Minute))
		q.Spec.CloudImages.Labels = map[string]imagev1alpha1.LabelValue{"approved": imagev1alpha1.LabelValue(fmt.Sprint("by-", i))}
		for k := range 15 {
			q.Spec.CloudImages.Labels[fmt.Sprintf("%s.%02d.%02d/k", strings.Repeat("x", 240), i, k)] = "v"
		}
		peers[q.Name] = q
		newest = NewClaim(q, catalogtest.Noon, peers)
		image = newest.ensureMember(image, plannedName, toRecord(planned, newest.Scope), imagev1alpha1.QueryMember)
	}
	after := carryOut(t, newest, Step{Name: plannedName, Current: inCache(image), Desire: Claim.tidied})
	asked := 0
	for key := range after.Labels {
		if strings.HasSuffix(key, "/k") || key == "approved" {
			asked++
		}
	}
	if asked != 64 || after.Labels["approved"] != "by-0" || len(after.Annotations[imagev1alpha1.AnnotationLabelKeys]) > 64*318 {
		t.Errorf("%d labels that queries ask for, approved is %q, the annotation has %d bytes", asked, after.Labels["approved"],
			len(after.Annotations[imagev1alpha1.AnnotationLabelKeys]))
	}
	var lacks LeftOut
	lacks.Note(newest.Owner, after)
	if len(lacks.Labels) != 16 || !lacks.Labels["approved"] {
		t.Errorf("the newest query lacks %d labels: %v", len(lacks.Labels), lacks.Labels)
	}
}

// The annotation with the requested labels must not cause the removal of another query's label.
func TestLabelsOfQueriesAreNotTakenOffForAnAnnotation(t *testing.T) {
	c, image := claimOf("golden"), stored("golden", "other")
	c.Peers = map[string]*imagev1alpha1.ImageQuery{"other": claimOf("other").Query}
	image.Annotations = map[string]string{imagev1alpha1.AnnotationLabelKeys: "query.imagecatalog.dev/other,team"}
	image.Labels["team"] = "infra"
	after := c.tidied(image)
	if after.Labels["query.imagecatalog.dev/other"] != imagev1alpha1.QueryMember || after.Labels["team"] != "" {
		t.Errorf("labels are %v", after.Labels)
	}
}

// A new query of the same name owns nothing of the deleted one.
func TestANamesakesLabelMakesNoMember(t *testing.T) {
	image := stored("golden", "other")
	namesake := claimOf("other").Query
	namesake.UID = "another"
	c := claimOf("golden")
	c.Peers = map[string]*imagev1alpha1.ImageQuery{"other": namesake}
	if got := c.Members(image); len(got) != 1 || got[0] != "golden" {
		t.Errorf("members are %v", got)
	}
}

func TestUnowned(t *testing.T) {
	ago := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: catalogtest.Noon.Add(-d)} }
	c := claimOf("golden")
	for name, tc := range map[string]struct {
		change       func(*imagev1alpha1.CloudImage)
		want         string // the presence; "" if deleted
		wantDeletion time.Duration
	}{
		"a member's": {change: func(*imagev1alpha1.CloudImage) {}, want: "NotMatched", wantDeletion: 24 * time.Hour},
		"one in its grace period": {
			change: func(i *imagev1alpha1.CloudImage) { *i = *left(i, "golden", 1, imagev1alpha1.RemovedGone) },
			want:   "Gone", wantDeletion: 24 * time.Hour,
		},
		"one that was marked": {
			change: func(i *imagev1alpha1.CloudImage) { *i = *Unowned(i, catalogtest.Noon.Add(-20*time.Hour)) },
			want:   "NotMatched", wantDeletion: 4 * time.Hour,
		},
		"one that was marked a day ago": {change: func(i *imagev1alpha1.CloudImage) { *i = *Unowned(i, catalogtest.Noon.Add(-24*time.Hour)) }},
		"one that somebody would keep": {change: func(i *imagev1alpha1.CloudImage) {
			*i = *Unowned(i, catalogtest.Noon)
			i.Lifecycle.DeleteAfter = ago(-9999 * time.Hour)
		}, want: "NotMatched", wantDeletion: 24 * time.Hour},
		"a member's, due by its lifecycle": {
			change: func(i *imagev1alpha1.CloudImage) { i.Lifecycle.DeleteAfter = ago(time.Hour) }, want: "NotMatched",
			wantDeletion: 24 * time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			image := stored("golden")
			tc.change(image)
			image.OwnerReferences = nil
			after := carryOut(t, c, Step{
				Name: plannedName, Current: inCache(image),
				Desire: func(c Claim, i *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage { return Unowned(i, c.time) },
			})
			switch {
			case tc.want == "" && after == nil:
				return
			case tc.want == "" || after == nil:
				t.Fatalf("it becomes %+v", after)
			}
			if l := after.Lifecycle; string(l.Presence) != tc.want || len(l.Leaving) > 0 ||
				l.DeleteAfter.Sub(catalogtest.Noon) != tc.wantDeletion || after.Labels[c.Label()] != "" {
				t.Errorf("it becomes %+v with labels %v", l, after.Labels)
			}
			if !sameObject(after, Unowned(after, catalogtest.Noon)) {
				t.Error("it would be written again")
			}
		})
	}
}

func TestAStoredRecordStaysWhereOnlyStatusTellsOfTheImage(t *testing.T) {
	c := claimOf("golden")
	partial := catalog.Image{ID: planned.ID, Name: planned.Name}
	p := MakePlan(c, selection.Decision{
		Members: []catalog.Image{partial}, Partial: map[string]bool{planned.ID: true},
	}, map[string]*Entry{plannedName: inCache(stored("other"))})
	if len(p.Keep) != 1 {
		t.Fatalf("%d steps", len(p.Keep))
	}
	if after := carryOut(t, c, p.Keep[0]); !sameRecord(&after.Image, &stored("other").Image) || !c.Owns(after) {
		t.Errorf("the record is %+v", after.Image)
	}
}

func TestQueriesThatShareAnImageAgreeOnItsLabels(t *testing.T) {
	labelled := func(name string, labels map[string]imagev1alpha1.LabelValue, tags ...string) *imagev1alpha1.ImageQuery {
		q := claimOf(name).Query
		q.Spec.CloudImages.Labels, q.Spec.CloudImages.LabelTagKeys = labels, tags
		return q
	}
	alpha := labelled("alpha", map[string]imagev1alpha1.LabelValue{"team": "infra"}, "role")
	beta := labelled("beta", map[string]imagev1alpha1.LabelValue{"team": "web", "tier": "gold"}, "rôle")
	peers := map[string]*imagev1alpha1.ImageQuery{"alpha": alpha, "beta": beta}
	image := planned
	image.Tags = []catalog.Tag{{Key: "role", Value: "k8s node"}, {Key: "rôle", Value: "x"}, {Key: "other", Value: "y"}}
	record := toRecord(image, selection.Scope{Region: "ap-guangzhou"})
	as := func(q *imagev1alpha1.ImageQuery) Claim {
		return NewClaim(q, catalogtest.Noon, peers)
	}
	ours := func(image *imagev1alpha1.CloudImage) map[string]string {
		out := map[string]string{}
		for key, value := range image.Labels {
			if key == "team" || key == "tier" || key == "mine" || strings.HasPrefix(key, imagev1alpha1.LabelTagPrefix) {
				out[key] = value
			}
		}
		return out
	}
	want := func(step string, image *imagev1alpha1.CloudImage, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, ours(image)); diff != "" {
			t.Errorf("%s: labels (-want +got):\n%s", step, diff)
		}
	}

	one := as(alpha).ensureMember(nil, plannedName, record, imagev1alpha1.QueryMember)
	one.Labels["mine"] = "stays"
	want("alpha alone", one, map[string]string{"team": "infra", "tag.imagecatalog.dev/role": "k8s-node", "mine": "stays"})
	both := as(beta).ensureMember(one, plannedName, record, imagev1alpha1.QueryMember)
	want("with beta", both, map[string]string{
		"team": "infra", "tier": "gold", "tag.imagecatalog.dev/role": "k8s-node", "tag.imagecatalog.dev/r-le": "x",
		"mine": "stays",
	})
	if got := both.Annotations[imagev1alpha1.AnnotationLabelKeys]; got != "team,tier" {
		t.Errorf("the annotation names %q: labels of tags need none", got)
	}
	if again := as(alpha).ensureMember(both, plannedName, record, imagev1alpha1.QueryMember); !sameObject(both, again) {
		t.Errorf("alpha would write against beta:\n%s", cmp.Diff(both, again))
	}
	alpha.Spec.CloudImages.Labels = nil
	edited := as(alpha).ensureMember(both, plannedName, record, imagev1alpha1.QueryMember)
	want("alpha names none any more", edited, map[string]string{
		"team": "web", "tier": "gold", "tag.imagecatalog.dev/role": "k8s-node", "tag.imagecatalog.dev/r-le": "x",
		"mine": "stays",
	})
	left := departure{reason: imagev1alpha1.RemovedNotMatched}.startGrace(as(beta), edited)
	want("beta has left", left, map[string]string{"tag.imagecatalog.dev/role": "k8s-node", "mine": "stays"})
}

// The object of an image that a query lets go: what the others have of it stays.
func TestWhatALeavingQueryLeaves(t *testing.T) {
	at := func(hours int) *metav1.Time {
		return &metav1.Time{Time: catalogtest.Noon.Add(time.Duration(hours) * time.Hour)}
	}
	labelled := func() *imagev1alpha1.CloudImage {
		image := stored("other")
		image.Labels["query.imagecatalog.dev/golden"] = "member"
		return image
	}
	unowned := stored("golden")
	unowned.OwnerReferences = nil
	for name, tc := range map[string]struct {
		from      departure
		current   *imagev1alpha1.CloudImage
		drop      bool // at once
		owners    string
		leaving   string
		presence  imagev1alpha1.ImagePresence
		delete    *metav1.Time
		unchanged bool
	}{
		"the only one, that matches no more": {
			from: departure{reason: imagev1alpha1.RemovedNotMatched}, current: stored("golden"), owners: "golden", leaving: "golden",
			presence: "NotMatched", delete: at(24),
		},
		"the only one, that is gone": {
			from: departure{gone: true}, current: stored("golden"), owners: "golden", leaving: "golden", presence: "Gone", delete: at(24),
		},
		"the only one, nobody says why": {
			current: stored("golden"), owners: "golden", leaving: "golden", presence: "NotMatched", delete: at(24),
		},
		"without an owner": {
			from: departure{gone: true}, current: unowned, owners: "golden", leaving: "golden", presence: "Gone", delete: at(24),
		},
		"one of two": {
			from: departure{gone: true}, current: stored("golden", "other"), owners: "golden other", leaving: "golden", presence: "Present",
			delete: at(24),
		},
		"the second, after a longer grace period began": {
			from: departure{gone: true}, current: left(stored("golden", "other"), "other", -2, imagev1alpha1.RemovedGone), owners: "golden other",
			leaving: "golden other", presence: "Gone", delete: at(26),
		},
		"the second, before a shorter one ends": {
			from: departure{gone: true}, current: left(stored("golden", "other"), "other", 2, imagev1alpha1.RemovedGone), owners: "golden other",
			leaving: "golden other", presence: "Gone", delete: at(24),
		},
		"the first of the alphabet comes first": {
			from: departure{gone: true}, current: left(stored("golden", "alpha"), "alpha", 2, imagev1alpha1.RemovedGone), owners: "golden alpha",
			leaving: "alpha golden", presence: "Gone", delete: at(24),
		},
		"at once, one of two": {drop: true, current: stored("golden", "other"), owners: "other", presence: "Present"},
		"at once, while the other is in grace": {
			drop: true, current: left(stored("golden", "other"), "other", 2, imagev1alpha1.RemovedGone), owners: "other", leaving: "other",
			presence: "NotMatched", delete: at(22),
		},
		"at once, another's":            {drop: true, current: stored("other"), owners: "other", presence: "Present", unchanged: true},
		"a label on another's object":   {from: departure{gone: true}, current: labelled(), owners: "other", presence: "Present"},
		"at once, a label on another's": {drop: true, current: labelled(), owners: "other", presence: "Present"},
		"what is another's": {from: departure{gone: true}, current: stored("other"), owners: "other", presence: "Present",
			unchanged: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := claimOf("golden")
			desire := tc.from.startGrace
			if tc.drop {
				desire = Claim.dropOwner
			}
			after := carryOut(t, c, Step{Name: plannedName, Current: inCache(tc.current), Desire: desire})
			if after == nil {
				t.Fatal("it is deleted")
			}
			got := objectOf(after)
			if strings.Join(got.owners, " ") != tc.owners || strings.Join(got.leaving, " ") != tc.leaving || got.label != "" ||
				got.presence != tc.presence {
				t.Errorf("it becomes %+v", got)
			}
			if diff := cmp.Diff(tc.delete, after.Lifecycle.DeleteAfter); diff != "" {
				t.Errorf("deleteAfter (-want +got):\n%s", diff)
			}
			if tc.unchanged != (after == tc.current) {
				t.Errorf("it is the same object: %t", after == tc.current)
			}
		})
	}
}

func TestALifecycleChangesWithItsPresence(t *testing.T) {
	c := claimOf("golden")
	c.time = catalogtest.Noon.Add(time.Hour)
	after := departure{gone: true}.startGrace(c, stored("golden"))
	if l := after.Lifecycle; !l.LastChangeTime.Time.Equal(c.time) || !l.FirstSeenTime.Time.Equal(catalogtest.Noon) {
		t.Errorf("lifecycle is %+v", l)
	}
	if l := Unowned(stored("golden"), c.time).Lifecycle; !l.LastChangeTime.Time.Equal(c.time) {
		t.Errorf("without an owner, lifecycle is %+v", l)
	}
}

func TestAMemberAgainIsNotDeleted(t *testing.T) {
	image := left(stored("golden"), "golden", 1, imagev1alpha1.RemovedGone)
	after := claimOf("golden").ensureMember(image, plannedName, toRecord(planned, selection.Scope{Region: "ap-guangzhou"}),
		imagev1alpha1.QueryMember)
	if l := after.Lifecycle; l.Presence != imagev1alpha1.PresencePresent || l.DeleteAfter != nil || len(l.Leaving) > 0 {
		t.Errorf("lifecycle is %+v", l)
	}
}

// Others must not decide how much memory an object takes; the longest annotation of ours is kept.
func TestTheAnnotationOfLabelsIsBounded(t *testing.T) {
	for length, kept := range map[int]bool{maxLabelKeys: true, maxLabelKeys + 1: false} {
		image := stored("golden")
		image.Annotations = map[string]string{imagev1alpha1.AnnotationLabelKeys: strings.Repeat("x", length)}
		if e := NewCompactEntry(image); hasKey(e.Annotations, imagev1alpha1.AnnotationLabelKeys) != kept || e.Partial == kept {
			t.Errorf("%d bytes: kept with %d annotations, partial %t", length, len(e.Annotations), e.Partial)
		}
	}
}

func TestMembersAreInOrder(t *testing.T) {
	if diff := cmp.Diff([]string{"a", "b", "c"}, claimOf("b").Members(stored("c", "a", "b"))); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}
