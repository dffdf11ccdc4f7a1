// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/cloudimagetest"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

var planned = catalog.Image{
	ID: "img-00000001", Name: "node", Type: "PRIVATE_IMAGE", State: "NORMAL", Platform: "Ubuntu", Architecture: "amd64",
}

const plannedName = "ap-guangzhou-img-00000001"

// claimOf returns the claim of a query at noon.
func claimOf(name string) Claim {
	q := &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid of " + name), Generation: 2}}
	q.Spec.Region = "ap-guangzhou"
	return NewClaim(q, catalogtest.Noon, nil)
}

// stored returns the image's CloudImage as a member of queries.
func stored(queries ...string) *imagev1alpha1.CloudImage {
	var image *imagev1alpha1.CloudImage
	for _, name := range queries {
		image = claimOf(name).ensureMember(image, plannedName, toRecord(planned, selection.Scope{Region: "ap-guangzhou"}),
			imagev1alpha1.QueryMember)
	}
	return image
}

// inCache returns the cache entry of an intact object.
func inCache(image *imagev1alpha1.CloudImage) *Entry {
	if image == nil {
		return nil
	}
	return &Entry{CloudImage: image, DerivedIntact: true}
}

// left returns a CloudImage that left a query some hours before noon.
func left(image *imagev1alpha1.CloudImage, query string, hours int, reason imagev1alpha1.RemovalReason) *imagev1alpha1.CloudImage {
	c := claimOf(query)
	c.time = catalogtest.Noon.Add(-time.Duration(hours) * time.Hour)
	return departure{reason: reason}.startGrace(c, image)
}

// step is the part of a plan that has the image's step.
type step string

const (
	none    step = ""
	keep    step = "keep"
	release step = "release"
)

// object is the part of a CloudImage that TestPlan checks.
type object struct {
	owners   []string
	label    string // of the query golden
	presence imagev1alpha1.ImagePresence
	leaving  []string
}

