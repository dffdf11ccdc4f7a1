// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// remembered returns a query at noon with the members and the selection (by name) of its last poll.
func remembered(members []catalog.Image, selected ...string) (*imagev1alpha1.ImageQuery, selection.Known) {
	q := syncedQuery(0)
	q.Spec.Region = "ap-guangzhou"
	q.Status.ObservedQuery = selection.ObservedQuery(q)
	k := selection.Known{
		Members: selection.ByID(members), Partial: map[string]bool{}, InGrace: map[string]selection.Departed{},
		Verdicts: map[string]imagev1alpha1.SelectionVerdict{}, HeldBack: map[string]bool{},
	}
	for _, image := range members {
		if slices.Contains(selected, image.Name) {
			q.Status.Selected = append(q.Status.Selected,
				imagev1alpha1.SelectedImage{ImageID: image.ID, Name: image.Name, Architecture: image.Architecture})
		}
	}
	q.Status.SelectedHistory = []imagev1alpha1.SelectionRecord{{
		Images: recorded(q.Status.Selected), SelectedTime: metav1.Time{Time: catalogtest.Noon},
		Reason: imagev1alpha1.SelectedFirst,
	}}
	return q, k
}

// Rule 3: the cloud alone never empties or endangers what is selected.
func TestWhatTheCloudDoesToTheSelection(t *testing.T) {
	a, b, c := catalogtest.Image("a", 1), catalogtest.Image("b", 2), catalogtest.Image("c", 3)
	known := []catalog.Image{a, b, c}
	changed := func(image catalog.Image, words ...string) catalog.Image {
		return catalogtest.Image(image.Name, int(catalogtest.Noon.Sub(image.CreatedTime).Hours()), words...)
	}
	squatter := catalogtest.Image("z", 0, "shared")
	squatter.Name = "a"

	for name, tc := range map[string]struct {
		known     []catalog.Image
		edit      func(*imagev1alpha1.ImageQuery)
		listed    []catalog.Image
		missing   map[string]imagev1alpha1.RemovalReason
		there     []catalog.Image
		gone      []string
		unlabeled bool // the selected image has not been a member since an earlier poll

		want        string // names
		wantMembers string
		wantBlocked bool
		wantReason  imagev1alpha1.SelectionReason
		wantNote    string
		wantKept    string // the reason in the condition Selected
	}{
		"it is there as before": {listed: known, want: "a", wantMembers: "a b c"},
		"a new image replaces it": {
			listed: append([]catalog.Image{catalogtest.Image("new", 0)}, known...), want: "new",
			wantMembers: "new a b c", wantReason: imagev1alpha1.SelectedNewImage,
		},
		"it is SYNCING": {
			listed: []catalog.Image{changed(a, "SYNCING"), b, c}, want: "a", wantMembers: "a b c",
			wantKept: "the state is SYNCING, and no newer image of the group qualifies",
		},
		"it is deprecated": {
			listed: []catalog.Image{changed(a, "deprecated"), b, c}, want: "b", wantMembers: "a b c",
			wantReason: imagev1alpha1.SelectedDeprecated,
		},
		"all are deprecated": {
			listed: []catalog.Image{changed(a, "deprecated"), changed(b, "deprecated"), changed(c, "deprecated")},
			want:   "a", wantMembers: "a b c",
		},
		"it is gone": {
			listed: []catalog.Image{b, c}, missing: reasonsFor("Gone", a), gone: []string{a.ID}, want: "b",
			wantMembers: "b c", wantReason: imagev1alpha1.SelectedGone,
		},
		"it matches no more": {
			listed: []catalog.Image{b, c}, missing: reasonsFor("NotMatched", a), there: []catalog.Image{a}, want: "b",
			wantMembers: "b c", wantReason: imagev1alpha1.SelectedNotMatched,
		},
		"none is NORMAL any more": {
			listed: []catalog.Image{changed(a, "SYNCING"), changed(b, "SYNCING"), changed(c, "SYNCING")}, want: "a",
			wantMembers: "a b c", wantKept: "the state is SYNCING, and no newer",
		},
		"it matches no more, and no other is fit": {
			listed:  []catalog.Image{changed(b, "SYNCING"), changed(c, "CREATING")},
			missing: reasonsFor("NotMatched", a), there: []catalog.Image{a}, want: "a", wantMembers: "b c",
			wantKept: "no longer matching, and no other image of the group qualifies",
		},
		"it left before, and no other is fit": {
			known: []catalog.Image{b}, listed: []catalog.Image{changed(b, "SYNCING")}, there: []catalog.Image{a},
			want: "a", wantMembers: "b", unlabeled: true, wantKept: "no longer matching, and no other",
		},
		"it left before and is gone now": {
			known: []catalog.Image{b}, listed: []catalog.Image{changed(b, "SYNCING")}, gone: []string{a.ID}, want: "",
			wantMembers: "b", unlabeled: true, wantNote: "o member qualifies to be selected: 1 NotNormal",
		},
		"all are gone: blocked": {
			missing: reasonsFor("Gone", known...), gone: []string{a.ID, b.ID, c.ID}, want: "a", wantMembers: "a b c",
			wantBlocked: true, wantNote: "would leave",
			wantKept: "no longer visible to these credentials, and the removal waits for approval",
		},
		"another account's images instead: blocked": {
			listed: []catalog.Image{catalogtest.Image("foreign", 0)}, missing: reasonsFor("Gone", known...),
			gone: []string{a.ID, b.ID, c.ID}, want: "a", wantMembers: "foreign a b c", wantBlocked: true,
			wantNote: "no new image is selected", wantKept: "no longer visible to these credentials, and the removal waits",
		},
		"a stranger shares an image of its name": {listed: append([]catalog.Image{squatter}, known...), want: "a", wantMembers: "a a b c"},
		"the cloud contradicts itself": {
			listed: []catalog.Image{b, c}, missing: reasonsFor("", a), want: "a", wantMembers: "a b c",
			wantKept: "contradict each other",
		},

		"an edit excludes it": {
			edit: excluding(a), listed: []catalog.Image{b, c}, missing: reasonsFor("NotMatched", a),
			there: []catalog.Image{a}, want: "b", wantMembers: "b c", wantReason: imagev1alpha1.SelectedSpecChanged,
		},
		"an edit leaves nothing": {
			edit: only("^other$"), missing: reasonsFor("NotMatched", known...), there: known, want: "",
			wantReason: imagev1alpha1.SelectedSpecChanged,
		},
		"an edit of the range rules out": {
			edit: ranged(">=2"), listed: known, want: "", wantMembers: "a b c",
			wantReason: imagev1alpha1.SelectedSpecChanged,
		},
		"an edit pins an older one": {
			edit: pinning(c), listed: known, want: "c", wantMembers: "a b c", wantReason: imagev1alpha1.SelectedPinned,
		},
		"an edit pins it": {edit: pinning(a), listed: known, want: "a", wantMembers: "a b c"},
		"an edit pins what is no member": {
			edit: pinning(catalogtest.Image("other", 0)), listed: known, want: "a", wantMembers: "a b c",
			wantNote: "selection.pin names what is not selected: img-other (no member)",
		},
		"an edit pins a stranger's": {
			edit:   pinning(catalogtest.Image("zz", 0)),
			listed: append([]catalog.Image{catalogtest.Image("zz", 0, "shared")}, known...), want: "a",
			wantMembers: "zz a b c", wantNote: "img-zz (UntrustedCreator)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.known == nil {
				tc.known = known
			}
			q, k := remembered(tc.known, "a")
			if tc.unlabeled {
				q.Status.Selected = []imagev1alpha1.SelectedImage{{ImageID: a.ID, Name: a.Name, Architecture: a.Architecture}}
				k.InGrace[a.ID] = selection.Departed{Image: a}
			}
			if tc.edit != nil {
				q.Generation++
				tc.edit(q)
			}
			r, bad := selection.NewRules(&q.Spec)
			if bad != nil {
				t.Fatal(bad.Error())
			}
			v := selection.Observation{
				Listing:  catalog.Listing{Images: tc.listed},
				Matching: slices.SortedFunc(slices.Values(tc.listed), selection.NewestFirst), Missing: tc.missing,
				FoundByID: selection.ByID(tc.there), Gone: map[string]bool{},
			}
			for _, id := range tc.gone {
				v.Gone[id] = true
			}
			got := r.Decide(q, k, v, catalogtest.Noon)
			if names := catalogtest.Names(got.Selection.Selected); names != tc.want {
				t.Errorf("selected is %q, want %q", names, tc.want)
			}
			if names := catalogtest.Names(got.Members); names != tc.wantMembers {
				t.Errorf("members are %q, want %q", names, tc.wantMembers)
			}
			if (got.Blocked != nil) != tc.wantBlocked || tc.wantBlocked && len(got.Leaving) > 0 {
				t.Errorf("blocked is %v and %d leave, want blocked %t", got.Blocked, len(got.Leaving), tc.wantBlocked)
			}
			status := statusAfterPoll(q, &pollResult{began: catalogtest.Noon, published: true, Decision: got}, &pollState{}, 500, catalogtest.Noon)
			CheckSelection(t, status)
			message := status.Conditions[0].Message
			if !strings.Contains(message, tc.wantNote) {
				t.Errorf("the message is %q, want %q in it", message, tc.wantNote)
			}
			if !strings.Contains(message, tc.wantKept) {
				t.Errorf("the message is %q, want %q in it", message, tc.wantKept)
			}
			checkKept(t, status, tc.wantKept)
			if tc.wantReason != "" && tc.want != "" && status.SelectedHistory[0].Reason != tc.wantReason {
				t.Errorf("the reason is %s, want %s", status.SelectedHistory[0].Reason, tc.wantReason)
			}
		})
	}
}

