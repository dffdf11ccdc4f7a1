// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// Step brings one CloudImage to what a query wants of it.
type Step struct {
	Name string

	// Current is the object as the cache has it, nil if there is none. It is shared with the cache: read only.
	Current *Entry

	// Desire says what the object should be; it is asked again when the object turns out to be another than current.
	Desire Desire

	// Result is what the object was brought to.
	Result *imagev1alpha1.CloudImage
}

// Desire says what a claim makes of an object, given what it is (nil: there is none); nil means that it should not be.
type Desire func(c Claim, current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage

// Plan is what to do, in order of names. What is let go comes after what is kept, so that a consumer always finds the
// new before the old goes.
type Plan struct {
	Keep, Release []Step

	// Removing are the images that are in their grace period once the plan is carried out, the first to go first.
	Removing []imagev1alpha1.RemovingImage

	// LeftOut is what the query lacks on the objects that are as they should be.
	LeftOut LeftOut
}

func (p Plan) Empty() bool { return len(p.Keep)+len(p.Release) == 0 }

// MakePlan compares what a good listing means with what is there of it: see Reconciler.existing.
func MakePlan(c Claim, v selection.Decision, existing map[string]*Entry) Plan {
	var p Plan
	selected, members := selection.IDsOf(v.Selection.Selected), selection.IDsOf(v.Members)
	wanted := make(map[string]bool, len(v.Members))
	for _, image := range v.WithObjects(c.Query.Spec.CloudImages.Policy) {
		name := ObjectName(c.Scope, image.ID)
		wanted[name] = true
		value := imagev1alpha1.QueryMember
		if selected[image.ID] {
			value = imagev1alpha1.QuerySelected
		}
		before := len(p.Keep)
		p.Keep = c.add(p.Keep, name, existing[name], c.keeping(image, v.Partial[image.ID], value))
		if len(p.Keep) == before {
			p.LeftOut.Note(c.Owner, existing[name].Object())
		}
	}
	for name, current := range existing {
		if wanted[name] || !c.has(current.CloudImage) {
			continue
		}
		desire := Desire(Claim.dropOwner)
		if c.InScope(current.CloudImage) {
			id := current.Image.ID
			desire = departure{
				reason: v.Leaving[id], member: members[id], stays: selected[id] || v.Blocked != nil, gone: v.Gone[id], replaced: v.InGrace[id].Replaced,
			}.startGrace
		}
		p.Release = c.add(p.Release, name, current, desire)
		if c.InScope(current.CloudImage) && current.DeletionTimestamp == nil {
			p.Removing = append(p.Removing, c.removing(desire(c, current.CloudImage), v)...)
		}
	}
	slices.SortFunc(p.Keep, byName)
	slices.SortFunc(p.Release, byName)
	slices.SortFunc(p.Removing, func(a, b imagev1alpha1.RemovingImage) int {
		if by := a.DeleteAfter.Compare(b.DeleteAfter.Time); by != 0 {
			return by
		}
		return strings.Compare(a.ImageID, b.ImageID)
	})
	return p
}

// keeping makes an object a member's. Where only status tells of the image, the object keeps the record that it has, and
// there is none without one: half of the facts would pass for all of them at the next poll.
func (c Claim) keeping(image catalog.Image, partial bool, value string) Desire {
	name, record := ObjectName(c.Scope, image.ID), toRecord(image, c.Scope)
	return func(c Claim, current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
		switch {
		case !partial:
			return c.ensureMember(current, name, record, value)
		case current == nil:
			return nil
		}
		return c.ensureMember(current, name, current.Image, value)
	}
}

// add appends a step unless nothing would change. An object on its way out counts as absent.
func (c Claim) add(steps []Step, name string, current *Entry, desire Desire) []Step {
	if current != nil && current.DeletionTimestamp != nil {
		current = nil
	}
	if !current.IsAt(desire(c, current.Object())) {
		steps = append(steps, Step{Name: name, Current: current, Desire: desire})
	}
	return steps
}

// removing is the entry of status.removing for an object in its grace period. The object remembers the times; the
// reason is this poll's, or what status and the object say.
func (c Claim) removing(desired *imagev1alpha1.CloudImage, v selection.Decision) []imagev1alpha1.RemovingImage {
	if desired == nil {
		return nil
	}
	entry := c.leaving(desired)
	if entry == nil {
		return nil
	}
	id := desired.Image.ID
	reason := v.Leaving[id]
	for _, before := range c.Query.Status.Removing {
		if reason == "" && before.ImageID == id {
			reason = before.Reason
		}
	}
	if v.Gone[id] || reason == "" && desired.Lifecycle.Presence == imagev1alpha1.PresenceGone {
		reason = imagev1alpha1.RemovedGone
	}
	if reason == "" {
		reason = imagev1alpha1.RemovedNotMatched
	}
	return []imagev1alpha1.RemovingImage{{ImageID: id, Reason: reason, Since: entry.Since, DeleteAfter: entry.DeleteAfter}}
}

// NextRemoval is when the next grace period ends after now; zero if none does.
func NextRemoval(removing []imagev1alpha1.RemovingImage, now time.Time) time.Time {
	for _, r := range removing {
		if r.DeleteAfter.After(now) {
			return r.DeleteAfter.Time
		}
	}
	return time.Time{}
}

// ForgetPlan takes the label of a query that was deleted off what others own. What it alone owned is the garbage
// collector's.
func (c Claim) ForgetPlan(existing map[string]*Entry) []Step {
	var steps []Step
	for name, current := range existing {
		if !slices.ContainsFunc(current.OwnerReferences, func(ref metav1.OwnerReference) bool { return isImageQuery(ref) && ref.Name != c.Query.Name }) {
			continue
		}
		steps = c.add(steps, name, current, Claim.tidied)
	}
	slices.SortFunc(steps, byName)
	return steps
}

// tidied is an object without what queries left on it that don't exist any more.
func (c Claim) tidied(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	if current == nil {
		return nil
	}
	desired := *current
	c.recomputeShared(&desired, "")
	return &desired
}

func byName(a, b Step) int { return strings.Compare(a.Name, b.Name) }
