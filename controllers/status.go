// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// maxRemoving bounds status.removing; the objects themselves remember more.
const maxRemoving = 100

// maxImagesBytes bounds status.images as it is encoded: etcd takes objects of 1.5 MiB, and what is selected needs room as well.
// maxSummaryBytes is more than one summary ever takes: 255 characters of up to 6 bytes, and the other fields.
const (
	maxImagesBytes  = 1 << 20
	maxSummaryBytes = 2 << 10
)

// maxMessage bounds a condition's message. Kubernetes admits 32768; a person reads less.
const maxMessage = 1024

// editor writes conditions of one generation at one time.
type editor struct {
	status     *imagev1alpha1.ImageQueryStatus
	generation int64
	now        time.Time
}

// edit begins the next status of a query: a copy that observes its generation.
func edit(query *imagev1alpha1.ImageQuery, now time.Time) editor {
	status := query.Status.DeepCopy()
	status.ObservedGeneration = query.Generation
	return editor{status: status, generation: query.Generation, now: now}
}

func (e editor) set(conditionType string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&e.status.Conditions, metav1.Condition{
		Type: conditionType, Status: value, Reason: reason, Message: shorten(sentence(message)),
		ObservedGeneration: e.generation, LastTransitionTime: metav1.NewTime(e.now.Truncate(time.Second)),
	})
}

// only removes the conditions that are there while True, but for those named.
func (e editor) only(keep ...string) {
	e.status.Conditions = slices.DeleteFunc(e.status.Conditions, func(c metav1.Condition) bool {
		return c.Type != imagev1alpha1.ConditionReady && !slices.Contains(keep, c.Type)
	})
}

// progressing is the status of a generation that has not been synced yet. A person's edit acts at once: images of
// another region or account are no answer to it any more, and what it excludes is out.
func progressing(query *imagev1alpha1.ImageQuery, m matcher, k knowledge, now time.Time) *imagev1alpha1.ImageQueryStatus {
	e := edit(query, now)
	e.applyEdit(query, m, k)
	e.set(imagev1alpha1.ConditionReady, metav1.ConditionUnknown, imagev1alpha1.ReasonProgressing, "this generation of the spec has not been synced yet")
	e.set(imagev1alpha1.ConditionReconciling, metav1.ConditionTrue, imagev1alpha1.ReasonProgressing, "the cloud is asked for this generation of the spec")
	e.only(imagev1alpha1.ConditionReconciling)
	return e.status
}

// suspended is the status of a query that is not polled: as it was, but for the reason.
func suspended(query *imagev1alpha1.ImageQuery, m matcher, k knowledge, now time.Time) *imagev1alpha1.ImageQueryStatus {
	e := edit(query, now)
	e.applyEdit(query, m, k)
	value := metav1.ConditionUnknown
	if ready := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionReady); ready != nil {
		value = ready.Status
	}
	e.set(imagev1alpha1.ConditionReady, value, imagev1alpha1.ReasonSuspended, "spec.suspend is true: the cloud is not asked, and what is known stays as it is")
	e.only(imagev1alpha1.ConditionRemovalBlocked)
	return e.status
}

// applyEdit takes out of images and selected what a new spec rules out by itself, before the cloud is asked.
func (e editor) applyEdit(query *imagev1alpha1.ImageQuery, m matcher, k knowledge) {
	s, asked := e.status, observedQuery(query)
	if s.ObservedQuery == "" || s.ObservedQuery == asked {
		return
	}
	if !sameScope(s.ObservedQuery, asked) {
		if len(s.Images)+len(s.Selected)+len(s.Removing) > 0 {
			s.Images, s.ImageCount, s.ImagesTruncated, s.Removing = nil, ptr.To[int32](0), new(false), nil
			e.showSelected(nil, imagev1alpha1.SelectedSpecChanged)
			e.revise(hash(s.Revision, asked))
		}
		return
	}
	ruledOut := func(id string) bool {
		image, known := k.facts(id)
		if !known {
			return slices.Contains(m.match.ExcludeImageIDs, imagev1alpha1.ImageID(id))
		}
		return m.distrusts(image)
	}
	images := slices.DeleteFunc(slices.Clone(s.Images), func(i imagev1alpha1.ImageSummary) bool { return ruledOut(i.ImageID) })
	selected := slices.DeleteFunc(slices.Clone(s.Selected), func(i imagev1alpha1.SelectedImage) bool { return ruledOut(i.ImageID) })
	removed := len(s.Images) - len(images)
	if removed+len(s.Selected)-len(selected) == 0 {
		return
	}
	if s.Images = images; len(images) == 0 {
		s.Images = nil
	}
	s.ImageCount = new(max(0, ptr.Deref(s.ImageCount, 0)-int32(removed)))
	if len(selected) < len(s.Selected) {
		e.showSelected(selected, imagev1alpha1.SelectedSpecChanged)
	}
	e.revise(hash(s.Revision, images, selected))
}

