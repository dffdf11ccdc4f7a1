// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// report writes what a poll came to. A status that can't be written is kept for the next try, so that the cloud isn't
// asked again for it.
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
	r.recordImageEvents(query, before, o)
	return ctrl.Result{RequeueAfter: max(m.due.Sub(r.Clock.Now()), time.Millisecond)}, nil
}

// recordPoll logs what a poll came to, and makes an event of it when that is something new.
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

// recordImageEvents makes events of what consumers of the images should know: at most one of each kind for a poll.
func (r *Reconciler) recordImageEvents(query *imagev1alpha1.ImageQuery, before *imagev1alpha1.ImageQueryStatus, o *pollResult) {
	if message := selectionChange(before, &query.Status); message != "" {
		r.event(query, corev1.EventTypeNormal, imagev1alpha1.EventSelectionChanged, message)
	}
	if !o.published {
		return
	}
	if len(o.FactsChanged) > 0 {
		r.event(query, corev1.EventTypeWarning, imagev1alpha1.EventImageFactsChanged,
			"size, snapshots, operating system or creation time changed under the same id: "+enumerate(o.FactsChanged, 5))
	}
	if len(o.CreatorChanged) > 0 {
		r.event(query, corev1.EventTypeWarning, imagev1alpha1.EventCreatorChanged,
			"a selected image has the name of one selected before, but another creator: "+enumerate(o.CreatorChanged, 5)+"; match.creators admits only those you trust")
	}
}

// selectionChange is the message of the event about another selection, "" if it is the same.
func selectionChange(before, now *imagev1alpha1.ImageQueryStatus) string {
	if slices.Equal(selection.SelectedIDs(before.Selected), selection.SelectedIDs(now.Selected)) {
		return ""
	}
	name := func(s *imagev1alpha1.ImageQueryStatus) string { return cmp.Or(s.SelectedSummary, "nothing") }
	reason := imagev1alpha1.SelectedSpecChanged
	if len(now.Selected) > 0 && len(now.SelectedHistory) > 0 {
		reason = now.SelectedHistory[0].Reason
	}
	return fmt.Sprintf("selected is %s after %s (%s)", name(now), name(before), reason)
}

func (r *Reconciler) event(query *imagev1alpha1.ImageQuery, kind, word, message string) {
	r.Events.Eventf(query, nil, kind, word, "Poll", "%s", shorten(sentence(message)))
}

// lastReasonOf is the reason that the last poll of an earlier process came to, as far as its status tells.
func lastReasonOf(status *imagev1alpha1.ImageQueryStatus) string {
	if stalled := meta.FindStatusCondition(status.Conditions, imagev1alpha1.ConditionStalled); stalled != nil {
		return stalled.Reason
	}
	ready := meta.FindStatusCondition(status.Conditions, imagev1alpha1.ConditionReady)
	switch {
	case ready == nil || ready.Status == metav1.ConditionUnknown:
		return ""
	case ready.Reason == imagev1alpha1.ReasonRetrying:
		return "" // which failure it was is in the message only
	case ready.Status == metav1.ConditionTrue && ready.Reason != imagev1alpha1.ReasonRemovalBlocked:
		return imagev1alpha1.ReasonSynced
	}
	return ready.Reason
}
