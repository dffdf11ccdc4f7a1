// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// Regions of these tests, with few private images each.
const (
	patience, guard, policy = "ap-nanjing", "ap-chengdu", "ap-chongqing"
)

// fillRegions adds images in the regions of these tests.
func (s *suite) fillRegions() {
	for seed, region := range []string{patience, guard, policy} {
		s.cloud.Put(region, cvmtest.PrivateImages(uint64(10+seed), 10, cvmtest.DefaultCredential.UIN)...)
	}
}

// apply applies a query and requests a poll in the same write, so that a recent listing isn't shared.
func (s *suite) apply(name, region, spec string) {
	s.t.Helper()
	token := fmt.Sprint("applied-", time.Now().UnixNano())
	s.ApplyQuery(fmt.Sprintf("name: %s, annotations: {%s: %s}", name, imagev1alpha1.AnnotationRequestedAt, token),
		fmt.Sprintf("region: %s, interval: 1h, %s", region, spec))
	s.UntilQuery(name, "it is synced since it was applied", func(q *imagev1alpha1.ImageQuery) bool {
		return q.Status.LastHandledReconcileAt == token && q.Status.SyncedGeneration == q.Generation
	})
}

// grace removes an image and restores it within its grace period.
func (s *suite) grace() {
	s.apply("patient", patience, "removal: {gracePeriod: 1h}")
	image := s.cloud.Images(patience)[2]
	name := patience + "-" + image.ImageID
	before := s.Images("patient")[name]
	changed := append(statusOf("patient", 1), write("update", "cloudimages", name, 200))

	s.cloud.Delete(patience, image.ImageID)
	s.expect(func() { s.Poll("patient") }, append(pages("default", patience, 9), byID(patience, 1)...), changed)
	s.inGrace(name)

	s.cloud.Put(patience, image)
	s.expect(func() { s.Poll("patient") }, pages("default", patience, 10), changed)
	after := s.Images("patient")[name]
	if after.UID != before.UID || after.Lifecycle.Presence != imagev1alpha1.PresencePresent || after.Lifecycle.DeleteAfter != nil {
		s.t.Errorf("an image that came back is %+v, in the same object: %t", after.Lifecycle, after.UID == before.UID)
	}
}

// inGrace checks the object of a gone image that only the patient query keeps, with its grace period of an hour.
func (s *suite) inGrace(name string) {
	s.t.Helper()
	image, ok := s.Images("")[name]
	if !ok {
		s.t.Fatalf("%s was deleted within its grace period", name)
	}
	l := image.Lifecycle
	owners := ownersOf(&image)
	if l.Presence != imagev1alpha1.PresenceGone || !slices.Equal(owners, []string{"patient"}) || len(l.Leaving) != 1 || l.DeleteAfter == nil ||
		!l.DeleteAfter.Equal(&l.Leaving[0].DeleteAfter) || l.DeleteAfter.Sub(l.Leaving[0].Since.Time) != time.Hour {
		s.t.Errorf("the lifecycle of %s is %+v, owned by %q; want Gone, an hour, and the patient query alone", name, l, owners)
	}
	for label := range image.Labels {
		if strings.HasPrefix(label, imagev1alpha1.LabelQueryPrefix) {
			s.t.Errorf("%s is a member of nothing, but has the label %s", name, label)
		}
	}
	query := s.Query("patient")
	if r := query.Status.Removing; len(r) != 1 || patience+"-"+r[0].ImageID != name || !r[0].DeleteAfter.Equal(l.DeleteAfter) {
		s.t.Errorf("status.removing of %s is %+v, want %s", query.Name, r, name)
	}
}