// checkKept checks the condition Selected.
func checkKept(t *testing.T, status *imagev1alpha1.ImageQueryStatus, because string) {
	t.Helper()
	want := imagev1alpha1.ReasonSelected
	switch {
	case len(status.Selected) == 0:
		want = imagev1alpha1.ReasonNothingSelected
	case because != "":
		want = imagev1alpha1.ReasonKept
	}
	got := ptr.Deref(meta.FindStatusCondition(status.Conditions, imagev1alpha1.ConditionSelected), metav1.Condition{})
	if got.Reason != want || !strings.Contains(got.Message, because) {
		t.Errorf("Selected is %s (%s), want %s (%s)", got.Reason, got.Message, want, because)
	}
}

func reasonsFor(reason imagev1alpha1.RemovalReason, images ...catalog.Image) map[string]imagev1alpha1.RemovalReason {
	out := map[string]imagev1alpha1.RemovalReason{}
	for _, image := range images {
		out[image.ID] = reason
	}
	return out
}

func only(nameRegex string) func(*imagev1alpha1.ImageQuery) {
	return func(q *imagev1alpha1.ImageQuery) { q.Spec.Match.NameRegex = nameRegex }
}

func excluding(image catalog.Image) func(*imagev1alpha1.ImageQuery) {
	return func(q *imagev1alpha1.ImageQuery) {
		q.Spec.Match.ExcludeImageIDs = []imagev1alpha1.ImageID{imagev1alpha1.ImageID(image.ID)}
	}
}