func TestPlan(t *testing.T) {
	changed := planned
	changed.Description = "rebuilt"
	deleting := stored("golden")
	deleting.DeletionTimestamp = &metav1.Time{Time: catalogtest.Noon}
	unlabelled := stored("golden")
	delete(unlabelled.Labels, "query.imagecatalog.dev/golden")
	elsewhere := stored("golden")
	elsewhere.Image.Region = "ap-shanghai"
	full := stored("golden", "other")
	noon := metav1.NewTime(catalogtest.Noon)
	var remembered []string
	for i := range maxLeaving {
		remembered = append(remembered, fmt.Sprintf("q%d", i))
		full.Lifecycle.Leaving = append(full.Lifecycle.Leaving,
			imagev1alpha1.LeavingQuery{Query: remembered[i], Since: noon, DeleteAfter: noon})
	}

	member := []catalog.Image{planned}
	gone := map[string]imagev1alpha1.RemovalReason{planned.ID: imagev1alpha1.RemovedGone}
	notMatched := map[string]imagev1alpha1.RemovalReason{planned.ID: imagev1alpha1.RemovedNotMatched}

	for name, tc := range map[string]struct {
		deleted  string
		spec     func(*imagev1alpha1.ImageQuerySpec)
		members  []catalog.Image
		leaving  map[string]imagev1alpha1.RemovalReason
		selected bool
		blocked  bool
		existing *imagev1alpha1.CloudImage

		wantStep step
		want     *object // after the step; nil if there is no object
	}{
		"a new image is created": {
			members: member, wantStep: keep,
			want: &object{owners: []string{"golden"}, label: "member", presence: "Present"},
		},
		"a selected image says so": {
			members: member, selected: true, existing: stored("golden"), wantStep: keep,
			want: &object{owners: []string{"golden"}, label: "selected", presence: "Present"},
		},
		"an unchanged one is left alone": {members: member, existing: stored("golden")},
		"a changed one is updated": {
			members: []catalog.Image{changed}, existing: stored("golden"), wantStep: keep,
			want: &object{owners: []string{"golden"}, label: "member", presence: "Present"},
		},
		"another query's is shared": {
			members: member, existing: stored("other"), wantStep: keep,
			want: &object{owners: []string{"other", "golden"}, label: "member", presence: "Present"},
		},
		"another query's is none of ours": {existing: stored("other")},
		"what is gone stays for its grace period": {
			leaving: gone, existing: stored("golden"), wantStep: release,
			want: &object{owners: []string{"golden"}, presence: "Gone", leaving: []string{"golden"}},
		},
		"what matches no more stays for it, too": {
			leaving: notMatched, existing: stored("golden"), wantStep: release,
			want: &object{owners: []string{"golden"}, presence: "NotMatched", leaving: []string{"golden"}},
		},
		"without a grace period it goes at once": {leaving: gone, spec: grace(0), existing: stored("golden"), wantStep: release},
		"the label goes at once, another's stays": {
			leaving: notMatched, existing: stored("golden", "other"), wantStep: release,
			want: &object{owners: []string{"golden", "other"}, presence: "Present", leaving: []string{"golden"}},
		},
		"an owner without its label leaves as well": {
			leaving: gone, existing: unlabelled, wantStep: release,
			want: &object{owners: []string{"golden"}, presence: "Gone", leaving: []string{"golden"}},
		},
		"in its grace period nothing is written": {existing: left(stored("golden"), "golden", 1, imagev1alpha1.RemovedGone)},
		"its end deletes": {
			existing: left(stored("golden"), "golden", 24, imagev1alpha1.RemovedGone), wantStep: release,
		},
		"a longer grace period holds at once": {
			spec: grace(48 * time.Hour), existing: left(stored("golden"), "golden", 24, imagev1alpha1.RemovedGone),
			wantStep: release, want: &object{owners: []string{"golden"}, presence: "Gone", leaving: []string{"golden"}},
		},
		"the end lets another's be": {
			existing: left(stored("golden", "other"), "golden", 24, imagev1alpha1.RemovedNotMatched), wantStep: release,
			want: &object{owners: []string{"other"}, presence: "Present"},
		},
		"the last but one that left lets go": {
			existing: left(left(stored("golden", "other"), "other", 1, imagev1alpha1.RemovedGone), "golden", 24, imagev1alpha1.RemovedGone),
			wantStep: release, want: &object{owners: []string{"other"}, presence: "Gone", leaving: []string{"other"}},
		},
		"what is back before the end is as before": {
			members: member, existing: left(stored("golden"), "golden", 1, imagev1alpha1.RemovedGone), wantStep: keep,
			want: &object{owners: []string{"golden"}, label: "member", presence: "Present"},
		},
		"while removals are blocked none is deleted": {blocked: true, existing: left(stored("golden"), "golden", 24, imagev1alpha1.RemovedGone)},
		"what is selected isn't deleted": {
			selected: true, existing: left(stored("golden"), "golden", 24, imagev1alpha1.RemovedNotMatched),
		},
		"a full memory lets go at once": {
			leaving: gone, existing: full, wantStep: release,
			want: &object{owners: []string{"other"}, presence: "Present", leaving: remembered},
		},
		"policy None keeps nothing": {
			members: member, spec: policy(imagev1alpha1.CloudImagesNone), existing: stored("golden"), wantStep: release,
		},
		"policy None waits for no grace period": {
			spec:     policy(imagev1alpha1.CloudImagesNone),
			existing: left(stored("golden"), "golden", 1, imagev1alpha1.RemovedGone), wantStep: release,
		},
		"policy Selected keeps what is selected": {
			members: member, selected: true, spec: policy(imagev1alpha1.CloudImagesSelected),
			existing: stored("golden"), wantStep: keep,
			want: &object{owners: []string{"golden"}, label: "selected", presence: "Present"},
		},
		"policy Selected lets go of the others": {
			members: member, spec: policy(imagev1alpha1.CloudImagesSelected), existing: stored("golden"),
			wantStep: release,
		},
		"policy Selected gives the gone their grace": {
			leaving: gone, spec: policy(imagev1alpha1.CloudImagesSelected), existing: stored("golden"),
			wantStep: release, want: &object{owners: []string{"golden"}, presence: "Gone", leaving: []string{"golden"}},
		},
		"another region's goes without a grace": {existing: elsewhere, wantStep: release},
		"an object on its way out is created anew": {
			members: member, existing: deleting, wantStep: keep,
			want: &object{owners: []string{"golden"}, label: "member", presence: "Present"},
		},
		"an object on its way out needs no release": {existing: deleting},
		"what a deleted query left behind is taken off": {
			deleted: "other", members: member, existing: left(stored("golden", "other"), "other", 1, imagev1alpha1.RemovedGone),
			wantStep: keep, want: &object{owners: []string{"golden", "other"}, label: "member", presence: "Present"},
		},
		"a deleted query's label is taken off": {
			deleted: "other", members: member, existing: stored("golden", "other"), wantStep: keep,
			want: &object{owners: []string{"golden", "other"}, label: "member", presence: "Present"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := claimOf("golden")
			if tc.spec != nil {
				tc.spec(&c.Query.Spec)
			}
			if tc.deleted != "" {
				c.Peers = map[string]*imagev1alpha1.ImageQuery{tc.deleted: nil}
			}
			v := selection.Decision{Members: tc.members, Leaving: tc.leaving}
			if tc.selected {
				v.Selection.Selected = []catalog.Image{planned}
			}
			if tc.blocked {
				v.Blocked = &selection.RemovalBatch{}
			}
			existing := map[string]*Entry{}
			if tc.existing != nil {
				existing[plannedName] = inCache(tc.existing)
			}
			before := tc.existing.DeepCopy()
			p := MakePlan(c, v, existing)

			got, steps := none, append(p.Keep, p.Release...)
			switch {
			case len(p.Keep) == 1 && len(p.Release) == 0:
				got = keep
			case len(p.Keep) == 0 && len(p.Release) == 1:
				got = release
			case len(steps) > 0:
				t.Fatalf("%d steps", len(steps))
			}
			if got != tc.wantStep {
				t.Fatalf("the step is %q, want %q", got, tc.wantStep)
			}
			if diff := cmp.Diff(before, tc.existing); diff != "" {
				t.Errorf("planning changed the cache's object:\n%s", diff)
			}
			if got == none {
				return
			}
			after := carryOut(t, c, steps[0])
			if diff := cmp.Diff(tc.want, objectOf(after), cmp.AllowUnexported(object{})); diff != "" {
				t.Errorf("the object after the step (-want +got):\n%s", diff)
			}
			if again := steps[0].Desire(c, after); after != nil && !sameObject(after, again) {
				t.Errorf("the next pass would write again:\n%s", cmp.Diff(after, again))
			}
		})
	}
}

