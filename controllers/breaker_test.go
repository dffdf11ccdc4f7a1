// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

const ours, strange = "100000000001", "100000000002"

// images returns n images of one creator. Higher builds are newer.
func images(build, n int, creator string, more ...string) []catalog.Image {
	var out []catalog.Image
	for i := range n {
		image := catalogtest.Image(fmt.Sprintf("b%d-%d", build, i), 1000-100*build-i, more...)
		image.Creator = creator
		out = append(out, image)
	}
	return out
}

// public returns n public images.
func public(build, n int) []catalog.Image {
	out := images(build, n, "")
	for i := range out {
		out[i].Type = "PUBLIC_IMAGE"
	}
	return out
}

// turned returns images as seen by another account that they are shared with.
func turned(of []catalog.Image, imageType, creator string) []catalog.Image {
	out := slices.Clone(of)
	for i := range out {
		out[i].Type, out[i].Creator = imageType, creator
	}
	return out
}

// breakerPoll is one poll: the listing, and the expected result.
type breakerPoll struct {
	// hours is the time since the previous poll. restart is set if the process was restarted since.
	hours   int
	restart bool

	// edit is applied before the poll. listed are the images that match.
	edit   func(*imagev1alpha1.ImageQuery)
	listed []catalog.Image

	// notMatched is set if missing images still exist. Otherwise they are gone.
	notMatched bool

	// want is the newest image that is selected, after "blocked" if removals are, and how many images are in their grace
	// period, if any are: of those that were not replaced + of those that were.
	want string
}