func pinning(image catalog.Image) func(*imagev1alpha1.ImageQuery) {
	return func(q *imagev1alpha1.ImageQuery) {
		q.Spec.Selection.Pin = []imagev1alpha1.ImageID{imagev1alpha1.ImageID(image.ID)}
	}
}

func ranged(within string) func(*imagev1alpha1.ImageQuery) {
	return func(q *imagev1alpha1.ImageQuery) {
		q.Spec.Selection = imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Range: within}
	}
}

// Images that arrive while removals are blocked are neither selected nor counted. Otherwise they would eventually
// outweigh the missing ones.
func TestARemovalStaysBlockedHoweverManyCome(t *testing.T) {
	old := []catalog.Image{catalogtest.Image("a", 1), catalogtest.Image("b", 2)}
	q, k := remembered(old, "a")
	r, _ := selection.NewRules(&q.Spec)
	var foreign []catalog.Image
	for poll := range 4 {
		foreign = append(foreign, catalogtest.Image(fmt.Sprintf("foreign-%d", poll), 0), catalogtest.Image(fmt.Sprintf("strange-%d", poll), 0))
		v := selection.Observation{
			Matching: foreign, Missing: reasonsFor("Gone", old...),
			Gone: map[string]bool{old[0].ID: true, old[1].ID: true},
		}
		got := r.Decide(q, k, v, catalogtest.Noon)
		if got.Blocked == nil || catalogtest.Names(got.Selection.Selected) != "a" {
			t.Fatalf("poll %d: blocked is %v and selected %q", poll, got.Blocked, catalogtest.Names(got.Selection.Selected))
		}
		q.Status = *statusAfterPoll(q, &pollResult{began: catalogtest.Noon, published: true, Decision: got}, &pollState{}, 500, catalogtest.Noon)
		k = cloudimage.KnownOf(cloudimage.OwnerOf(q), nil, got.Members)
		if k.EstablishedCount(r.Selector) != len(old) {
			t.Fatalf("poll %d: %d members count, want %d", poll, k.EstablishedCount(r.Selector), len(old))
		}
	}
	// After approval by the shown token, the new images are selected.
	q.Annotations = map[string]string{imagev1alpha1.AnnotationApproveRemoval: tokenIn(q)}
	got := r.Decide(q, k, selection.Observation{
		Matching: foreign, Missing: reasonsFor("Gone", old...), Gone: map[string]bool{old[0].ID: true, old[1].ID: true},
	}, catalogtest.Noon)
	if got.Blocked != nil || len(got.Leaving) != 2 || catalogtest.Names(got.Selection.Selected) != "foreign-0" {
		t.Errorf("after the approval: blocked %v, %d leave, selected %q", got.Blocked, len(got.Leaving),
			catalogtest.Names(got.Selection.Selected))
	}
}