func grace(d time.Duration) func(*imagev1alpha1.ImageQuerySpec) {
	return func(s *imagev1alpha1.ImageQuerySpec) { s.Removal.GracePeriod = &metav1.Duration{Duration: d} }
}

func policy(p imagev1alpha1.CloudImageScope) func(*imagev1alpha1.ImageQuerySpec) {
	return func(s *imagev1alpha1.ImageQuerySpec) { s.CloudImages.Policy = p }
}

// objectOf returns the checked parts of a CloudImage.
func objectOf(image *imagev1alpha1.CloudImage) *object {
	if image == nil {
		return nil
	}
	out := &object{label: image.Labels["query.imagecatalog.dev/golden"], presence: image.Lifecycle.Presence}
	for _, ref := range image.OwnerReferences {
		out.owners = append(out.owners, ref.Name)
	}
	for _, l := range image.Lifecycle.Leaving {
		out.leaving = append(out.leaving, l.Query)
	}
	return out
}

func TestLifecycleTimesMoveWithFactsOnly(t *testing.T) {
	first := stored("golden")
	later := claimOf("golden")
	later.time = catalogtest.Noon.Add(time.Hour)
	record := toRecord(planned, later.Scope)
	if same := later.ensureMember(first, plannedName, record, imagev1alpha1.QueryMember); !sameObject(first, same) {
		t.Error("an unchanged image was changed")
	}
	record.State = "SYNCING"
	moved := later.ensureMember(first, plannedName, record, imagev1alpha1.QueryMember)
	if !moved.Lifecycle.FirstSeenTime.Time.Equal(catalogtest.Noon) ||
		!moved.Lifecycle.LastChangeTime.Time.Equal(catalogtest.Noon.Add(time.Hour)) {
		t.Errorf("lifecycle is %+v", moved.Lifecycle)
	}
	if WithDerived(moved).Labels[imagev1alpha1.LabelState] != "SYNCING" {
		t.Errorf("labels are %v", moved.Labels)
	}
}

