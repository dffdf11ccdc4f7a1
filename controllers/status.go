// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// maxRemoving bounds status.removing and status.pendingRemoval. The objects have the complete list.
const maxRemoving = 100

// statusBuilder builds the next status of a query.
type statusBuilder struct {
	status     *imagev1alpha1.ImageQueryStatus
	generation int64
	now        time.Time
}

// buildStatus starts from a copy of the current status that observes the current generation.
func buildStatus(query *imagev1alpha1.ImageQuery, now time.Time) statusBuilder {
	status := query.Status.DeepCopy()
	status.ObservedGeneration = query.Generation
	return statusBuilder{status: status, generation: query.Generation, now: now}
}

func (e statusBuilder) set(conditionType string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&e.status.Conditions, metav1.Condition{
		Type: conditionType, Status: value, Reason: reason, Message: shorten(sentence(message)),
		ObservedGeneration: e.generation, LastTransitionTime: metav1.NewTime(e.now.Truncate(time.Second)),
	})
}

// keepConditions removes all conditions except Ready, Selected and the given ones.
func (e statusBuilder) keepConditions(keep ...string) {
	keep = append(keep, imagev1alpha1.ConditionReady, imagev1alpha1.ConditionSelected)
	e.status.Conditions = slices.DeleteFunc(e.status.Conditions, func(c metav1.Condition) bool { return !slices.Contains(keep, c.Type) })
	if !meta.IsStatusConditionTrue(e.status.Conditions, imagev1alpha1.ConditionRemovalBlocked) {
		e.status.PendingRemoval = nil
	}
}

// decided sets Selected from a decision.
func (e statusBuilder) decided(d selection.Decision) {
	if len(d.Selection.Retained) > 0 {
		e.set(imagev1alpha1.ConditionSelected, metav1.ConditionTrue, imagev1alpha1.ReasonKept, keptNote(d))
		return
	}
	e.selectedOrNot(maps.Values(d.Selection.Verdicts))
}

// selectedOrNot sets Selected from status.selected. If nothing is selected, the message counts the verdicts.
func (e statusBuilder) selectedOrNot(verdicts iter.Seq[imagev1alpha1.SelectionVerdict]) {
	if len(e.status.Selected) == 0 {
		e.set(imagev1alpha1.ConditionSelected, metav1.ConditionFalse, imagev1alpha1.ReasonNothingSelected, nothingSelected(verdicts))
		return
	}
	e.set(imagev1alpha1.ConditionSelected, metav1.ConditionTrue, imagev1alpha1.ReasonSelected, selectedMessage(e.status.Selected))
}

// undecided sets Selected when there is no new decision. It stays unchanged while the selection does, since status
// doesn't show why an image is kept.
func (e statusBuilder) undecided(query *imagev1alpha1.ImageQuery) {
	synced, last := e.status.SyncedGeneration == e.generation, meta.FindStatusCondition(e.status.Conditions, imagev1alpha1.ConditionSelected)
	same := last != nil && slices.Equal(selection.SelectedIDs(e.status.Selected), selection.SelectedIDs(query.Status.Selected))
	switch {
	case len(e.status.Selected) == 0 && !synced:
		e.set(imagev1alpha1.ConditionSelected, metav1.ConditionUnknown, imagev1alpha1.ReasonProgressing,
			"this generation of the spec has not been synced yet, and nothing is selected")
	case same && last.Status != metav1.ConditionUnknown:
		e.set(imagev1alpha1.ConditionSelected, last.Status, last.Reason, last.Message)
	default:
		e.selectedOrNot(verdictsOf(e.status.Images))
	}
}

// progressing returns the status of a generation that was not synced yet. Edits take effect at once: images of another
// region or account are removed, and so is what the new spec excludes.
func progressing(query *imagev1alpha1.ImageQuery, m selection.Matcher, k selection.Known, now time.Time) *imagev1alpha1.ImageQueryStatus {
	e := buildStatus(query, now)
	e.applyEdit(query, m, k)
	e.set(imagev1alpha1.ConditionReady, metav1.ConditionUnknown, imagev1alpha1.ReasonProgressing,
		"this generation of the spec has not been synced yet"+e.pinNote(query))
	e.undecided(query)
	e.set(imagev1alpha1.ConditionReconciling, metav1.ConditionTrue, imagev1alpha1.ReasonProgressing,
		"the cloud is asked for this generation of the spec")
	e.keepConditions(imagev1alpha1.ConditionReconciling)
	return e.fitted(query)
}

