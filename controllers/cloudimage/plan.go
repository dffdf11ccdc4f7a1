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

// Step brings one CloudImage to the state desired by a query.
type Step struct {
	Name string

	// Current is the cached object, or nil. It is shared with the cache: read only.
	Current *Entry

	// Desire computes the desired object. It is called again if the object differs from Current.
	Desire Desire

	// Result is the object after the step.
	Result *imagev1alpha1.CloudImage
}

// Desire computes the desired object from the current one. Either is nil if there is no object.
type Desire func(c Claim, current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage

// Plan is a list of steps in order of names. Keep runs before Release, so that consumers always find the new image
// before the old one goes.
type Plan struct {
	Keep, Release []Step

	// Removing are the images in their grace period after the plan, in order of deletion.
	Removing []imagev1alpha1.RemovingImage

	// LeftOut is what the query lacks on objects that need no step.
	LeftOut LeftOut
}

func (p Plan) Empty() bool { return len(p.Keep)+len(p.Release) == 0 }

// MakePlan computes the steps from the query's existing objects, by name, to those of a decision.
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

// LabelPlan returns the steps that bring the query's label on its members to its spec and status.selected, before a poll has
// answered an edit. An excluded image loses the label only: the next poll starts its grace period.
func (c Claim) LabelPlan(existing map[string]*Entry) []Step {
	selected := map[string]bool{}
	for _, id := range selection.SelectedIDs(c.Query.Status.Selected) {
		selected[id] = true
	}
	matcher := selection.Matcher{Match: &c.Query.Spec.Match}
	var steps []Step
	for name, current := range existing {
		if !c.InScope(current.CloudImage) || !c.IsMember(current.CloudImage) {
			continue
		}
		value := imagev1alpha1.QueryMember
		switch {
		case selected[current.Image.ID]:
			value = imagev1alpha1.QuerySelected
		case matcher.Distrusts(FromRecord(&current.Image)):
			value = ""
		}
		steps = c.add(steps, name, current, labelling(value))
	}
	slices.SortFunc(steps, byName)
	return steps
}

// labelling desires a value of the query's label on a member's object, or none if it is "".
func labelling(value string) Desire {
	return func(c Claim, current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
		if current == nil || !c.IsMember(current) {
			return current
		}
		desired := *current
		desired.Labels = merged(desired.Labels, map[string]string{c.Label(): value})
		c.recomputeShared(&desired, "")
		return &desired
	}
}

// keeping desires a member's object. If only status knows the image, an existing object keeps its record and none is
// created: the next poll would take an incomplete record for a complete one.
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

// add appends a step unless the object is already as desired. A terminating object counts as absent.
func (c Claim) add(steps []Step, name string, current *Entry, desire Desire) []Step {
	if current != nil && current.DeletionTimestamp != nil {
		current = nil
	}
	if !current.IsAt(desire(c, current.Object())) {
		steps = append(steps, Step{Name: name, Current: current, Desire: desire})
	}
	return steps
}

// removing returns the entry of status.removing for an object in its grace period. The object has the times. The reason
// comes from this decision, else from status or the object.
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

// NextRemoval returns when the next grace period ends after now, or zero.
func NextRemoval(removing []imagev1alpha1.RemovingImage, now time.Time) time.Time {
	for _, r := range removing {
		if r.DeleteAfter.After(now) {
			return r.DeleteAfter.Time
		}
	}
	return time.Time{}
}

// ForgetPlan removes the label of a deleted query from objects that other queries own. The garbage collector deletes
// those that only this query owned.
func (c Claim) ForgetPlan(existing map[string]*Entry) []Step {
	var steps []Step
	for name, current := range existing {
		byPeer := func(ref metav1.OwnerReference) bool { return isImageQuery(ref) && ref.Name != c.Query.Name }
		if !slices.ContainsFunc(current.OwnerReferences, byPeer) {
			continue
		}
		steps = c.add(steps, name, current, Claim.tidied)
	}
	slices.SortFunc(steps, byName)
	return steps
}

// tidied returns an object without labels and leaving entries of deleted queries.
func (c Claim) tidied(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	if current == nil {
		return nil
	}
	desired := *current
	c.recomputeShared(&desired, "")
	return &desired
}

func byName(a, b Step) int { return strings.Compare(a.Name, b.Name) }
