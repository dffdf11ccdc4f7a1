// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/model"
)

// settling is how long a state may be inconsistent: objects are written before the status.
const settling = 10 * time.Second

// look checks the invariants. Each failure has a fixed message, since rapid compares messages to recognise a failure;
// details are logged.
func (l *life) look() {
	for _, invariant := range []func() error{
		l.refusedAsInvalid, l.wholeRecords, l.keptObjects, l.onBalance, l.decentMessages,
	} {
		if err := invariant(); err != nil {
			l.fail(err)
		}
	}
	l.settled(l.keptSelection)
	l.settled(l.syncedObjects)
	l.remember()
}

// fail ends the life.
func (l *life) fail(why any) {
	l.outer.t.Logf("%s: it ends: %v", time.Now().Format(time.TimeOnly), why)
	l.tb.Fatal(why)
}

// settled fails unless try succeeds soon.
func (l *life) settled(try func() error) {
	err := try()
	for deadline := time.Now().Add(settling); err != nil && time.Now().Before(deadline); err = try() {
		<-time.After(100 * time.Millisecond)
	}
	if err != nil {
		l.fail(err)
	}
}

// The API server never rejects a write as invalid, since the operator knows its own schema.
func (l *life) refusedAsInvalid() error {
	writes := l.api.Writes()
	for _, r := range writes[l.judged:] {
		if r.Code == http.StatusUnprocessableEntity && !r.Injected {
			l.tb.Logf("refused: %s", r)
			return fmt.Errorf("INVALID: the API server refused to %s %s as invalid", r.Verb, r.Resource)
		}
	}
	return nil
}

// Every stored record is complete. Otherwise missing fields would be taken for facts.
func (l *life) wholeRecords() error {
	for name, object := range l.Images("") {
		if i := object.Image; i.SizeGiB == 0 || i.State == "" || i.Type == "" || i.CreatedTime == nil {
			l.tb.Logf("the record of %s has the size %d, state %q, type %q, created %v", name, i.SizeGiB, i.State, i.Type, i.CreatedTime)
			return errors.New("HALF: a record lacks facts")
		}
	}
	return nil
}

// An image that exists all the time keeps its object.
func (l *life) keptObjects() error {
	objects := l.Images("")
	for name, uid := range l.uids {
		if now := string(objects[name].UID); now != uid {
			l.tb.Logf("the object of %s was %s and is %q", name, uid, now)
			return errors.New("LOST: an image was there all the time, and its object is gone or another one")
		}
	}
	return nil
}

// A selection is never emptied while some of its images exist.
func (l *life) keptSelection() error {
	all := l.cloudIDs()
	exists := func(id string) bool { return slices.Contains(all, id) }
	if len(l.find(golden).Status.Selected) == 0 && slices.ContainsFunc(l.selected, exists) {
		return fmt.Errorf("EMPTIED: nothing is selected any more, and was %v", l.selected)
	}
	return nil
}

// If as many images arrive as leave, removals aren't blocked. All images of a life have the same creator.
func (l *life) onBalance() error {
	if len(l.members) == 0 {
		return nil // a new query may begin with the listing of another one, some seconds old
	}
	query, shown := l.find(golden), l.shownIDs()
	left := slices.DeleteFunc(slices.Clone(l.members), func(id string) bool { return slices.Contains(shown, id) })
	came := 0
	for _, image := range l.cloud.Images(region) {
		if image.ImageState == "NORMAL" && slices.Contains(shown, image.ImageID) && !slices.Contains(l.members, image.ImageID) {
			came++
		}
	}
	if isSynced(query) && approval(query) != "" && came >= len(left) {
		l.tb.Logf("%d of %d members left and %d images came, and pending is %v", len(left), len(l.members), came, query.Status.PendingRemoval)
		return errors.New("HELD: as many images came as left, and removals are blocked")
	}
	return nil
}

func (l *life) decentMessages() error {
	for _, query := range l.all() {
		for _, c := range query.Status.Conditions {
			if strings.Contains(c.Message, cvmtest.DefaultCredential.SecretKey) || len([]rune(c.Message)) > 1024 {
				return fmt.Errorf("INDECENT: the message of %s is %q", c.Type, c.Message)
			}
		}
	}
	return nil
}

// A synced query has its label and owner reference on the object of each visible image.
func (l *life) syncedObjects() error {
	shown := l.shownIDs()
	objects := l.Images("")
	for _, query := range l.all() {
		if !isSynced(query) {
			continue
		}
		for _, image := range query.Status.Images {
			object := objects[region+"-"+image.ImageID]
			if query.Name != guest && slices.Contains(shown, image.ImageID) && asksForObject(query, image) && !bears(&object, query, image) {
				l.tb.Logf("of %s, %s has the labels %v and the owners %v", query.Name, image.ImageID, object.Labels, object.OwnerReferences)
				return fmt.Errorf("UNTRUE: %s is synced, and the object of an image lacks its label or owner reference", query.Name)
			}
		}
	}
	return nil
}

