// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/apiproxy"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// scene is one step of the scenario: an action and its expected result.
type scene struct {
	name string
	act  func(*story)
	done func(*story) error
}

// scenes cover the operator's functions with four images and two queries, short enough to crash the manager at each
// write.
var scenes = []scene{
	{name: "first sync", act: func(s *story) {
		s.cloud.Put(region, s.images...)
		s.query(golden, "interval: 1m", "minImages: 0", "removal: {gracePeriod: 1s}", "selection: {orderBy: Name}")
		s.query("beside", "interval: 1m", "imageIDs: [img-crash003]")
		// The previous run's listing may be less than ten seconds old, and would be shared with a query that doesn't
		// request a poll.
		s.RequestPoll(golden, "first")
	}, done: func(s *story) error {
		return errors.Join(s.has(golden, imagev1alpha1.ReasonSynced, 4, 4), s.has("beside", imagev1alpha1.ReasonSynced, 1, 1))
	}},
	// From here on only its object is shared; its own polls aren't part of the scenario.
	{name: "one is suspended", act: func(s *story) { s.Patch("beside", `{"spec":{"suspend":true}}`) }, done: func(s *story) error {
		return s.is("beside", imagev1alpha1.ReasonSuspended)
	}},
	{name: "a change", act: func(s *story) {
		s.cloud.Update(region, "img-crash000", func(i *cvmtest.Image) { i.ImageDescription = "changed" })
		s.RequestPoll(golden, "change")
	}, done: func(s *story) error {
		if s.Images(golden)[region+"-img-crash000"].Image.Description != "changed" {
			return errNotYet
		}
		return s.has(golden, imagev1alpha1.ReasonSynced, 4, 4)
	}},
	{name: "removal through grace", act: func(s *story) {
		s.cloud.Delete(region, "img-crash001")
		s.RequestPoll(golden, "removal")
	}, done: func(s *story) error {
		if len(s.Query(golden).Status.Removing) > 0 || len(s.Images("")) != 3 {
			return errNotYet
		}
		return s.has(golden, imagev1alpha1.ReasonSynced, 3, 3)
	}},
	{name: "breaker", act: func(s *story) {
		s.cloud.Clear(region)
		s.RequestPoll(golden, "breaker")
	}, done: func(s *story) error { return s.has(golden, imagev1alpha1.ReasonRemovalBlocked, 3, 3) }},
	{name: "all is back", act: func(s *story) {
		s.cloud.Put(region, s.images[0], s.images[2], s.images[3])
		s.cloud.Update(region, "img-crash000", func(i *cvmtest.Image) { i.ImageDescription = "changed" })
		s.RequestPoll(golden, "back")
	}, done: func(s *story) error { return s.has(golden, imagev1alpha1.ReasonSynced, 3, 3) }},
	{name: "policy switch", act: func(s *story) {
		s.Patch(golden, `{"spec":{"cloudImages":{"policy":"Selected","maxImages":100}}}`)
	}, done: func(s *story) error {
		return s.has(golden, imagev1alpha1.ReasonSynced, 3, 1)
	}},
	{name: "query deletion", act: func(s *story) { s.Kubectl("", "delete", "imagequery", golden) }, done: func(s *story) error {
		left := s.Images("")
		for _, image := range left {
			if len(image.OwnerReferences) != 1 || image.Labels[imagev1alpha1.LabelQueryPrefix+golden] != "" {
				return fmt.Errorf("%s is %v of %v", image.Name, image.Labels, image.OwnerReferences)
			}
		}
		if len(left) != 1 {
			return fmt.Errorf("%d CloudImages are left", len(left))
		}
		return nil
	}},
}

// story is one run of the scenes.
type story struct {
	*world
	images  []cvmtest.Image
	crashed chan struct{}
}

// has returns an error unless a query has the reason, number of images and number of objects.
func (s *story) has(name, reason string, images, objects int) error {
	query := &imagev1alpha1.ImageQuery{}
	if err := s.Client.Get(s.t.Context(), client.ObjectKey{Name: name}, query); err != nil {
		return err
	}
	ready := kit.Ready(query)
	requested := query.Annotations[imagev1alpha1.AnnotationRequestedAt]
	if ready.Reason != reason || query.Status.SyncedGeneration != query.Generation || query.Status.LastHandledReconcileAt != requested ||
		len(query.Status.Images) != images || len(s.Images(name)) != objects {
		return fmt.Errorf("%s is %s in generation %d of %d with %d images and %d objects: %s", name, ready.Reason, query.Status.SyncedGeneration,
			query.Generation, len(query.Status.Images), len(s.Images(name)), ready.Message)
	}
	return nil
}

// is returns an error unless Ready of the current generation has a reason.
func (s *story) is(name, reason string) error {
	query := &imagev1alpha1.ImageQuery{}
	if err := s.Client.Get(s.t.Context(), client.ObjectKey{Name: name}, query); err != nil {
		return err
	}
	if ready := kit.Ready(query); ready.Reason != reason || query.Status.ObservedGeneration != query.Generation {
		return errNotYet
	}
	return nil
}

// outcome is compared between two runs.
type outcome struct {
	// After are the objects after each scene, without fields that differ between runs.
	After map[string][]string

	// Effects counts creations and deletions of each CloudImage, by any client.
	Effects map[string]int
}