// finished is the status after a poll.
func finished(query *imagev1alpha1.ImageQuery, o *outcome, m *memory, maxImages int, now time.Time) *imagev1alpha1.ImageQueryStatus {
	e := edit(query, now)
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
	e.stampSync(query, lastSuccess(query, m))
	return e.status
}

// publish shows what the listing held, and what it means.
func (e editor) publish(query *imagev1alpha1.ImageQuery, o *outcome, maxImages int) {
	s := e.status
	reason := selectionReason(query, o)
	s.SyncedGeneration = query.Generation
	s.ObservedQuery = observedQuery(query)
	s.ListedCount = count(len(o.listing.Images) + o.listing.Skipped)
	s.ImageCount = count(len(o.members))
	s.Images = fitting(summaries(o.members[:min(len(o.members), maxImages)], o.choice.verdicts))
	s.ImagesTruncated = new(len(o.members) > len(s.Images))
	s.Removing = o.removing[:min(len(o.removing), maxRemoving)]
	if len(s.Removing) == 0 {
		s.Removing = nil
	}
	e.showSelected(selectedImages(o.choice.selected, maxImages), reason)
	e.revise(hash(scopeOf(query), o.members, o.choice.ids()))
}

func (e editor) revise(revision string) {
	if e.status.Revision != revision {
		e.status.Revision = revision
		e.status.LastChangeTime = new(metav1.NewTime(e.now.Truncate(time.Second)))
	}
}

func count(n int) *int32 { return new(int32(n)) }

func summaries(members []catalog.Image, verdicts map[string]imagev1alpha1.SelectionVerdict) []imagev1alpha1.ImageSummary {
	var out []imagev1alpha1.ImageSummary
	for _, image := range members {
		out = append(out, imagev1alpha1.ImageSummary{
			ImageID: image.ID, Name: image.Name, CreatedTime: optionalTime(image.CreatedTime), Architecture: image.Architecture,
			Selection: verdicts[image.ID],
		})
	}
	return out
}

// fitting are as many summaries as an object may carry; without that, a status with many long names would never be written.
func fitting(images []imagev1alpha1.ImageSummary) []imagev1alpha1.ImageSummary {
	if len(images)*maxSummaryBytes <= maxImagesBytes {
		return images
	}
	size := 0
	for i := range images {
		encoded, _ := json.Marshal(&images[i]) // strings and times always encode
		if size += len(encoded) + 1; size > maxImagesBytes {
			return images[:i]
		}
	}
	return images
}

func (e editor) synced(query *imagev1alpha1.ImageQuery, o *outcome) {
	listed, matching := len(o.listing.Images)+o.listing.Skipped, len(o.members)-o.kept
	reason, message := imagev1alpha1.ReasonSynced, fmt.Sprintf("%d of %d listed images match", matching, listed)
	if len(o.members) == 0 {
		reason, message = imagev1alpha1.ReasonNoImagesMatched, fmt.Sprintf("none of %d listed images matches", listed)
	}
	message += notes(query.Spec.InstanceType, o.listing)
	if o.blocked != nil {
		reason = imagev1alpha1.ReasonRemovalBlocked
		message += o.blocked.note(query)
	}
	e.set(imagev1alpha1.ConditionReady, metav1.ConditionTrue, reason, message+selectionNotes(query, o.choice))
	e.blocked(query, o)
	e.only(imagev1alpha1.ConditionRemovalBlocked)
}

// blocked shows the removal that is held back, or that none is.
func (e editor) blocked(query *imagev1alpha1.ImageQuery, o *outcome) {
	if o.blocked == nil {
		meta.RemoveStatusCondition(&e.status.Conditions, imagev1alpha1.ConditionRemovalBlocked)
		return
	}
	// The whole message is a command, to be copied as it is.
	meta.SetStatusCondition(&e.status.Conditions, metav1.Condition{
		Type: imagev1alpha1.ConditionRemovalBlocked, Status: metav1.ConditionTrue, Reason: imagev1alpha1.ReasonRemovalBlocked,
		Message:            approveCommand(query, o.blocked.token(e.status.Revision)),
		ObservedGeneration: e.generation, LastTransitionTime: metav1.NewTime(e.now.Truncate(time.Second)),
	})
}