func TestTheBreakerCountsOnBalance(t *testing.T) {
	a1, a2, a12, a20 := images(1, 1, ours), images(1, 2, ours), images(1, 12, ours), images(1, 20, ours)
	creating := images(2, 1, ours, "CREATING")
	trusting := func(s *imagev1alpha1.ImageQuerySpec) { s.Selection.TrustedCreators = []string{"7"} }
	with := slices.Concat[[]catalog.Image]

	for name, tc := range map[string]struct {
		policy imagev1alpha1.CloudImageScope
		spec   func(*imagev1alpha1.ImageQuerySpec)
		before []catalog.Image
		polls  []breakerPoll
	}{
		"1 of 1 is replaced": {before: a1, polls: []breakerPoll{{listed: images(2, 1, ours), want: "b2-0, in grace 0+1"}}},
		"2 of 2 are replaced, of two architectures": {
			before: with(a1, images(2, 1, ours, "arm64")),
			polls:  []breakerPoll{{listed: with(images(3, 1, ours), images(4, 1, ours, "arm64")), want: "b4-0, in grace 0+2"}},
		},
		"20 of 20 are rebuilt": {before: a20, polls: []breakerPoll{{listed: images(2, 20, ours), want: "b2-19, in grace 0+20"}}},
		"a tag moves on, and back": {before: a1, polls: []breakerPoll{
			{listed: images(2, 1, ours), notMatched: true, want: "b2-0, in grace 0+1"},
			{listed: a1, notMatched: true, want: "b1-0, in grace 0+1"},
		}},
		"public images are replaced by public ones": {
			before: public(1, 6),
			polls:  []breakerPoll{{listed: public(2, 6), want: "b2-5, in grace 0+6"}},
		},
		"shared images of a trusted creator are replaced by the same": {
			spec: trusting, before: turned(images(1, 6, "7"), "SHARED_IMAGE", "7"),
			polls: []breakerPoll{{listed: turned(images(2, 6, "7"), "SHARED_IMAGE", "7"), want: "b2-5, in grace 0+6"}},
		},
		"3 of 4 are gone and none arrived": {
			before: images(1, 4, ours),
			polls:  []breakerPoll{{listed: images(1, 4, ours)[:1], want: "b1-0, in grace 3+0"}},
		},
		"a few are gone at each poll": {before: a12, polls: []breakerPoll{
			{listed: a12[:8], want: "b1-7, in grace 4+0"},
			{listed: a12[:4], want: "blocked b1-7, in grace 4+0"},
		}},
		"some are gone, and replaced later": {before: a12, polls: []breakerPoll{
			{listed: a12[:8], want: "b1-7, in grace 4+0"},
			{listed: with(a12[:8], images(2, 4, ours)), want: "b2-3, in grace 0+4"},
			{listed: with(a12[:4], images(2, 4, ours)), want: "b2-3, in grace 4+4"},
		}},
		"all are gone": {before: a20, polls: []breakerPoll{{want: "blocked b1-19"}}},
		"a permission is narrowed": {before: a20, polls: []breakerPoll{
			{listed: a20[:8], notMatched: true, want: "blocked b1-19"},
			{listed: a20, want: "b1-19"},
		}},
		"as many of a strange creator instead": {before: a20, polls: []breakerPoll{
			{listed: images(2, 20, strange), want: "blocked b1-19"},
			{restart: true, listed: images(2, 20, strange), want: "blocked b1-19"},
			{listed: a20, want: "b1-19, in grace 0+20"},
			{listed: a20[1:], want: "b1-19, in grace 1+20"},
		}},
		"one of a strange creator instead of one": {before: a1, polls: []breakerPoll{{listed: images(2, 1, strange), want: "blocked b1-0"}}},
		"as many without a creator instead":       {before: a20, polls: []breakerPoll{{listed: images(2, 20, ""), want: "blocked b1-19"}}},
		"without a creator nothing replaces anything": {
			before: images(1, 20, ""), polls: []breakerPoll{{listed: images(2, 20, ""), want: "blocked b1-19"}},
		},
		"a mix instead": {before: a20, polls: []breakerPoll{
			{listed: with(images(2, 5, ours), images(3, 10, strange), images(4, 5, "")), want: "blocked b1-19"},
			{listed: with(images(2, 16, ours), images(3, 10, strange), images(4, 5, "")), want: "b4-4, in grace 4+16"},
		}},
		"public images don't pay for private ones": {before: a1, polls: []breakerPoll{{listed: public(2, 1), want: "blocked b1-0"}}},
		"public images don't pay for many private ones": {
			before: a20, polls: []breakerPoll{{listed: with(a20[:6], public(2, 14)), want: "blocked b1-19"}},
		},
		"private images don't pay for public ones": {
			before: public(1, 1),
			polls:  []breakerPoll{{listed: images(2, 1, ours), want: "blocked b1-0"}},
		},
		"images without trust leave": {
			before: with(a2, images(2, 12, "7", "shared")),
			polls:  []breakerPoll{{listed: a2, want: "b1-1, in grace 12+0"}},
		},
		"images without trust pay for nothing": {
			before: a2,
			polls:  []breakerPoll{{listed: turned(images(2, 2, "7"), "SHARED_IMAGE", ours), want: "blocked b1-1"}},
		},
		"the replacement is still CREATING": {before: a1, polls: []breakerPoll{
			{listed: creating, want: "blocked b1-0"},
			{restart: true, listed: creating, want: "blocked b1-0"},
			{listed: images(2, 1, ours), want: "b2-0, in grace 0+1"},
		}},
		"the keys are those of an account that they are shared with": {before: a20, polls: []breakerPoll{
			{listed: turned(a20, "SHARED_IMAGE", ours), want: "blocked b1-19"},
			{restart: true, listed: turned(a20, "SHARED_IMAGE", ours), want: "blocked b1-19"},
			{listed: a20, want: "b1-19"},
		}},
		"the only image is shared with the keys' account": {before: a1, polls: []breakerPoll{
			{listed: turned(a1, "SHARED_IMAGE", ours), want: "blocked b1-0"},
		}},
		"they are another creator's": {
			before: a20,
			polls:  []breakerPoll{{listed: turned(a20, "PRIVATE_IMAGE", strange), want: "blocked b1-19"}},
		},
		"an edit approves what matches no more": {before: a20, polls: []breakerPoll{
			{edit: only("^b1-1$"), listed: a20[1:2], notMatched: true, want: "b1-1, in grace 19+0"},
		}},
		"an edit doesn't approve what is gone": {
			before: a20,
			polls:  []breakerPoll{{edit: only("^b1-1$"), listed: a20[1:2], want: "blocked b1-1"}},
		},
		"an edit doesn't approve that types turn": {
			before: a1,
			polls:  []breakerPoll{{edit: only("^b1"), listed: turned(a1, "SHARED_IMAGE", ours), want: "blocked b1-0"}},
		},
		"the policy None and a restart": {
			policy: imagev1alpha1.CloudImagesNone,
			before: a1,
			polls:  []breakerPoll{{restart: true, listed: images(2, 1, ours), want: "b2-0"}},
		},
		"the policy None, a restart and other keys": {
			policy: imagev1alpha1.CloudImagesNone,
			before: a20,
			polls:  []breakerPoll{{restart: true, listed: images(2, 20, strange), want: "blocked b1-19"}},
		},
		"the policy None, a restart and other types": {
			policy: imagev1alpha1.CloudImagesNone,
			before: a1,
			polls:  []breakerPoll{{restart: true, listed: turned(a1, "SHARED_IMAGE", ours), want: "blocked b1-0"}},
		},
		"the policy None, and a few are gone at each poll": {policy: imagev1alpha1.CloudImagesNone, before: a12, polls: []breakerPoll{
			{listed: a12[:8], want: "b1-7"},
			{listed: a12[:4], want: "blocked b1-7"},
			{hours: 25, listed: a12[:4], want: "blocked b1-7"},
			// Without objects, images in grace are forgotten by a restart.
			{restart: true, listed: a12[:4], want: "b1-3"},
		}},
		"the policy Selected, and a few are gone at each poll": {policy: imagev1alpha1.CloudImagesSelected, before: a12, polls: []breakerPoll{
			{listed: a12[:8], want: "b1-7, in grace 1+0"},
			{listed: a12[:4], want: "blocked b1-7, in grace 1+0"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newBreakerLoop(t, tc.before, func(s *imagev1alpha1.ImageQuerySpec) {
				s.CloudImages.Policy = tc.policy
				if tc.spec != nil {
					tc.spec(s)
				}
			})
			for i, p := range tc.polls {
				if got := l.poll(p); got != p.want {
					t.Errorf("poll %d: %q, want %q", i, got, p.want)
				}
			}
		})
	}
}

// A golden image is rebuilt each hour: a day of them is in grace, and each was replaced.
func TestAnImageThatIsReplacedHourlyNeverBlocks(t *testing.T) {
	l := newBreakerLoop(t, images(0, 1, ours), nil)
	for hour := 1; hour <= 30; hour++ {
		image := catalogtest.Image(fmt.Sprintf("hour-%d", hour), -hour)
		image.Creator = ours
		want := fmt.Sprintf("hour-%d, in grace 0+%d", hour, min(hour, 24))
		if got := l.poll(breakerPoll{hours: 1, restart: hour%7 == 0, listed: []catalog.Image{image}}); got != want {
			t.Fatalf("after %d hours: %q, want %q", hour, got, want)
		}
	}
}

// Images whose removal was approved are in grace, and don't block replacements.
func TestAnImageIsReplacedAfterAnApproval(t *testing.T) {
	l := newBreakerLoop(t, images(1, 20, ours), nil)
	left := images(1, 1, ours)
	if got := l.poll(breakerPoll{listed: left}); got != "blocked b1-19" {
		t.Fatalf("%q", got)
	}
	l.query.Annotations = map[string]string{imagev1alpha1.AnnotationApproveRemoval: tokenIn(l.query)}
	if got := l.poll(breakerPoll{listed: left}); got != "b1-0, in grace 19+0" {
		t.Fatalf("approved: %q", got)
	}
	if got := l.poll(breakerPoll{listed: images(2, 1, ours)}); got != "b2-0, in grace 19+1" {
		t.Errorf("replaced: %q", got)
	}
}

// A peer writes the current owner into the shared object. This query compares with the owner that it published.
func TestAPeerDoesNotHideThatAnImageTurned(t *testing.T) {
	before := images(1, 1, ours)
	l := newBreakerLoop(t, before, nil)
	for _, object := range l.objects {
		object.Image.Type = "SHARED_IMAGE"
	}
	if got := l.poll(breakerPoll{listed: turned(before, "SHARED_IMAGE", ours)}); got != "blocked b1-0" {
		t.Errorf("%q", got)
	}
	for _, object := range l.objects {
		if object.Image.Type != "SHARED_IMAGE" {
			t.Error("the query writes what the peer will write anew")
		}
	}
}

// breakerLoop polls without a cloud and a cluster.
type breakerLoop struct {
	t       *testing.T
	query   *imagev1alpha1.ImageQuery
	objects map[string]*cloudimage.Entry
	state   *pollState
	now     time.Time
}

// newBreakerLoop returns a loop after one poll.
func newBreakerLoop(t *testing.T, before []catalog.Image, spec func(*imagev1alpha1.ImageQuerySpec)) *breakerLoop {
	t.Helper()
	query := syncedQuery(0)
	query.Spec.Region = "ap-guangzhou"
	query.Spec.Removal.GracePeriod = &metav1.Duration{Duration: 24 * time.Hour}
	if spec != nil {
		spec(&query.Spec)
	}
	query.Status.ObservedQuery = ""
	l := &breakerLoop{t: t, query: query, objects: map[string]*cloudimage.Entry{}, state: &pollState{}, now: catalogtest.Noon}
	l.poll(breakerPoll{listed: before})
	return l
}

func (l *breakerLoop) poll(p breakerPoll) string {
	l.t.Helper()
	l.now = l.now.Add(time.Duration(p.hours) * time.Hour)
	if p.restart {
		l.state = &pollState{}
	}
	if p.edit != nil {
		p.edit(l.query)
		l.query.Generation++
	}
	rules, err := selection.NewRules(&l.query.Spec)
	if err != nil {
		l.t.Fatal(err)
	}
	known := l.state.known(l.query, l.objects)
	v := selection.Observation{
		Matching: slices.SortedFunc(slices.Values(p.listed), selection.NewestFirst),
		Missing:  map[string]imagev1alpha1.RemovalReason{}, FoundByID: map[string]catalog.Image{}, Gone: map[string]bool{},
	}
	listed := selection.IDsOf(p.listed)
	for id, image := range known.Members {
		switch {
		case listed[id]:
		case p.notMatched:
			v.Missing[id], v.FoundByID[id] = imagev1alpha1.RemovedNotMatched, image
		default:
			v.Missing[id], v.Gone[id] = imagev1alpha1.RemovedGone, true
		}
	}
	o := &pollResult{began: l.now, published: true, Decision: rules.Decide(l.query, known, v, l.now)}
	c := cloudimage.NewClaim(l.query, l.now, nil)
	plan := cloudimage.MakePlan(c, o.Decision, l.objects)
	carryOut(l.t, plan, c, l.objects)
	if again := cloudimage.MakePlan(c, o.Decision, l.objects); !again.Empty() {
		l.t.Error("the same poll again would write again")
	}
	l.state.pollFinished(l.query, o, l.now)
	l.query.Status = *statusAfterPoll(l.query, o, l.state, 500, l.now)
	CheckSelection(l.t, &l.query.Status)
	return l.outcome(o)
}

// outcome formats the result of a poll like breakerPoll.want.
func (l *breakerLoop) outcome(o *pollResult) string {
	var out strings.Builder
	if o.Blocked != nil {
		out.WriteString("blocked ")
	}
	out.WriteString(newestName(o.Selection.Selected))
	inGrace := map[bool]int{}
	for _, object := range l.objects {
		for _, entry := range object.Lifecycle.Leaving {
			inGrace[entry.Replaced]++
		}
	}
	if len(inGrace) > 0 {
		fmt.Fprintf(&out, ", in grace %d+%d", inGrace[false], inGrace[true])
	}
	return out.String()
}

func newestName(selected []catalog.Image) string {
	if len(selected) == 0 {
		return "nothing"
	}
	return slices.MinFunc(selected, selection.NewestFirst).Name
}