// run runs the scenes. It restarts the manager whenever it is killed.
func (s *story) run() outcome {
	s.t.Helper()
	mark := s.Mark()
	out := outcome{After: map[string][]string{}, Effects: map[string]int{}}
	for _, scene := range scenes {
		scene.act(s)
		s.Until(scene.name, func(context.Context) error {
			select {
			case <-s.crashed:
				s.manager.Kill() // and wait for its end
				s.api.Resume()
				s.restart()
			default:
			}
			return scene.done(s)
		})
		out.After[scene.name] = s.canonical()
	}
	s.Kubectl("", "delete", "imagequery", "beside")
	s.Until("nothing is left", s.noObjects)
	for _, r := range s.RequestsSince(mark) {
		if r.Resource == "cloudimages" && r.Code < 300 && (r.Verb == "create" || r.Verb == "delete") {
			out.Effects[r.Verb+" "+r.Name]++
		}
	}
	s.cloud.Clear(region)
	return out
}

// canonical returns all ImageQueries and CloudImages as text, without identities, versions and times.
func (s *story) canonical() []string {
	s.t.Helper()
	var queries imagev1alpha1.ImageQueryList
	if err := s.Client.List(s.t.Context(), &queries); err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for i := range queries.Items {
		q := &queries.Items[i]
		q.ObjectMeta = metav1.ObjectMeta{Name: q.Name, Generation: q.Generation}
		out = append(out, plain(s.t, q))
	}
	for _, image := range s.Images("") {
		for i := range image.OwnerReferences {
			image.OwnerReferences[i].UID = ""
		}
		slices.SortFunc(image.OwnerReferences, func(a, b metav1.OwnerReference) int { return strings.Compare(a.Name, b.Name) })
		image.ObjectMeta = metav1.ObjectMeta{
			Name: image.Name, Labels: image.Labels, Annotations: image.Annotations, OwnerReferences: image.OwnerReferences,
		}
		out = append(out, plain(s.t, &image))
	}
	slices.Sort(out)
	return out
}

// plain returns an object as JSON without times.
func plain(t *testing.T, object any) string {
	t.Helper()
	encoded, err := json.Marshal(object)
	var tree any
	if err == nil {
		err = json.Unmarshal(encoded, &tree)
	}
	if err == nil {
		timeless(tree)
		encoded, err = json.Marshal(tree)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func timeless(tree any) {
	switch node := tree.(type) {
	case map[string]any:
		for _, key := range []string{
			"lastTransitionTime", "lastSyncTime", "lastChangeTime", "firstSeenTime", "selectedTime", "replacedTime", "since", "deleteAfter",
		} {
			delete(node, key)
		}
		for _, child := range node {
			timeless(child)
		}
	case []any:
		for _, child := range node {
			timeless(child)
		}
	}
}

// newStory returns a world for several runs.
func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{world: begin(t, 41), crashed: make(chan struct{}, 1)}
	for i := range 4 {
		s.images = append(s.images, image(fmt.Sprintf("img-crash%03d", i), fmt.Sprintf("node-%d", i)))
	}
	s.start()
	return s
}

// If the manager is killed in any phase of any write, the next one reaches the same state with the same number of
// creations and deletions.
func TestFault41AKillAtEveryWrite(t *testing.T) {
	s := newStory(t)
	mark, before := s.Mark(), len(s.api.Writes())
	want := s.run()
	var writes []string
	for _, r := range s.RequestsSince(mark) {
		if r.User == cluster.OperatorUser && r.Group == imagev1alpha1.Group && !slices.Contains([]string{"get", "list", "watch"}, r.Verb) {
			writes = append(writes, fmt.Sprintf("%d %s %s %s", r.Code, r.Verb, r.Resource, r.Name))
		}
	}
	if seen := len(s.api.Writes()) - before; seen != len(writes) {
		t.Errorf("the audit log has %d writes of the operator, and the proxy saw %d", len(writes), seen)
	}
	if len(writes) < 15 || len(writes) > 40 {
		t.Errorf("the scenario has %d writes, which is not what it was made for", len(writes))
	}
	t.Logf("the scenario has %d writes:\n%s", len(writes), strings.Join(writes, "\n"))

	step := 1
	if testing.Short() {
		step = 5
	}
	points, equal, missed := 0, 0, 0
	for write := 1; write <= len(writes); write += step {
		for _, phase := range []apiproxy.Phase{apiproxy.BeforeSent, apiproxy.BeforeReply, apiproxy.AfterReply} {
			name := fmt.Sprintf("write %d (%s), %s", write, writes[write-1], phase)
			killed := false
			s.api.CrashAt(write, phase, func() {
				killed = true
				s.manager.Kill()
				s.crashed <- struct{}{}
			})
			got := s.run()
			s.api.Resume()
			points++
			if !killed {
				missed++ // depending on timing, two writes may be one
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: it ends otherwise (-without a crash +with it):\n%s", name, diff)
				continue
			}
			equal++
		}
	}
	t.Logf("crash points: %d of %d end as without a crash (%d of them came after the last write of their run)", equal, points, missed)
}
