// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// step brings one CloudImage to what a query wants of it.
type step struct {
	name string

	// current is the object as the cache has it, nil if there is none. It is shared with the cache: read only.
	current *entry

	// desire says what the object should be; it is asked again when the object turns out to be another than current.
	desire desire

	// result is what the object was brought to.
	result *imagev1alpha1.CloudImage
}

// desire says what a claim makes of an object, given what it is (nil: there is none); nil means that it should not be.
type desire func(c claim, current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage

// plan is what to do, in order of names. What is let go comes after what is kept, so that a consumer always finds the
// new before the old goes.
type plan struct {
	keep, release []step

	// removing are the images that are in their grace period once the plan is carried out, the first to go first.
	removing []imagev1alpha1.RemovingImage

	// leftOut is what the query lacks on the objects that are as they should be.
	leftOut leftOut
}

func (p plan) empty() bool { return len(p.keep)+len(p.release) == 0 }

// makePlan compares what a good listing means with what is there of it: see Reconciler.existing.
func makePlan(c claim, v verdict, existing map[string]*entry) plan {
	var p plan
	selected, members := idsOf(v.choice.selected), idsOf(v.members)
	wanted := make(map[string]bool, len(v.members))
	for _, image := range v.withObjects(c.query.Spec.CloudImages.Policy) {
		name := objectNameOf(c.scope, image.ID)
		wanted[name] = true
		value := imagev1alpha1.QueryMember
		if selected[image.ID] {
			value = imagev1alpha1.QuerySelected
		}
		before := len(p.keep)
		p.keep = c.add(p.keep, name, existing[name], c.keeping(image, v.partial[image.ID], value))
		if len(p.keep) == before {
			p.leftOut.note(c.holder, existing[name].object())
		}
	}
	for name, current := range existing {
		if wanted[name] || !c.has(current.CloudImage) {
			continue
		}
		desire := desire(claim.release)
		if c.inScope(current.CloudImage) {
			id := current.Image.ID
			desire = departing{reason: v.leaving[id], member: members[id], stays: selected[id] || v.blocked != nil, gone: v.gone[id]}.letGo
		}
		p.release = c.add(p.release, name, current, desire)
		if c.inScope(current.CloudImage) && current.DeletionTimestamp == nil {
			p.removing = append(p.removing, c.removing(desire(c, current.CloudImage), v)...)
		}
	}
	slices.SortFunc(p.keep, byName)
	slices.SortFunc(p.release, byName)
	slices.SortFunc(p.removing, func(a, b imagev1alpha1.RemovingImage) int {
		if by := a.DeleteAfter.Compare(b.DeleteAfter.Time); by != 0 {
			return by
		}
		return strings.Compare(a.ImageID, b.ImageID)
	})
	return p
}

// keeping makes an object a member's. Where only status tells of the image, the object keeps the record that it has, and
// there is none without one: half of the facts would pass for all of them at the next poll.
func (c claim) keeping(image catalog.Image, partial bool, value string) desire {
	name, record := objectNameOf(c.scope, image.ID), toRecord(image, c.scope)
	return func(c claim, current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
		switch {
		case !partial:
			return c.keep(current, name, record, value)
		case current == nil:
			return nil
		}
		return c.keep(current, name, current.Image, value)
	}
}

// add appends a step unless nothing would change. An object on its way out counts as absent.
func (c claim) add(steps []step, name string, current *entry, desire desire) []step {
	if current != nil && current.DeletionTimestamp != nil {
		current = nil
	}
	if !current.isAt(desire(c, current.object())) {
		steps = append(steps, step{name: name, current: current, desire: desire})
	}
	return steps
}

// removing is the entry of status.removing for an object in its grace period. The object remembers the times; the
// reason is this poll's, or what status and the object say.
func (c claim) removing(desired *imagev1alpha1.CloudImage, v verdict) []imagev1alpha1.RemovingImage {
	if desired == nil {
		return nil
	}
	entry := c.leaving(desired)
	if entry == nil {
		return nil
	}
	id := desired.Image.ID
	reason := v.leaving[id]
	for _, before := range c.query.Status.Removing {
		if reason == "" && before.ImageID == id {
			reason = before.Reason
		}
	}
	if v.gone[id] || reason == "" && desired.Lifecycle.Presence == imagev1alpha1.PresenceGone {
		reason = imagev1alpha1.RemovedGone
	}
	if reason == "" {
		reason = imagev1alpha1.RemovedNotMatched
	}
	return []imagev1alpha1.RemovingImage{{ImageID: id, Reason: reason, Since: entry.Since, DeleteAfter: entry.DeleteAfter}}
}

// nextRemoval is when the next grace period ends after now; zero if none does.
func nextRemoval(removing []imagev1alpha1.RemovingImage, now time.Time) time.Time {
	for _, r := range removing {
		if r.DeleteAfter.After(now) {
			return r.DeleteAfter.Time
		}
	}
	return time.Time{}
}

// forgetPlan takes the label of a query that was deleted off what others own. What it alone owned is the garbage
// collector's.
func (c claim) forgetPlan(existing map[string]*entry) []step {
	var steps []step
	for name, current := range existing {
		if !slices.ContainsFunc(current.OwnerReferences, func(ref metav1.OwnerReference) bool { return isImageQuery(ref) && ref.Name != c.query.Name }) {
			continue
		}
		steps = c.add(steps, name, current, claim.tidied)
	}
	slices.SortFunc(steps, byName)
	return steps
}

// tidied is an object without what queries left on it that don't exist any more.
func (c claim) tidied(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	if current == nil {
		return nil
	}
	desired := *current
	c.settle(&desired, "")
	return &desired
}

func byName(a, b step) int { return strings.Compare(a.name, b.name) }
