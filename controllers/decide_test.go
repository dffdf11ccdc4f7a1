// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

func TestTheBreakerTripsWhenManyLeave(t *testing.T) {
	gone := func(n int) map[string]imagev1alpha1.RemovalReason {
		out := map[string]imagev1alpha1.RemovalReason{}
		for i := range n {
			out[fmt.Sprintf("img-%d", i)] = imagev1alpha1.RemovedGone
		}
		return out
	}
	notMatched := func(n int) map[string]imagev1alpha1.RemovalReason {
		out := gone(n)
		for id := range out {
			out[id] = imagev1alpha1.RemovedNotMatched
		}
		return out
	}
	for name, tc := range map[string]struct {
		departure departure
		percent   int32
		want      bool
	}{
		"nobody leaves":           {departure: departure{members: 10}, percent: 0},
		"half of them":            {departure: departure{members: 10, leaving: gone(5)}, percent: 50},
		"more than half of them":  {departure: departure{members: 10, leaving: gone(6)}, percent: 50, want: true},
		"more than half, but few": {departure: departure{members: 5, leaving: gone(4)}, percent: 50},
		"all of few":              {departure: departure{members: 1, leaving: gone(1)}, percent: 50, want: true},
		"all of many, whatever the percentage below 100": {departure: departure{members: 10, leaving: gone(10)}, percent: 99, want: true},
		"all of them, but it is switched off":            {departure: departure{members: 10, leaving: gone(10)}, percent: 100},
		"any five at 0":                                  {departure: departure{members: 1000, leaving: gone(5)}, percent: 0, want: true},
		"a few more each poll: those in grace count":     {departure: departure{members: 7, inGrace: 3, leaving: gone(3)}, percent: 50, want: true},
		"an edit approves what matches no more":          {departure: departure{members: 10, edited: true, leaving: notMatched(10)}, percent: 50},
		"an edit does not approve what is gone":          {departure: departure{members: 10, edited: true, leaving: gone(10)}, percent: 50, want: true},
		"status can't tell who came while blocked":       {departure: departure{members: 1000, blind: true, leaving: gone(5)}, percent: 50, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.departure.trips(tc.percent); got != tc.want {
				t.Errorf("trips() = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestATokenApprovesOneRemovalOnly(t *testing.T) {
	one := departure{leaving: map[string]imagev1alpha1.RemovalReason{"img-1": "Gone", "img-2": "Gone"}}
	if a, b := one.token("revision"), one.token("revision"); a != b {
		t.Errorf("the tokens of one removal are %s and %s", a, b)
	}
	other := departure{leaving: map[string]imagev1alpha1.RemovalReason{"img-1": "Gone"}}
	if one.token("revision") == one.token("another") || one.token("revision") == other.token("revision") {
		t.Error("a token fits another removal")
	}
}

// remembered is a query at noon whose last poll came to these members and this selection (names of builds).
func remembered(members []catalog.Image, selected ...string) (*imagev1alpha1.ImageQuery, knowledge) {
	q := syncedQuery(0)
	q.Spec.Region = "ap-guangzhou"
	q.Status.ObservedQuery = observedQuery(q)
	k := knowledge{members: byID(members), partial: map[string]bool{}, inGrace: map[string]catalog.Image{}, verdicts: map[string]imagev1alpha1.SelectionVerdict{}, heldBack: map[string]bool{}}
	for _, image := range members {
		if slices.Contains(selected, image.Name) {
			q.Status.Selected = append(q.Status.Selected, imagev1alpha1.SelectedImage{ImageID: image.ID, Name: image.Name, Architecture: image.Architecture})
		}
	}
	q.Status.SelectedHistory = []imagev1alpha1.SelectionRecord{{Images: recorded(q.Status.Selected), SelectedTime: metav1.Time{Time: noon}, Reason: imagev1alpha1.SelectedFirst}}
	return q, k
}

// Rule 3: the cloud alone never empties or endangers what is selected.
func TestWhatTheCloudDoesToTheSelection(t *testing.T) {
	a, b, c := build("a", 1), build("b", 2), build("c", 3)
	known := []catalog.Image{a, b, c}
	changed := func(image catalog.Image, words ...string) catalog.Image {
		return build(image.Name, int(noon.Sub(image.CreatedTime).Hours()), words...)
	}
	squatter := build("z", 0, "shared")
	squatter.Name = "a"

	for name, tc := range map[string]struct {
		known     []catalog.Image
		edit      func(*imagev1alpha1.ImageQuery)
		listed    []catalog.Image
		missing   map[string]imagev1alpha1.RemovalReason
		there     []catalog.Image
		gone      []string
		unlabeled bool // the selected image is no member any more since an earlier poll

		want        string // names
		wantMembers string
		wantBlocked bool
		wantReason  imagev1alpha1.SelectionReason
		wantNote    string
	}{
		"it is there as before":                     {listed: known, want: "a", wantMembers: "a b c"},
		"a new image replaces it":                   {listed: append([]catalog.Image{build("new", 0)}, known...), want: "new", wantMembers: "new a b c", wantReason: imagev1alpha1.SelectedNewImage},
		"it is SYNCING":                             {listed: []catalog.Image{changed(a, "SYNCING"), b, c}, want: "a", wantMembers: "a b c", wantNote: "which stays"},
		"it is deprecated":                          {listed: []catalog.Image{changed(a, "deprecated"), b, c}, want: "b", wantMembers: "a b c", wantReason: imagev1alpha1.SelectedDeprecated},
		"all are deprecated":                        {listed: []catalog.Image{changed(a, "deprecated"), changed(b, "deprecated"), changed(c, "deprecated")}, want: "a", wantMembers: "a b c"},
		"it is gone":                                {listed: []catalog.Image{b, c}, missing: reasonsFor("Gone", a), gone: []string{a.ID}, want: "b", wantMembers: "b c", wantReason: imagev1alpha1.SelectedGone},
		"it matches no more":                        {listed: []catalog.Image{b, c}, missing: reasonsFor("NotMatched", a), there: []catalog.Image{a}, want: "b", wantMembers: "b c", wantReason: imagev1alpha1.SelectedNotMatched},
		"none is NORMAL any more":                   {listed: []catalog.Image{changed(a, "SYNCING"), changed(b, "SYNCING"), changed(c, "SYNCING")}, want: "a", wantMembers: "a b c", wantNote: "which stays"},
		"it matches no more, and no other is fit":   {listed: []catalog.Image{changed(b, "SYNCING"), changed(c, "CREATING")}, missing: reasonsFor("NotMatched", a), there: []catalog.Image{a}, want: "a", wantMembers: "b c", wantNote: "which stays"},
		"it left before, and no other is fit":       {known: []catalog.Image{b}, listed: []catalog.Image{changed(b, "SYNCING")}, there: []catalog.Image{a}, want: "a", wantMembers: "b", unlabeled: true, wantNote: "which stays"},
		"it left before and is gone now":            {known: []catalog.Image{b}, listed: []catalog.Image{changed(b, "SYNCING")}, gone: []string{a.ID}, want: "", wantMembers: "b", unlabeled: true, wantNote: "none of them qualifies"},
		"all are gone: blocked":                     {missing: reasonsFor("Gone", known...), gone: []string{a.ID, b.ID, c.ID}, want: "a", wantMembers: "a b c", wantBlocked: true, wantNote: "would leave"},
		"another account's images instead: blocked": {listed: []catalog.Image{build("foreign", 0)}, missing: reasonsFor("Gone", known...), gone: []string{a.ID, b.ID, c.ID}, want: "a", wantMembers: "foreign a b c", wantBlocked: true, wantNote: "no new image is selected"},
		"a stranger shares an image of its name":    {listed: append([]catalog.Image{squatter}, known...), want: "a", wantMembers: "a a b c"},
		"the cloud contradicts itself":              {listed: []catalog.Image{b, c}, missing: reasonsFor("", a), want: "a", wantMembers: "a b c"},

		"an edit excludes it":            {edit: excluding(a), listed: []catalog.Image{b, c}, missing: reasonsFor("NotMatched", a), there: []catalog.Image{a}, want: "b", wantMembers: "b c", wantReason: imagev1alpha1.SelectedSpecChanged},
		"an edit leaves nothing":         {edit: only("^other$"), missing: reasonsFor("NotMatched", known...), there: known, want: "", wantReason: imagev1alpha1.SelectedSpecChanged},
		"an edit of the range rules out": {edit: ranged(">=2"), listed: known, want: "", wantMembers: "a b c", wantReason: imagev1alpha1.SelectedSpecChanged},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.known == nil {
				tc.known = known
			}
			q, k := remembered(tc.known, "a")
			if tc.unlabeled {
				q.Status.Selected = []imagev1alpha1.SelectedImage{{ImageID: a.ID, Name: a.Name, Architecture: a.Architecture}}
				k.inGrace[a.ID] = a
			}
			if tc.edit != nil {
				q.Generation++
				tc.edit(q)
			}
			r, bad := newRules(&q.Spec)
			if bad != nil {
				t.Fatal(bad.message)
			}
			v := view{matching: slices.SortedFunc(slices.Values(tc.listed), newestFirst), missing: tc.missing, there: byID(tc.there), gone: map[string]bool{}}
			for _, id := range tc.gone {
				v.gone[id] = true
			}
			got := r.decide(q, k, v, noon)
			if names := namesOf(got.choice.selected); names != tc.want {
				t.Errorf("selected is %q, want %q", names, tc.want)
			}
			if names := namesOf(got.members); names != tc.wantMembers {
				t.Errorf("members are %q, want %q", names, tc.wantMembers)
			}
			if (got.blocked != nil) != tc.wantBlocked || tc.wantBlocked && len(got.leaving) > 0 {
				t.Errorf("blocked is %v and %d leave, want blocked %t", got.blocked, len(got.leaving), tc.wantBlocked)
			}
			status := finished(q, &outcome{began: noon, published: true, verdict: got}, &memory{}, 500, noon)
			CheckSelection(t, status)
			message := status.Conditions[0].Message
			if !strings.Contains(message, tc.wantNote) {
				t.Errorf("the message is %q, want %q in it", message, tc.wantNote)
			}
			if tc.wantReason != "" && tc.want != "" && status.SelectedHistory[0].Reason != tc.wantReason {
				t.Errorf("the reason is %s, want %s", status.SelectedHistory[0].Reason, tc.wantReason)
			}
		})
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

func ranged(within string) func(*imagev1alpha1.ImageQuery) {
	return func(q *imagev1alpha1.ImageQuery) {
		q.Spec.Selection = imagev1alpha1.ImageSelection{OrderBy: imagev1alpha1.OrderBySemVer, Range: within}
	}
}

// What came while removals are blocked is neither selected nor counted: else it would outweigh what is missing by and by.
func TestARemovalStaysBlockedHoweverManyCome(t *testing.T) {
	old := []catalog.Image{build("a", 1), build("b", 2)}
	q, k := remembered(old, "a")
	r, _ := newRules(&q.Spec)
	var foreign []catalog.Image
	for poll := range 4 {
		foreign = append(foreign, build(fmt.Sprintf("foreign-%d", poll), 0), build(fmt.Sprintf("strange-%d", poll), 0))
		v := view{matching: foreign, missing: reasonsFor("Gone", old...), gone: map[string]bool{old[0].ID: true, old[1].ID: true}}
		got := r.decide(q, k, v, noon)
		if got.blocked == nil || namesOf(got.choice.selected) != "a" {
			t.Fatalf("poll %d: blocked is %v and selected %q", poll, got.blocked, namesOf(got.choice.selected))
		}
		q.Status = *finished(q, &outcome{began: noon, published: true, verdict: got}, &memory{}, 500, noon)
		k = holderOf(q).knowledgeOf(nil, got.members)
		if k.established(r.chooser) != len(old) {
			t.Fatalf("poll %d: %d members count, want %d", poll, k.established(r.chooser), len(old))
		}
	}
	// Approved by the token that is shown, what is there is selected.
	q.Annotations = map[string]string{imagev1alpha1.AnnotationApproveRemoval: tokenIn(q)}
	got := r.decide(q, k, view{matching: foreign, missing: reasonsFor("Gone", old...), gone: map[string]bool{old[0].ID: true, old[1].ID: true}}, noon)
	if got.blocked != nil || len(got.leaving) != 2 || namesOf(got.choice.selected) != "foreign-0" {
		t.Errorf("after the approval: blocked %v, %d leave, selected %q", got.blocked, len(got.leaving), namesOf(got.choice.selected))
	}
}

// The history names what was selected; how much of it is bounded, so that a status stays small enough.
func TestTheHistoryNamesWhatWasSelected(t *testing.T) {
	q, _ := remembered([]catalog.Image{build("a", 1)}, "a")
	want := []imagev1alpha1.RecordedImage{{ImageID: build("a", 1).ID, Name: "a", Architecture: "amd64"}}
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

// A group falls back to its last image: the same images are selected in the same order, so nobody is told of another selection.
func TestAGroupThatFallsBackIsNoOtherSelection(t *testing.T) {
	amd, arm := build("amd", 1), build("arm", 2, "arm64")
	amd.Platform, arm.Platform = "Ubuntu", "CentOS"
	for name, tc := range map[string]struct {
		groupBy  imagev1alpha1.SelectionGroup
		selected []catalog.Image
		partial  bool // status alone tells of the image that falls back
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
				k.members[amd.ID], k.partial[amd.ID] = fromSummary(summaries([]catalog.Image{amd}, nil)[0]), true
			}
			r, _ := newRules(&q.Spec)
			v := view{matching: []catalog.Image{arm}, missing: reasonsFor("NotMatched", amd), there: byID([]catalog.Image{amd})}
			if tc.partial {
				v = view{matching: []catalog.Image{arm}, missing: reasonsFor("", amd)}
			}
			got := r.decide(q, k, v, noon)
			status := finished(q, &outcome{began: noon, published: true, verdict: got}, &memory{}, 500, noon)
			if namesOf(got.choice.selected) != namesOf(tc.selected) || len(status.SelectedHistory) != 1 {
				t.Errorf("selected is %q, want %q; the history is %+v", namesOf(got.choice.selected), namesOf(tc.selected), status.SelectedHistory)
			}
		})
	}
}

// What the listing shows counts, and not the little that a status tells: one of an older version tells neither type nor creator.
func TestWithoutTrustNothingStaysSelected(t *testing.T) {
	foreign, ours := build("foreign", 1, "shared"), build("ours", 2, "CREATING")
	for name, tc := range map[string]struct {
		missing bool // the listing lacks the image, and the cloud contradicts itself
		told    bool // status tells type and creator
		want    string
	}{
		"listed":                            {want: ""},
		"listed, and status tells the same": {told: true, want: ""},
		"not listed, but status tells it":   {missing: true, told: true, want: ""},
		"not listed, and nothing tells it":  {missing: true, want: "foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			q, k := remembered([]catalog.Image{ours})
			q.Generation++ // a creator was withdrawn
			q.Status.Selected = selectedImages([]catalog.Image{foreign})
			if !tc.told {
				q.Status.Selected[0].Type, q.Status.Selected[0].Creator = "", ""
			}
			k.members[foreign.ID], k.partial[foreign.ID] = fromSelected(q.Status.Selected[0]), true
			k.verdicts[foreign.ID] = imagev1alpha1.VerdictSelected
			v := view{matching: []catalog.Image{foreign, ours}}
			if tc.missing {
				v = view{matching: []catalog.Image{ours}, missing: reasonsFor("", foreign)}
			}
			r, _ := newRules(&q.Spec)
			got := r.decide(q, k, v, noon)
			if namesOf(got.choice.selected) != tc.want {
				t.Errorf("selected is %q, want %q", namesOf(got.choice.selected), tc.want)
			}
			CheckSelection(t, finished(q, &outcome{began: noon, published: true, verdict: got}, &memory{}, 500, noon))
		})
	}
}

func TestImagesWithoutTrustAreTheFirstThatStatusLeavesOut(t *testing.T) {
	images := []catalog.Image{build("z", 0, "shared"), build("a", 1), build("y", 2, "shared"), build("b", 3)}
	q := syncedQuery(0)
	r, _ := newRules(&q.Spec)
	for most, want := range map[int]string{4: "z a y b", 3: "z a b", 2: "a b", 1: "a"} {
		got := r.decide(q, knowledge{}, view{matching: images}, noon)
		status := finished(q, &outcome{began: noon, published: true, verdict: got}, &memory{}, most, noon)
		var names []string
		for _, image := range status.Images {
			names = append(names, image.Name)
		}
		if strings.Join(names, " ") != want || *status.ImagesTruncated != (most < 4) || *status.ImageCount != 4 {
			t.Errorf("of 4 images %d may be shown: they are %q, of %d, truncated %t; want %q", most, names, *status.ImageCount, *status.ImagesTruncated, want)
		}
	}
}

// While removals are blocked, a status that was cut leaves open which images came meanwhile. Strangers' images don't.
func TestSharedImagesThatStatusLeavesOutBlindNobody(t *testing.T) {
	for name, tc := range map[string]struct {
		shown catalog.Image
		want  bool
	}{
		"our own were cut":    {shown: build("a", 1), want: true},
		"only others' were":   {shown: build("z", 1, "shared")},
		"a type nobody knows": {shown: build("z", 1, "MARKET_IMAGE")},
	} {
		t.Run(name, func(t *testing.T) {
			q, _ := remembered(nil)
			q.Status.Images = summaries([]catalog.Image{build("held", 0), tc.shown}, map[string]imagev1alpha1.SelectionVerdict{"img-held": imagev1alpha1.VerdictHeldBack})
			q.Status.ImagesTruncated = new(true)
			if k := holderOf(q).knowledgeOf(nil, nil); k.blind != tc.want {
				t.Errorf("blind is %t, want %t", k.blind, tc.want)
			}
		})
	}
}

// tokenIn is the token in the command that RemovalBlocked shows.
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
	members := []catalog.Image{build("a", 1), build("b", 2), build("c", 3)}
	v := verdict{members: members, choice: choice{selected: members[:1]}}
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

func TestWhatChangedUnderTheSameID(t *testing.T) {
	was := build("a", 1)
	was.Creator, was.SizeGiB, was.Snapshots = "1", 20, []catalog.Snapshot{{ID: "snap-1"}}
	q, k := remembered([]catalog.Image{was}, "a")
	for name, tc := range map[string]struct {
		change                     func(*catalog.Image)
		wantRebuilt, wantImpostors []string
	}{
		"nothing":               {change: func(*catalog.Image) {}},
		"the description":       {change: func(i *catalog.Image) { i.Description = "new" }},
		"the size":              {change: func(i *catalog.Image) { i.SizeGiB = 50 }, wantRebuilt: []string{"img-a"}},
		"the snapshots":         {change: func(i *catalog.Image) { i.Snapshots = []catalog.Snapshot{{ID: "snap-2"}} }, wantRebuilt: []string{"img-a"}},
		"the operating system":  {change: func(i *catalog.Image) { i.OSName = "TencentOS 4" }, wantRebuilt: []string{"img-a"}},
		"the creation time":     {change: func(i *catalog.Image) { i.CreatedTime = noon }, wantRebuilt: []string{"img-a"}},
		"the creator":           {change: func(i *catalog.Image) { i.Creator = "2" }, wantImpostors: []string{"img-a"}},
		"another by that name":  {change: func(i *catalog.Image) { i.ID, i.Creator = "img-b", "2" }, wantImpostors: []string{"img-b"}},
		"its owner's next":      {change: func(i *catalog.Image) { i.ID = "img-b" }},
		"another by another":    {change: func(i *catalog.Image) { i.ID, i.Name, i.Creator = "img-b", "b", "2" }},
		"a creator it had none": {change: func(i *catalog.Image) { i.Creator = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			now := was
			tc.change(&now)
			if diff := cmp.Diff(tc.wantRebuilt, rebuilt(k, []catalog.Image{now})); diff != "" {
				t.Errorf("rebuilt (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantImpostors, impostors(q.Status.Selected, k, []catalog.Image{now})); diff != "" {
				t.Errorf("impostors (-want +got):\n%s", diff)
			}
		})
	}
}

// Without objects, after a restart, status alone tells who made the images that were selected.
func TestAnotherCreatorIsKnownFromStatus(t *testing.T) {
	was, now := build("a", 2), build("a", 1)
	was.Creator, now.ID, now.Creator = "1", "img-b", "2"
	if got := impostors(selectedImages([]catalog.Image{was}), knowledge{}, []catalog.Image{now}); !slices.Equal(got, []string{"img-b"}) {
		t.Errorf("impostors are %v, want img-b", got)
	}
}

func TestQueriesThatShareAnImageAgreeOnItsLabels(t *testing.T) {
	labelled := func(name string, labels map[string]imagev1alpha1.LabelValue, tags ...string) *imagev1alpha1.ImageQuery {
		q := claimOf(name).query
		q.Spec.CloudImages.Labels, q.Spec.CloudImages.LabelTagKeys = labels, tags
		return q
	}
	alpha := labelled("alpha", map[string]imagev1alpha1.LabelValue{"team": "infra"}, "role")
	beta := labelled("beta", map[string]imagev1alpha1.LabelValue{"team": "web", "tier": "gold"}, "rôle")
	peers := map[string]*imagev1alpha1.ImageQuery{"alpha": alpha, "beta": beta}
	image := planned
	image.Tags = []catalog.Tag{{Key: "role", Value: "k8s node"}, {Key: "rôle", Value: "x"}, {Key: "other", Value: "y"}}
	record := toRecord(image, scope{region: "ap-guangzhou"})
	as := func(q *imagev1alpha1.ImageQuery) claim {
		return newClaim(q, noon, peers)
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

	one := as(alpha).keep(nil, plannedName, record, imagev1alpha1.QueryMember)
	one.Labels["mine"] = "stays"
	want("alpha alone", one, map[string]string{"team": "infra", "tag.imagecatalog.dev/role": "k8s-node", "mine": "stays"})
	both := as(beta).keep(one, plannedName, record, imagev1alpha1.QueryMember)
	want("with beta", both, map[string]string{"team": "infra", "tier": "gold", "tag.imagecatalog.dev/role": "k8s-node", "tag.imagecatalog.dev/r-le": "x", "mine": "stays"})
	if again := as(alpha).keep(both, plannedName, record, imagev1alpha1.QueryMember); !sameObject(both, again) {
		t.Errorf("alpha would write against beta:\n%s", cmp.Diff(both, again))
	}
	alpha.Spec.CloudImages.Labels = nil
	edited := as(alpha).keep(both, plannedName, record, imagev1alpha1.QueryMember)
	want("alpha names none any more", edited, map[string]string{"team": "web", "tier": "gold", "tag.imagecatalog.dev/role": "k8s-node", "tag.imagecatalog.dev/r-le": "x", "mine": "stays"})
	left := departing{reason: imagev1alpha1.RemovedNotMatched}.letGo(as(beta), edited)
	want("beta has left", left, map[string]string{"tag.imagecatalog.dev/role": "k8s-node", "mine": "stays"})
}

func TestAGracePeriodsEndAndAnAgeAreDueAfterARestart(t *testing.T) {
	q := syncedQuery(0)
	q.Spec.Interval.Duration = 168 * 3600e9
	q.Spec.Selection.MinAge = metav1.Duration{Duration: 72 * 3600e9}
	q.Status.Images = []imagev1alpha1.ImageSummary{{Selection: imagev1alpha1.VerdictTooYoung, CreatedTime: &metav1.Time{Time: noon.Add(-70 * 3600e9)}}}
	q.Status.Removing = []imagev1alpha1.RemovingImage{{DeleteAfter: metav1.Time{Time: noon.Add(-1)}}, {DeleteAfter: metav1.Time{Time: noon.Add(3 * 3600e9)}}}
	if at, _ := nextPoll(q, &memory{}, catalog.Account{}, noon, noon); !at.Equal(noon.Add(2 * 3600e9)) {
		t.Errorf("due at %s, want when the image is old enough, in two hours", at)
	}
	q.Status.Images = nil
	if at, _ := nextPoll(q, &memory{}, catalog.Account{}, noon, noon); !at.Equal(noon.Add(3 * 3600e9)) {
		t.Errorf("due at %s, want when the grace period ends, in three hours", at)
	}
}