// The history names the selected images, up to a bound, so that a status stays small enough.
func TestTheHistoryNamesWhatWasSelected(t *testing.T) {
	q, _ := remembered([]catalog.Image{catalogtest.Image("a", 1)}, "a")
	want := []imagev1alpha1.RecordedImage{{ImageID: catalogtest.Image("a", 1).ID, Name: "a", Architecture: "amd64"}}
	if diff := cmp.Diff(want, q.Status.SelectedHistory[0].Images); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
	many := make([]imagev1alpha1.SelectedImage, 60)
	if got := len(recorded(many)); got != 50 {
		t.Errorf("a record has %d images, want 50", got)
	}
	for i := range many {
		many[i].Name = strings.Repeat("<", 255)
	}
	if got := recorded(many); len(got) < 15 || encodedSize(got) > 32<<10 {
		t.Errorf("a record of long names has %d images in %d bytes", len(got), encodedSize(got))
	}
}

// A group falls back to its last image: the same images are selected in the same order, so there is no event.
func TestAGroupThatFallsBackIsNoOtherSelection(t *testing.T) {
	amd, arm := catalogtest.Image("amd", 1), catalogtest.Image("arm", 2, "arm64")
	amd.Platform, arm.Platform = "Ubuntu", "CentOS"
	for name, tc := range map[string]struct {
		groupBy  imagev1alpha1.SelectionGroup
		selected []catalog.Image
		partial  bool // only status knows the image that is retained
	}{
		"by architecture":                    {groupBy: imagev1alpha1.GroupByArchitecture, selected: []catalog.Image{amd, arm}},
		"by architecture, known from status": {groupBy: imagev1alpha1.GroupByArchitecture, selected: []catalog.Image{amd, arm}, partial: true},
		"by another fact":                    {groupBy: imagev1alpha1.GroupByPlatform, selected: []catalog.Image{arm, amd}},
		"by a fact that status doesn't tell": {groupBy: imagev1alpha1.GroupByPlatform, selected: []catalog.Image{arm, amd}, partial: true},
	} {
		t.Run(name, func(t *testing.T) {
			q, k := remembered([]catalog.Image{amd, arm})
			q.Spec.Selection.GroupBy = []imagev1alpha1.SelectionGroup{tc.groupBy}
			q.Status.Selected = selectedImages(tc.selected)
			q.Status.SelectedHistory[0].Images = recorded(q.Status.Selected)
			if tc.partial {
				k.Members[amd.ID], k.Partial[amd.ID] = selection.FromSummary(summaries([]catalog.Image{amd}, nil)[0]), true
			}
			r, _ := selection.NewRules(&q.Spec)
			v := selection.Observation{
				Matching: []catalog.Image{arm}, Missing: reasonsFor("NotMatched", amd),
				FoundByID: selection.ByID([]catalog.Image{amd}),
			}
			if tc.partial {
				v = selection.Observation{Matching: []catalog.Image{arm}, Missing: reasonsFor("", amd)}
			}
			got := r.Decide(q, k, v, catalogtest.Noon)
			status := statusAfterPoll(q, &pollResult{began: catalogtest.Noon, published: true, Decision: got}, &pollState{}, 500, catalogtest.Noon)
			if catalogtest.Names(got.Selection.Selected) != catalogtest.Names(tc.selected) || len(status.SelectedHistory) != 1 {
				t.Errorf("selected is %q, want %q; the history is %+v", catalogtest.Names(got.Selection.Selected), catalogtest.Names(tc.selected),
					status.SelectedHistory)
			}
		})
	}
}