// carryOut executes a step and validates its result against the schema.
func carryOut(t *testing.T, c Claim, s Step) *imagev1alpha1.CloudImage {
	t.Helper()
	after := s.Desire(c, s.Current.Object())
	if after == nil {
		return nil
	}
	if err := cloudimagetest.Validate(WithDerived(after)); err != nil {
		t.Fatalf("the API server would refuse what is made of %s: %v", s.Name, err)
	}
	return after
}

// storedAs returns a CloudImage of another image.
func storedAs(id string, queries ...string) *imagev1alpha1.CloudImage {
	image := stored(queries...)
	image.Name, image.Image.ID = "ap-guangzhou-"+id, id
	return image
}

func entries(images ...*imagev1alpha1.CloudImage) map[string]*Entry {
	out := map[string]*Entry{}
	for _, image := range images {
		out[image.Name] = inCache(image)
	}
	return out
}

func namesOf(steps []Step) string {
	var names []string
	for _, s := range steps {
		names = append(names, strings.TrimPrefix(s.Name, "ap-guangzhou-"))
	}
	return strings.Join(names, " ")
}

func TestStepsAreInOrder(t *testing.T) {
	var members []catalog.Image
	leaving, existing := map[string]imagev1alpha1.RemovalReason{}, map[string]*Entry{}
	for _, letter := range "hgfedcba" {
		member := planned
		member.ID = "img-" + string(letter)
		members = append(members, member)
		maps.Copy(existing, entries(storedAs("img-old-"+string(letter), "golden")))
		leaving["img-old-"+string(letter)] = imagev1alpha1.RemovedGone
	}
	const order = "img-a img-b img-c img-d img-e img-f img-g img-h"
	p := MakePlan(claimOf("golden"), selection.Decision{Members: members, Leaving: leaving}, existing)
	if got := namesOf(p.Keep); got != order {
		t.Errorf("kept are %s", got)
	}
	if got := namesOf(p.Release); got != strings.ReplaceAll(order, "img-", "img-old-") {
		t.Errorf("released are %s", got)
	}
	if p.Empty() || !(Plan{}).Empty() || (Plan{Keep: p.Keep}).Empty() || (Plan{Release: p.Release}).Empty() || (Plan{Keep: p.Keep,
		Release: p.Release}).Empty() {
		t.Error("a plan with steps is empty, or one without has some")
	}
}

// status.removing is in the order of deletion, and has a reason for each.
func TestWhatIsBeingRemoved(t *testing.T) {
	grace := func(id string, hours int, reason imagev1alpha1.RemovalReason) *imagev1alpha1.CloudImage {
		return left(storedAs(id, "golden"), "golden", hours, reason)
	}
	deleting := grace("img-deleting", 2, imagev1alpha1.RemovedGone)
	deleting.DeletionTimestamp = &metav1.Time{Time: catalogtest.Noon}
	elsewhere := grace("img-elsewhere", 2, imagev1alpha1.RemovedGone)
	elsewhere.Image.Region = "ap-shanghai"
	c := claimOf("golden")
	c.Query.Status.Removing = []imagev1alpha1.RemovingImage{{ImageID: "img-c", Reason: imagev1alpha1.RemovedNotMatched}, {ImageID: "img-z",
		Reason: "Gone"}}
	p := MakePlan(c, selection.Decision{
		Leaving: map[string]imagev1alpha1.RemovalReason{"img-now": imagev1alpha1.RemovedNotMatched},
		Gone:    map[string]bool{"img-found-gone": true},
	}, entries(storedAs("img-now", "golden"), storedAs("img-found-gone", "golden"), grace("img-c", 3, imagev1alpha1.RemovedGone),
		grace("img-b", 2, imagev1alpha1.RemovedGone), grace("img-a", 2, imagev1alpha1.RemovedNotMatched), deleting, elsewhere,
		storedAs("img-other", "other")))
	var got []string
	for _, r := range p.Removing {
		got = append(got, fmt.Sprintf("%s %s %s", r.ImageID, r.Reason, r.DeleteAfter.Sub(catalogtest.Noon)))
	}
	want := []string{
		"img-c NotMatched 21h0m0s", "img-a NotMatched 22h0m0s", "img-b Gone 22h0m0s", "img-found-gone Gone 24h0m0s", "img-now NotMatched 24h0m0s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("removing (-want +got):\n%s", diff)
	}
}