// notes is what a person should know of a listing that was good enough.
func notes(instanceType string, l catalog.Listing) string {
	var out string
	if l.TagKeyNotFound {
		out += "; the cloud knows no image with the tag key that is asked for, which counts as an empty list"
	}
	if l.Skipped > 0 {
		out += fmt.Sprintf("; %d entries without a valid image id were skipped", l.Skipped)
	}
	if l.Unsettled {
		out += "; the cloud's count and its list disagree, so nothing was removed"
		if instanceType != "" {
			out += " (if that stays, leave spec.instanceType out and name the images otherwise)"
		}
	}
	return out
}

// failed keeps Ready while the data answers this generation and is fresh: one bad poll must not look like a lost
// catalogue to whatever waits for Ready.
func (e editor) failed(query *imagev1alpha1.ImageQuery, o *outcome, success time.Time) {
	f := o.failure
	if o.published {
		e.blocked(query, o)
	}
	fresh := e.status.SyncedGeneration == query.Generation && e.now.Before(staleAt(query, success))
	message := f.message + ". " + kept(e.status, success) + " " + nextTry(query, f)
	if fresh {
		e.set(imagev1alpha1.ConditionReady, metav1.ConditionTrue, e.freshReason(),
			fmt.Sprintf("no poll has succeeded since %s (%s): %s", success.UTC().Format(time.RFC3339), f.reason, message))
	} else {
		e.set(imagev1alpha1.ConditionReady, metav1.ConditionFalse, f.reason, message)
	}
	switch {
	case f.stalled:
		e.set(imagev1alpha1.ConditionStalled, metav1.ConditionTrue, f.reason, message)
		e.only(imagev1alpha1.ConditionStalled)
	case !fresh:
		e.set(imagev1alpha1.ConditionReconciling, metav1.ConditionTrue, imagev1alpha1.ReasonProgressingWithRetry, message)
		e.only(imagev1alpha1.ConditionReconciling, imagev1alpha1.ConditionRemovalBlocked)
	default:
		e.only(imagev1alpha1.ConditionRemovalBlocked)
	}
}

// freshReason is what the last good poll came to.
func (e editor) freshReason() string {
	switch {
	case meta.IsStatusConditionTrue(e.status.Conditions, imagev1alpha1.ConditionRemovalBlocked):
		return imagev1alpha1.ReasonRemovalBlocked
	case ptr.Deref(e.status.ImageCount, 0) == 0:
		return imagev1alpha1.ReasonNoImagesMatched
	}
	return imagev1alpha1.ReasonSynced
}

func kept(status *imagev1alpha1.ImageQueryStatus, success time.Time) string {
	if success.IsZero() {
		return "No images are known yet."
	}
	return fmt.Sprintf("The %d images of %s are kept.", ptr.Deref(status.ImageCount, 0), success.UTC().Format(time.RFC3339))
}

func nextTry(query *imagev1alpha1.ImageQuery, f *failure) string {
	every := min(query.Spec.Interval.Duration, maxRetry)
	if f.stalled {
		return fmt.Sprintf("Somebody must act; it is tried again at once when the spec or the Secret changes, and by itself within %s", duration.ShortHumanDuration(every))
	}
	return fmt.Sprintf("It is tried again by itself within %s", duration.ShortHumanDuration(every))
}

// stampSync moves lastSyncTime to the last success whenever something else is written, and by itself only once it is
// so old that a reader might take the operator for dead.
func (e editor) stampSync(query *imagev1alpha1.ImageQuery, success time.Time) {
	if success.IsZero() {
		return
	}
	shown := e.status.LastSyncTime
	due := shown == nil || success.Sub(shown.Time) >= max(2*query.Spec.Interval.Duration, 5*time.Minute)
	if due || !equality.Semantic.DeepEqual(*e.status, query.Status) {
		e.status.LastSyncTime = new(metav1.NewTime(success.Truncate(time.Second)))
	}
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(first)) + s[size:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func shorten(s string) string {
	if runes := []rune(s); len(runes) > maxMessage {
		return string(runes[:maxMessage-1]) + "…"
	}
	return s
}