// suspended returns the status of a suspended query. Ready keeps its status and gets the reason Suspended.
func suspended(query *imagev1alpha1.ImageQuery, m selection.Matcher, k selection.Known, now time.Time) *imagev1alpha1.ImageQueryStatus {
	e := buildStatus(query, now)
	e.applyEdit(query, m, k)
	value := metav1.ConditionUnknown
	if ready := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionReady); ready != nil {
		value = ready.Status
	}
	e.set(imagev1alpha1.ConditionReady, value, imagev1alpha1.ReasonSuspended,
		"spec.suspend is true: until it is false, the cloud is not asked, and what is known stays as it is"+e.pinNote(query))
	e.undecided(query)
	e.keepConditions(imagev1alpha1.ConditionRemovalBlocked)
	return e.fitted(query)
}

// pinNote explains pins that are not selected before the cloud has answered. Nothing is known before the first listing.
func (e statusBuilder) pinNote(query *imagev1alpha1.ImageQuery) string {
	if !selection.SameScope(e.status.ObservedQuery, selection.ObservedQuery(query)) {
		return ""
	}
	return pinNote(query, selection.SelectedIDs(e.status.Selected), func(id string) string {
		i := slices.IndexFunc(e.status.Images, func(image imagev1alpha1.ImageSummary) bool { return image.ImageID == id })
		if i < 0 {
			return "no known member"
		}
		return string(e.status.Images[i].Selection)
	})
}

// applyEdit removes images that the new spec excludes regardless of the next listing.
func (e statusBuilder) applyEdit(query *imagev1alpha1.ImageQuery, m selection.Matcher, k selection.Known) {
	s, asked := e.status, selection.ObservedQuery(query)
	if s.ObservedQuery == "" || s.SyncedGeneration == query.Generation {
		return
	}
	if !selection.SameScope(s.ObservedQuery, asked) {
		if len(s.Images)+len(s.Selected)+len(s.Removing) > 0 {
			s.Images, s.ImageCount, s.ImagesTruncated, s.Removing = nil, ptr.To[int32](0), new(false), nil
			e.setSelected(nil, imagev1alpha1.SelectedSpecChanged)
			e.revise(selection.Hash(s.Revision, asked))
		}
		return
	}
	images := slices.DeleteFunc(slices.Clone(s.Images), func(i imagev1alpha1.ImageSummary) bool {
		return m.Distrusts(k.Best(selection.FromSummary(i)))
	})
	selected := slices.DeleteFunc(slices.Clone(s.Selected), func(i imagev1alpha1.SelectedImage) bool {
		image := k.Best(selection.FromSelected(i))
		return m.Distrusts(image) || selection.Selector{Spec: &query.Spec}.Distrusts(image)
	})
	markUntrusted(images, selected)
	if query.Status.ObservedGeneration != query.Generation {
		selected = selectKnown(query, k, e.now, images, selected)
	}
	removed := len(s.Images) - len(images)
	if removed == 0 && slices.Equal(selection.SelectedIDs(s.Selected), selection.SelectedIDs(selected)) {
		return
	}
	if s.Images = images; len(images) == 0 {
		s.Images = nil
	}
	s.ImageCount = new(max(0, ptr.Deref(s.ImageCount, 0)-int32(removed)))
	e.setSelected(selected, selection.EditReason(query, selection.SelectedIDs(selected)))
	e.revise(selection.Hash(s.Revision, images, selected))
}