// The listing takes precedence over status, which in older versions has neither type nor creator.
func TestWithoutTrustNothingStaysSelected(t *testing.T) {
	foreign, ours := catalogtest.Image("foreign", 1, "shared"), catalogtest.Image("ours", 2, "CREATING")
	for name, tc := range map[string]struct {
		missing bool // the listing lacks the image, and the cloud's answers are contradictory
		told    bool // status has type and creator
		want    string
	}{
		"listed":                            {want: ""},
		"listed, and status tells the same": {told: true, want: ""},
		"not listed, but status tells it":   {missing: true, told: true, want: ""},
		"not listed, and nothing tells it":  {missing: true, want: "foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			q, k := remembered([]catalog.Image{ours})
			q.Generation++ // a creator is no longer trusted
			q.Status.Selected = selectedImages([]catalog.Image{foreign})
			if !tc.told {
				q.Status.Selected[0].Type, q.Status.Selected[0].Creator = "", ""
			}
			k.Members[foreign.ID], k.Partial[foreign.ID] = selection.FromSelected(q.Status.Selected[0]), true
			k.Verdicts[foreign.ID] = imagev1alpha1.VerdictSelected
			v := selection.Observation{Matching: []catalog.Image{foreign, ours}}
			if tc.missing {
				v = selection.Observation{Matching: []catalog.Image{ours}, Missing: reasonsFor("", foreign)}
			}
			r, _ := selection.NewRules(&q.Spec)
			got := r.Decide(q, k, v, catalogtest.Noon)
			if catalogtest.Names(got.Selection.Selected) != tc.want {
				t.Errorf("selected is %q, want %q", catalogtest.Names(got.Selection.Selected), tc.want)
			}
			CheckSelection(t, statusAfterPoll(q, &pollResult{began: catalogtest.Noon, published: true, Decision: got}, &pollState{}, 500,
				catalogtest.Noon))
		})
	}
}

func TestImagesWithoutTrustAreTheFirstThatStatusLeavesOut(t *testing.T) {
	images := []catalog.Image{
		catalogtest.Image("z", 0, "shared"), catalogtest.Image("a", 1), catalogtest.Image("y", 2, "shared"),
		catalogtest.Image("b", 3),
	}
	q := syncedQuery(0)
	r, _ := selection.NewRules(&q.Spec)
	for most, want := range map[int]string{4: "z a y b", 3: "z a b", 2: "a b", 1: "a"} {
		got := r.Decide(q, selection.Known{}, selection.Observation{Matching: images}, catalogtest.Noon)
		status := statusAfterPoll(q, &pollResult{began: catalogtest.Noon, published: true, Decision: got}, &pollState{}, most, catalogtest.Noon)
		var names []string
		for _, image := range status.Images {
			names = append(names, image.Name)
		}
		if strings.Join(names, " ") != want || *status.ImagesTruncated != (most < 4) || *status.ImageCount != 4 {
			t.Errorf("of 4 images %d may be shown: they are %q, of %d, truncated %t; want %q", most, names, *status.ImageCount,
				*status.ImagesTruncated, want)
		}
	}
}

