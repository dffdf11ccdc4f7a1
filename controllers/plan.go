// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// step brings one CloudImage to what a query wants of it.
type step struct {
	name string

	// current is the object as the cache has it, nil if there is none. It is shared with the cache: read only.
	current *imagev1alpha1.CloudImage

	// desire says what the object should be, given what it is (nil: there is none); nil means that it should not be.
	// It is asked again when the object turns out to be another than current.
	desire func(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage
}

// plan is what to do, in order of names. What is let go comes after what is kept, so that a consumer always finds the
// new before the old goes.
type plan struct {
	keep, release []step

	// removing are the images that are in their grace period once the plan is carried out, the first to go first.
	removing []imagev1alpha1.RemovingImage
}

func (p plan) empty() bool { return len(p.keep)+len(p.release) == 0 }

// makePlan compares what a good listing means with what is there of it: see Reconciler.existing.
func (c claim) makePlan(v verdict, existing map[string]*imagev1alpha1.CloudImage) plan {
	var p plan
	selected, members := idsOf(v.choice.selected), idsOf(v.members)
	wanted := make(map[string]bool, len(v.members))
	for _, image := range v.withObjects(c.query.Spec.CloudImages.Policy) {
		name := c.scope.objectName(image.ID)
		wanted[name] = true
		record, value := toRecord(image, c.scope), imagev1alpha1.QueryMember
		if selected[image.ID] {
			value = imagev1alpha1.QuerySelected
		}
		p.keep = c.add(p.keep, name, existing[name], func(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
			return c.keep(current, name, record, value)
		})
	}
	for name, current := range existing {
		if wanted[name] || !c.has(current) {
			continue
		}
		desire := c.release
		if c.inScope(current) {
			id := current.Image.ID
			desire = c.letGo(departing{reason: v.leaving[id], member: members[id], stays: selected[id] || v.blocked != nil, gone: v.gone[id]})
		}
		p.release = c.add(p.release, name, current, desire)
		if c.inScope(current) && current.DeletionTimestamp == nil {
			p.removing = append(p.removing, c.removing(desire(current), v)...)
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

// add appends a step unless nothing would change. An object on its way out counts as absent.
func (c claim) add(steps []step, name string, current *imagev1alpha1.CloudImage, desire func(*imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage) []step {
	if current != nil && current.DeletionTimestamp != nil {
		current = nil
	}
	if desired := desire(current); !sameObject(current, desired) {
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
	entry := c.entry(desired)
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
func (c claim) forgetPlan(existing map[string]*imagev1alpha1.CloudImage) []step {
	var steps []step
	for name, current := range existing {
		if !slices.ContainsFunc(current.OwnerReferences, func(ref metav1.OwnerReference) bool { return isImageQuery(ref) && ref.Name != c.query.Name }) {
			continue
		}
		steps = c.add(steps, name, current, func(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
			if current == nil {
				return nil
			}
			desired := *current
			c.settle(&desired, "")
			return &desired
		})
	}
	slices.SortFunc(steps, byName)
	return steps
}

func byName(a, b step) int { return strings.Compare(a.name, b.name) }