// selectKnown returns the selection after an edit, from the known images, until the next poll. It updates the verdicts
// in images.
func selectKnown(query *imagev1alpha1.ImageQuery, k selection.Known, now time.Time, images []imagev1alpha1.ImageSummary,
	selected []imagev1alpha1.SelectedImage) []imagev1alpha1.SelectedImage {
	rules, err := selection.NewRules(&query.Spec)
	if err != nil {
		return selected // the next poll reports the error
	}
	again, enough := rules.SelectKnown(query, k, now)
	if !enough {
		return selected
	}
	boundSelection(&again)
	for i := range images {
		images[i].Selection = cmp.Or(again.Verdicts[images[i].ImageID], images[i].Selection)
	}
	return selectedImages(again.Selected)
}

// markUntrusted updates the verdicts of members that an edit deselected.
func markUntrusted(images []imagev1alpha1.ImageSummary, selected []imagev1alpha1.SelectedImage) {
	ids := selection.SelectedIDs(selected)
	for i := range images {
		if images[i].Selection == imagev1alpha1.VerdictSelected && !slices.Contains(ids, images[i].ImageID) {
			images[i].Selection = imagev1alpha1.VerdictUntrustedCreator
		}
	}
}

// statusAfterPoll returns the status that shows the result of a poll.
func statusAfterPoll(query *imagev1alpha1.ImageQuery, o *pollResult, m *pollState, maxImages int, now time.Time,
) *imagev1alpha1.ImageQueryStatus {
	e := buildStatus(query, now)
	if o.requestedAt != "" {
		e.status.LastHandledReconcileAt = o.requestedAt
	}
	if o.published {
		e.publish(query, o, maxImages)
	}
	if o.failure == nil {
		e.synced(query, o)
	} else {
		e.failed(query, o, lastSuccess(query, m))
	}
	if o.published {
		e.decided(o.Decision)
	} else {
		e.undecided(query)
	}
	e.fitted(query)
	e.stampSync(query, lastSuccess(query, m))
	return e.status
}

// publish sets the fields that show a decision.
func (e statusBuilder) publish(query *imagev1alpha1.ImageQuery, o *pollResult, maxImages int) {
	s := e.status
	reason := selection.Reason(query, o.Decision)
	s.SyncedGeneration = query.Generation
	s.ObservedQuery = selection.ObservedQuery(query)
	s.ListedCount = count(len(o.Listing.Images) + o.Listing.Skipped)
	s.ImageCount = count(len(o.Members))
	s.Images = shown(query, o.Decision, maxImages)
	s.ImagesTruncated = new(len(o.Members) > len(s.Images))
	s.Removing = o.removing[:min(len(o.removing), maxRemoving)]
	if len(s.Removing) == 0 {
		s.Removing = nil
	}
	e.setSelected(selectedImages(o.Selection.Selected), reason)
	e.revise(selection.Hash(selection.ScopeOf(query), o.Members, o.Selection.IDs()))
}

func (e statusBuilder) revise(revision string) {
	if e.status.Revision != revision {
		e.status.Revision = revision
		e.status.LastChangeTime = new(metav1.NewTime(e.now.Truncate(time.Second)))
	}
}

func count(n int) *int32 { return new(int32(n)) }

func (e statusBuilder) synced(query *imagev1alpha1.ImageQuery, o *pollResult) {
	reason, message := imagev1alpha1.ReasonSynced, o.funnel.String()
	if len(o.Members) == 0 {
		reason = imagev1alpha1.ReasonNoImagesMatched
	}
	if o.funnel.Matching == 0 {
		message += nearestNote(o.funnel)
	}
	message += listingNote(query.Spec.InstanceType, o.Listing)
	if o.Blocked != nil {
		reason = imagev1alpha1.ReasonRemovalBlocked
		message += blockedNote(query, *o.Blocked)
	}
	message += removingNote(o.removing) + objectlessNote(query, o.Decision) + leftOutNote(o.leftOut) + selectionNotes(query, o.Decision)
	e.set(imagev1alpha1.ConditionReady, metav1.ConditionTrue, reason, message)
	e.blocked(query, o)
	e.keepConditions(imagev1alpha1.ConditionRemovalBlocked)
}