// twoOwners removes an image of two queries: the hasty one releases it at once, the patient one is polled and waits.
func (s *suite) twoOwners() {
	images := s.cloud.Images(patience)
	name := patience + "-" + images[0].ImageID
	s.apply("hasty", patience, fmt.Sprintf("imageIDs: [%s, %s], removal: {gracePeriod: 0s}", images[0].ImageID, images[1].ImageID))
	s.cloud.Delete(patience, images[0].ImageID)
	s.expect(func() {
		s.Poll("hasty")
		s.UntilQuery("patient", "it knows that the image is gone", func(q *imagev1alpha1.ImageQuery) bool {
			return len(q.Status.Removing) == 1
		})
	}, slices.Concat(byID(patience, 2), byID(patience, 1), pages("default", patience, 9), byID(patience, 1)),
		slices.Concat(statusOf("hasty", 1), statusOf("patient", 1), slices.Repeat([]string{write("update", "cloudimages", name, 200)}, 2)))
	s.inGrace(name)

	// A shorter grace period applies at once, from the time at which the image left.
	s.expect(func() { s.apply("patient", patience, "removal: {gracePeriod: 0s}") },
		pages("default", patience, 9), append(statusOf("patient", 2), write("delete", "cloudimages", name, 200)))
}

// breaker removes most images of a query at once.
func (s *suite) breaker() {
	s.apply("guarded", guard, "removal: {gracePeriod: 0s}")
	for _, image := range s.cloud.Images(guard)[4:] { // the newest stay, including the selected one
		s.cloud.Delete(guard, image.ImageID)
	}
	s.expect(func() { s.Poll("guarded") }, append(pages("default", guard, 4), byID(guard, 6)...), statusOf("guarded", 1))
	query := s.UntilReady("guarded", metav1.ConditionTrue, imagev1alpha1.ReasonRemovalBlocked)
	if got := len(s.Images("guarded")); got != 10 || len(query.Status.Images) != 10 {
		s.t.Errorf("%d CloudImages and %d images in status are left, want all 10", got, len(query.Status.Images))
	}
}

// approve runs the command in the condition.
func (s *suite) approve() {
	query := s.UntilReady("guarded", metav1.ConditionTrue, imagev1alpha1.ReasonRemovalBlocked)
	command, ok := strings.CutPrefix(kit.Condition(query, imagev1alpha1.ConditionRemovalBlocked).Message, "kubectl ")
	if !ok {
		s.t.Fatalf("the message of RemovalBlocked is no command: %s", command)
	}
	writes := statusOf("guarded", 1)
	left := s.own(guard, cvmtest.DefaultCredential)
	for name := range s.Images("guarded") {
		if !slices.Contains(left, strings.TrimPrefix(name, guard+"-")) {
			writes = append(writes, write("delete", "cloudimages", name, 200))
		}
	}
	s.expect(func() {
		s.Kubectl("", strings.Fields(command)...)
		s.UntilSynced("guarded")
	}, append(pages("default", guard, 4), byID(guard, 6)...), writes)
	s.agrees("guarded", guard+"-", left)
}

// switchPolicy makes a query release its objects and create them again. Its images in status stay. Neither grace period
// nor breaker apply.
func (s *suite) switchPolicy() {
	s.apply("choosy", policy, "selection: {groupBy: [None]}, cloudImages: {policy: All}")
	query := s.UntilSynced("choosy")
	if len(query.Status.Selected) != 1 {
		s.t.Fatalf("selected is %+v, want the newest image", query.Status.Selected)
	}
	selected := policy + "-" + query.Status.Selected[0].ImageID
	var others []string
	for name, image := range s.Images("choosy") {
		want := imagev1alpha1.QueryMember
		if name == selected {
			want = imagev1alpha1.QuerySelected
		} else {
			others = append(others, name)
		}
		if got := image.Labels[imagev1alpha1.LabelQueryPrefix+"choosy"]; got != want {
			s.t.Errorf("the label of %s is %q, want %q", name, got, want)
		}
	}
	each := func(verb string, code int32, names ...string) []string {
		out := statusOf("choosy", 2)
		for _, name := range names {
			out = append(out, write(verb, "cloudimages", name, code))
		}
		return out
	}
	for _, step := range []struct {
		policy string
		writes []string
	}{
		{"Selected", each("delete", 200, others...)},
		{"None", each("delete", 200, selected)},
		{"All", each("create", 201, append(others, selected)...)},
	} {
		s.expect(func() {
			s.apply("choosy", policy, "selection: {groupBy: [None]}, cloudImages: {policy: "+step.policy+"}")
		}, pages("default", policy, 10), step.writes)
		if got := len(s.UntilSynced("choosy").Status.Images); got != 10 {
			s.t.Errorf("with the policy %s, status has %d images, want 10", step.policy, got)
		}
	}
}