// asksForObject reports whether a query's policy gives an image an object.
func asksForObject(query *imagev1alpha1.ImageQuery, image imagev1alpha1.ImageSummary) bool {
	switch query.Spec.CloudImages.Policy {
	case imagev1alpha1.CloudImagesNone:
		return false
	case imagev1alpha1.CloudImagesSelected:
		return selects(query, image.ImageID)
	case imagev1alpha1.CloudImagesAll:
	}
	return true
}

func selects(query *imagev1alpha1.ImageQuery, id string) bool {
	return slices.ContainsFunc(query.Status.Selected, func(s imagev1alpha1.SelectedImage) bool { return s.ImageID == id })
}

// bears reports whether an object has the label and owner reference of a member.
func bears(object *imagev1alpha1.CloudImage, query *imagev1alpha1.ImageQuery, image imagev1alpha1.ImageSummary) bool {
	want := imagev1alpha1.QueryMember
	if selects(query, image.ImageID) {
		want = imagev1alpha1.QuerySelected
	}
	return object.Labels[imagev1alpha1.LabelQueryPrefix+query.Name] == want &&
		slices.ContainsFunc(object.OwnerReferences, func(ref metav1.OwnerReference) bool { return ref.UID == query.UID })
}

// isSynced reports whether the last poll of a query succeeded.
func isSynced(query *imagev1alpha1.ImageQuery) bool {
	ready := kit.Ready(query)
	return query.DeletionTimestamp == nil && query.Status.SyncedGeneration == query.Generation &&
		ready.Status == metav1.ConditionTrue && (ready.Reason == imagev1alpha1.ReasonSynced || ready.Reason == imagev1alpha1.ReasonRemovalBlocked)
}

// shownIDs returns the images in listings.
func (l *life) shownIDs() []string {
	var ids []string
	for _, image := range l.cloud.Images(region) {
		ids = append(ids, image.ImageID)
	}
	return l.lied.shows(ids)
}

// exempt removes images from the remembered state that don't exist all the time: deleted ones, and those that listings
// lack without being inconsistent.
func (l *life) exempt() {
	there := l.cloudIDs()
	if l.lied.consistent() {
		there = l.shownIDs()
	}
	for name := range l.uids {
		if !slices.Contains(there, strings.TrimPrefix(name, region+"-")) {
			delete(l.uids, name)
		}
	}
}

// remember records the state that must stay.
func (l *life) remember() {
	l.judged = len(l.api.Writes())
	for name, object := range l.Images(golden) {
		l.uids[name] = string(object.UID)
	}
	l.exempt()
	l.selected, l.members = nil, nil
	status := l.find(golden).Status
	for _, image := range status.Selected {
		l.selected = append(l.selected, image.ImageID)
	}
	for _, image := range status.Images {
		if image.Selection != imagev1alpha1.VerdictHeldBack {
			l.members = append(l.members, image.ImageID)
		}
	}
}

// quiet fails unless, without changes, the number of requests soon drops to that of retries.
func (l *life) quiet() {
	const window, windows = 3 * time.Second, 6
	most := len(l.all())
	var counts []int
	for range windows {
		before := l.listed()
		<-time.After(window)
		asked := l.listed() - before
		if counts = append(counts, asked); asked <= most {
			return
		}
	}
	l.tb.Logf("%d queries had %v listings made in times of %s each", most, counts, window)
	l.fail("STORM: nothing changes, and the cloud is asked all the time")
}

// listed counts the requested listings.
func (l *life) listed() int {
	return len(slices.DeleteFunc(l.cloud.Requests(), func(r cvmtest.Request) bool { return len(r.ImageIDs) > 0 }))
}

// end heals the world, approves blocked removals, and checks that everything agrees. Then it deletes all queries.
func (l *life) end() {
	for name := range l.specs {
		l.edit(name, func(s *model.Spec) { s.Suspend = false })
	}
	l.tick()
	l.rest()
	l.approveAll()
	l.tick()
	l.rest()
	l.look()
	if err := l.labels(); err != nil {
		l.fail(err)
	}
	l.outer.clear()
	if err := l.refusedAsInvalid(); err != nil {
		l.fail(err)
	}
}

// labels returns the remaining labels of deleted queries.
func (l *life) labels() error {
	for name, object := range l.Images("") {
		for label := range object.Labels {
			if query, ok := strings.CutPrefix(label, imagev1alpha1.LabelQueryPrefix); ok && l.find(query) == nil {
				return fmt.Errorf("LEFTOVER: %s still has the label of %s, which was deleted", name, query)
			}
		}
	}
	return nil
}