// blocked sets or removes RemovalBlocked and status.pendingRemoval.
func (e statusBuilder) blocked(query *imagev1alpha1.ImageQuery, o *pollResult) {
	if o.Blocked == nil {
		meta.RemoveStatusCondition(&e.status.Conditions, imagev1alpha1.ConditionRemovalBlocked)
		return
	}
	e.status.PendingRemoval = pendingRemoval(o.Decision)
	// The message is nothing but the command, so that it can be copied.
	meta.SetStatusCondition(&e.status.Conditions, metav1.Condition{
		Type: imagev1alpha1.ConditionRemovalBlocked, Status: metav1.ConditionTrue, Reason: imagev1alpha1.ReasonRemovalBlocked,
		Message:            approveCommand(query, o.Blocked.Token(e.status.Revision)),
		ObservedGeneration: e.generation, LastTransitionTime: metav1.NewTime(e.now.Truncate(time.Second)),
	})
}

// pendingRemoval returns the images that an approval would remove, selected ones first, in the order of status.images.
func pendingRemoval(v selection.Decision) []imagev1alpha1.PendingRemoval {
	var pending []imagev1alpha1.PendingRemoval
	selected := selection.IDsOf(v.Selection.Selected)
	members := slices.Clone(v.Members)
	slices.SortStableFunc(members, func(a, b catalog.Image) int { return selection.FalseFirst(!selected[a.ID], !selected[b.ID]) })
	for _, image := range members {
		if reason := v.Blocked.Leaving[image.ID]; reason != "" && len(pending) < maxRemoving {
			pending = append(pending, imagev1alpha1.PendingRemoval{ImageID: image.ID, Name: image.Name, Reason: reason})
		}
	}
	return pending
}

// failed keeps Ready=True while the data is fresh and answers this generation, so that clients that wait for Ready
// don't notice one failed poll.
func (e statusBuilder) failed(query *imagev1alpha1.ImageQuery, o *pollResult, success time.Time) {
	f := o.failure
	if o.published {
		e.blocked(query, o)
	}
	if f.reason == imagev1alpha1.ReasonTooFewImages {
		e.status.ListedCount = count(len(o.Listing.Images) + o.Listing.Skipped)
	}
	fresh := e.status.SyncedGeneration == query.Generation && e.now.Before(staleAt(query, success))
	message := f.message + ". " + knownStill(e.status, o, success) + " " + nextTry(query, f)
	if fresh {
		e.set(imagev1alpha1.ConditionReady, metav1.ConditionTrue, imagev1alpha1.ReasonRetrying,
			fmt.Sprintf("no poll has succeeded since %s (%s): %s", success.UTC().Format(time.RFC3339), f.reason, message))
	} else {
		e.set(imagev1alpha1.ConditionReady, metav1.ConditionFalse, f.reason, message)
	}
	switch {
	case f.stalled:
		e.set(imagev1alpha1.ConditionStalled, metav1.ConditionTrue, f.reason, message)
		e.keepConditions(imagev1alpha1.ConditionStalled)
	case !fresh:
		e.set(imagev1alpha1.ConditionReconciling, metav1.ConditionTrue, imagev1alpha1.ReasonProgressingWithRetry, message)
		e.keepConditions(imagev1alpha1.ConditionReconciling, imagev1alpha1.ConditionRemovalBlocked)
	default:
		e.keepConditions(imagev1alpha1.ConditionRemovalBlocked)
	}
}

// stampSync sets lastSyncTime to the last success if anything else changed, or if the stored time is so old that the
// operator could seem dead.
func (e statusBuilder) stampSync(query *imagev1alpha1.ImageQuery, success time.Time) {
	if success.IsZero() {
		return
	}
	shown := e.status.LastSyncTime
	due := shown == nil || success.Sub(shown.Time) >= max(2*query.Spec.Interval.Duration, 5*time.Minute)
	if due || !equality.Semantic.DeepEqual(*e.status, query.Status) {
		e.status.LastSyncTime = new(metav1.NewTime(success.Truncate(time.Second)))
	}
}

// fitted returns the status within the size limit. An unchanged status fits.
func (e statusBuilder) fitted(query *imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQueryStatus {
	if !equality.Semantic.DeepEqual(*e.status, query.Status) {
		truncateToSize(query, e.status)
	}
	return e.status
}
