// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// report writes the result of a poll to status. If the write fails, the result is kept and written later, without
// another poll.
func (r *Reconciler) report(ctx context.Context, query *imagev1alpha1.ImageQuery, m *pollState, o *pollResult) (ctrl.Result, error) {
	m.unwritten = o
	before := query.Status.DeepCopy()
	err := r.statusWriter().write(ctx, query, func(q *imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQueryStatus {
		return statusAfterPoll(q, o, m, r.MaxStatusImages, r.Clock.Now())
	})
	if errors.Is(err, errSuperseded) {
		m.unwritten = nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	m.unwritten = nil
	r.recordPoll(ctx, query, m, o)
	r.recordApproval(query, m, o)
	r.recordImageEvents(query, before, o)
	now := r.Clock.Now()
	return ctrl.Result{RequeueAfter: max(m.next(now).Sub(now), time.Millisecond)}, nil
}

// writeInterimStatus writes the status that a new spec requires before the cloud has answered. As in a poll, the revision is
// published after the labels of CloudImages were written.
func (r *Reconciler) writeInterimStatus(ctx context.Context, query *imagev1alpha1.ImageQuery,
	status func(*imagev1alpha1.ImageQuery, selection.Matcher, selection.Known, time.Time) *imagev1alpha1.ImageQueryStatus,
) error {
	existing, err := r.images.OfQuery(query.Name)
	if err != nil {
		return err
	}
	m := r.states.of(query)
	known, now := cloudimage.KnownOf(cloudimage.OwnerOf(query), existing, m.members), r.Clock.Now()
	known.Request = m.request
	next := func(q *imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQueryStatus {
		return status(q, selection.Matcher{Match: &q.Spec.Match}, known, now)
	}
	edited, before := query.DeepCopy(), query.Status.DeepCopy()
	edited.Status = *next(query)
	labels := r.relabel(ctx, edited, existing, now)
	if err := r.statusWriter().write(ctx, query, next); err != nil {
		return err
	}
	r.recordSelection(query, before, selection.Decision{
		WasSelected: known.SelectedOf(before.Selected), Selection: selection.Selection{Selected: known.SelectedOf(query.Status.Selected)},
	})
	return labels
}

// recordPoll logs a failed poll, counts the result, and emits an event if the reason differs from the last poll's.
func (r *Reconciler) recordPoll(ctx context.Context, query *imagev1alpha1.ImageQuery, m *pollState, o *pollResult) {
	log := ctrl.LoggerFrom(ctx)
	word, kind, message := imagev1alpha1.ReasonSynced, corev1.EventTypeNormal, o.funnel.String()
	if o.Blocked != nil {
		word, kind, message = imagev1alpha1.ReasonRemovalBlocked, corev1.EventTypeWarning, message+blockedNote(query, *o.Blocked)
	}
	if f := o.failure; f != nil {
		word, kind, message = f.reason, corev1.EventTypeWarning, f.message
		fields := []any{"reason", f.reason, "message", f.message, "failures", m.failures}
		if f.cause != nil {
			fields = append(fields, "code", f.cause.Code, "requestID", f.cause.RequestID)
		}
		log.Info("The poll failed", fields...)
	}
	r.Metrics.polled(word)
	if word != m.lastReason {
		m.lastReason = word
		r.event(query, kind, word, message)
	}
}

// recordImageEvents emits events for consumers of the images, at most one of each kind per poll.
func (r *Reconciler) recordImageEvents(query *imagev1alpha1.ImageQuery, before *imagev1alpha1.ImageQueryStatus, o *pollResult) {
	if !o.published {
		return
	}
	r.recordSelection(query, before, o.Decision)
	if len(o.FactsChanged) > 0 {
		r.event(query, corev1.EventTypeWarning, imagev1alpha1.EventImageFactsChanged,
			"size, snapshots, operating system or creation time changed under the same id: "+enumerate(o.FactsChanged, 5))
	}
	if len(o.CreatorChanged) > 0 {
		r.event(query, corev1.EventTypeWarning, imagev1alpha1.EventCreatorChanged,
			"a selected image has the name of one selected before, but another creator: "+enumerate(o.CreatorChanged, 5)+
				"; match.creators admits only those you trust")
	}
}

// recordSelection emits an event that names each group with a changed selection.
func (r *Reconciler) recordSelection(query *imagev1alpha1.ImageQuery, before *imagev1alpha1.ImageQueryStatus, d selection.Decision) {
	was := *query
	was.Status = *before
	if message := selectionChange(selection.Changes(&was, d)); message != "" {
		r.event(query, corev1.EventTypeNormal, imagev1alpha1.EventSelectionChanged, message)
	}
}

// selectionChange returns the message of the SelectionChanged event, group by group, or "".
func selectionChange(changes []selection.Change) string {
	var out []string
	for _, c := range changes {
		text := fmt.Sprintf("%s → %s: %s", namesOf(c.Left), namesOf(c.Came), reasonWords[c.Reason])
		if c.Group != "" {
			text = c.Group + ": " + text
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// namesOf lists images by id and name.
func namesOf(images []catalog.Image) string {
	names := make([]string, len(images))
	for i, image := range images {
		names[i] = fmt.Sprintf("%s (%s)", image.ID, cmp.Or(image.Name, "no name"))
	}
	return cmp.Or(enumerate(names, 3), "nothing")
}

// reasonWords are the texts of selection reasons in events.
var reasonWords = map[imagev1alpha1.SelectionReason]string{
	imagev1alpha1.SelectedFirst:       "the first selection",
	imagev1alpha1.SelectedNewImage:    "another image comes first now",
	imagev1alpha1.SelectedGone:        "the old image is no longer visible to these credentials",
	imagev1alpha1.SelectedNotMatched:  "the old image no longer matches",
	imagev1alpha1.SelectedNotNormal:   "the old image is no longer NORMAL",
	imagev1alpha1.SelectedDeprecated:  "the old image is deprecated",
	imagev1alpha1.SelectedSpecChanged: "the spec was changed",
	imagev1alpha1.SelectedAged:        "selection.minAge has passed",
	imagev1alpha1.SelectedPinned:      "selection.pin names it",
}

// recordApproval emits an event if an approval doesn't have the current token, once for each value of the annotation.
func (r *Reconciler) recordApproval(query *imagev1alpha1.ImageQuery, m *pollState, o *pollResult) {
	if m.approval == m.recordedApproval {
		return
	}
	m.recordedApproval = m.approval
	if o.Blocked == nil || m.approval == "" {
		return
	}
	r.event(query, corev1.EventTypeWarning, imagev1alpha1.EventApprovalRefused, fmt.Sprintf(
		"the value %q of approve-removal is not the token of what waits now, so nothing is removed; "+
			"to approve what waits now, run the command in the condition %s",
		m.approval, imagev1alpha1.ConditionRemovalBlocked))
}

func (r *Reconciler) event(query *imagev1alpha1.ImageQuery, kind, word, message string) {
	r.Events.Eventf(query, nil, kind, word, "Poll", "%s", shorten(sentence(message)))
}

// lastReasonOf returns the reason of an earlier process's last poll, as far as status shows it.
func lastReasonOf(status *imagev1alpha1.ImageQueryStatus) string {
	if stalled := meta.FindStatusCondition(status.Conditions, imagev1alpha1.ConditionStalled); stalled != nil {
		return stalled.Reason
	}
	ready := meta.FindStatusCondition(status.Conditions, imagev1alpha1.ConditionReady)
	switch {
	case ready == nil || ready.Status == metav1.ConditionUnknown:
		return ""
	case ready.Reason == imagev1alpha1.ReasonRetrying:
		return "" // the reason of the failure is only in the message
	case ready.Status == metav1.ConditionTrue && ready.Reason != imagev1alpha1.ReasonRemovalBlocked:
		return imagev1alpha1.ReasonSynced
	}
	return ready.Reason
}