// Before a poll has answered an edit, labels follow what status selects and what the edit rules out.
func TestLabelsFollowAnEdit(t *testing.T) {
	selected, wasSelected, excluded := storedAs("img-a", "golden"), storedAs("img-b", "golden", "other"), storedAs("img-c", "golden", "other")
	wasSelected.Labels["query.imagecatalog.dev/golden"] = imagev1alpha1.QuerySelected
	elsewhere := storedAs("img-d", "golden")
	elsewhere.Image.Region = "ap-shanghai"
	grace := left(storedAs("img-e", "golden"), "golden", 1, imagev1alpha1.RemovedGone)
	c := claimOf("golden")
	c.Query.Status.Selected = []imagev1alpha1.SelectedImage{{ImageID: "img-a"}, {ImageID: "img-d"}, {ImageID: "img-e"}, {ImageID: "img-f"}}
	c.Query.Spec.Match.ExcludeImageIDs = []imagev1alpha1.ImageID{"img-c", "img-h"}
	steps := c.LabelPlan(entries(elsewhere, grace, excluded, wasSelected, selected, storedAs("img-f", "other"), storedAs("img-g", "golden"),
		storedAs("img-h", "golden")))
	if got := namesOf(steps); got != "img-a img-b img-c img-h" {
		t.Fatalf("steps for %s", got)
	}
	if got := steps[3].Desire(c, steps[3].Current.Object()).Lifecycle.Presence; got != imagev1alpha1.PresenceNotMatched {
		t.Errorf("what nobody has as a member any more is %s", got)
	}
	for i, want := range []string{imagev1alpha1.QuerySelected, imagev1alpha1.QueryMember, "", ""} {
		after := steps[i].Desire(c, steps[i].Current.Object())
		if got := after.Labels["query.imagecatalog.dev/golden"]; got != want || !c.Owns(after) {
			t.Errorf("%s has the label %q, want %q", after.Name, got, want)
		}
		if others := steps[i].Desire(c, stored("other")); others.Labels["query.imagecatalog.dev/golden"] != "" {
			t.Errorf("what is no member any more gets the label: %v", others.Labels)
		}
		if steps[i].Desire(c, nil) != nil {
			t.Error("an object that is gone would come back")
		}
	}
}

// The garbage collector deletes what only the deleted query owned.
func TestADeletedQueryIsForgotten(t *testing.T) {
	c := claimOf("golden")
	c.Peers = map[string]*imagev1alpha1.ImageQuery{"golden": nil, "other": claimOf("other").Query}
	foreign := storedAs("img-foreign", "golden")
	foreign.OwnerReferences = append(foreign.OwnerReferences, metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "other"})
	var shared []*imagev1alpha1.CloudImage
	for _, letter := range "hgfedcba" {
		shared = append(shared, storedAs("img-"+string(letter), "golden", "other"))
	}
	steps := c.ForgetPlan(entries(append(shared, storedAs("img-alone", "golden"), foreign, storedAs("img-peers", "other"))...))
	if got := namesOf(steps); got != "img-a img-b img-c img-d img-e img-f img-g img-h" {
		t.Fatalf("steps for %s", got)
	}
	if after := steps[0].Desire(c, shared[7]); after.Labels["query.imagecatalog.dev/golden"] != "" ||
		after.Labels["query.imagecatalog.dev/other"] == "" {
		t.Errorf("labels are %v", after.Labels)
	}
}

// What a query lacks on an object that needs no step is noted, too.
func TestAPlanNotesWhatIsLeftOut(t *testing.T) {
	p := MakePlan(claimOf("golden"), selection.Decision{Members: []catalog.Image{planned}}, entries(ownedBy(MaxOwners)))
	if len(p.Keep) > 0 || len(p.LeftOut.Objects) != 1 {
		t.Errorf("%d steps, left out: %v", len(p.Keep), p.LeftOut.Objects)
	}
	p = MakePlan(claimOf("q0"), selection.Decision{Members: []catalog.Image{planned}}, nil)
	if len(p.Keep) != 1 || len(p.LeftOut.Objects) > 0 {
		t.Errorf("%d steps, left out: %v", len(p.Keep), p.LeftOut.Objects)
	}
}