// While removals are blocked, a truncated status doesn't show which images arrived since, unless only untrusted ones
// were left out.
func TestSharedImagesThatStatusLeavesOutBlindNobody(t *testing.T) {
	for name, tc := range map[string]struct {
		shown catalog.Image
		want  bool
	}{
		"our own were cut":    {shown: catalogtest.Image("a", 1), want: true},
		"only others' were":   {shown: catalogtest.Image("z", 1, "shared")},
		"a type nobody knows": {shown: catalogtest.Image("z", 1, "MARKET_IMAGE")},
	} {
		t.Run(name, func(t *testing.T) {
			q, _ := remembered(nil)
			q.Status.Images = summaries([]catalog.Image{catalogtest.Image("held", 0), tc.shown},
				map[string]imagev1alpha1.SelectionVerdict{"img-held": imagev1alpha1.VerdictHeldBack})
			q.Status.ImagesTruncated = new(true)
			if k := cloudimage.KnownOf(cloudimage.OwnerOf(q), nil, nil); k.HeldBackUnknown != tc.want {
				t.Errorf("blind is %t, want %t", k.HeldBackUnknown, tc.want)
			}
		})
	}
}

// tokenIn returns the token in the command of RemovalBlocked.
func tokenIn(q *imagev1alpha1.ImageQuery) string {
	for _, condition := range q.Status.Conditions {
		if condition.Type == imagev1alpha1.ConditionRemovalBlocked {
			_, after, _ := strings.Cut(condition.Message, imagev1alpha1.AnnotationApproveRemoval+"=")
			token, _, _ := strings.Cut(after, " ")
			return token
		}
	}
	return ""
}

func TestTooManyCountsWhatThePolicyAsksFor(t *testing.T) {
	members := []catalog.Image{catalogtest.Image("a", 1), catalogtest.Image("b", 2), catalogtest.Image("c", 3)}
	v := selection.Decision{Members: members, Selection: selection.Selection{Selected: members[:1]}}
	for name, tc := range map[string]struct {
		policy imagev1alpha1.CloudImageScope
		most   int32
		want   bool
	}{
		"all of them":         {policy: imagev1alpha1.CloudImagesAll, most: 2, want: true},
		"as many as may be":   {policy: imagev1alpha1.CloudImagesAll, most: 3},
		"the selected one":    {policy: imagev1alpha1.CloudImagesSelected, most: 1},
		"none":                {policy: imagev1alpha1.CloudImagesNone, most: 1},
		"without a limit":     {policy: imagev1alpha1.CloudImagesAll},
		"by default, all are": {most: 2, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			q := syncedQuery(0)
			q.Spec.CloudImages = imagev1alpha1.CloudImagePolicy{Policy: tc.policy, MaxImages: tc.most}
			got := tooMany(q, v)
			if (got != nil) != tc.want || got != nil && (!got.stalled || got.reason != imagev1alpha1.ReasonTooManyImages) {
				t.Errorf("tooMany() = %+v, want %t", got, tc.want)
			}
		})
	}
}

func TestAGracePeriodsEndAndAnAgeAreDueAfterARestart(t *testing.T) {
	q := syncedQuery(0)
	q.Spec.Interval.Duration = 168 * 3600e9
	q.Spec.Selection.MinAge = metav1.Duration{Duration: 72 * 3600e9}
	q.Status.Images = []imagev1alpha1.ImageSummary{{
		Selection: imagev1alpha1.VerdictTooYoung, CreatedTime: &metav1.Time{Time: catalogtest.Noon.Add(-70 * 3600e9)},
	}}
	q.Status.Removing = []imagev1alpha1.RemovingImage{
		{DeleteAfter: metav1.Time{Time: catalogtest.Noon.Add(-1)}},
		{DeleteAfter: metav1.Time{Time: catalogtest.Noon.Add(3 * 3600e9)}},
	}
	if at, _ := nextPoll(q, &pollState{}, catalog.Account{}, catalogtest.Noon, catalogtest.Noon); !at.Equal(catalogtest.Noon.Add(2 * 3600e9)) {
		t.Errorf("due at %s, want when the image is old enough, in two hours", at)
	}
	q.Status.Images = nil
	if at, _ := nextPoll(q, &pollState{}, catalog.Account{}, catalogtest.Noon, catalogtest.Noon); !at.Equal(catalogtest.Noon.Add(3 * 3600e9)) {
		t.Errorf("due at %s, want when the grace period ends, in three hours", at)
	}
}
