// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	imagev1alpha1ac "github.com/image-catalog/image-catalog-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// fieldOwner names the operator in managedFields.
const fieldOwner = "image-catalog-operator"

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
func progressing(query *imagev1alpha1.ImageQuery, m matcher, known []catalog.Image, now time.Time) *imagev1alpha1.ImageQueryStatus {
	e := edit(query, now)
	e.applyEdit(query, m, known)
	e.set(imagev1alpha1.ConditionReady, metav1.ConditionUnknown, imagev1alpha1.ReasonProgressing, "this generation of the spec has not been synced yet")
	e.set(imagev1alpha1.ConditionReconciling, metav1.ConditionTrue, imagev1alpha1.ReasonProgressing, "the cloud is asked for this generation of the spec")
	e.only(imagev1alpha1.ConditionReconciling)
	return e.status
}

// suspended is the status of a query that is not polled: as it was, but for the reason.
func suspended(query *imagev1alpha1.ImageQuery, m matcher, known []catalog.Image, now time.Time) *imagev1alpha1.ImageQueryStatus {
	e := edit(query, now)
	e.applyEdit(query, m, known)
	value := metav1.ConditionUnknown
	if ready := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionReady); ready != nil {
		value = ready.Status
	}
	e.set(imagev1alpha1.ConditionReady, value, imagev1alpha1.ReasonSuspended, "spec.suspend is true: the cloud is not asked, and what is known stays as it is")
	e.only()
	return e.status
}

// applyEdit takes out of images what a new spec rules out by itself, before the cloud is asked.
func (e editor) applyEdit(query *imagev1alpha1.ImageQuery, m matcher, known []catalog.Image) {
	now := observedQuery(query)
	if e.status.ObservedQuery == "" || e.status.ObservedQuery == now {
		return
	}
	remaining := e.status.Images
	if sameScope(e.status.ObservedQuery, now) {
		facts := make(map[string]catalog.Image, len(known))
		for _, image := range known {
			facts[image.ID] = image
		}
		remaining = slices.DeleteFunc(slices.Clone(remaining), func(s imagev1alpha1.ImageSummary) bool {
			image, ok := facts[s.ImageID]
			return ok && m.distrusts(image)
		})
	} else {
		remaining = nil
	}
	removed := len(e.status.Images) - len(remaining)
	if removed == 0 {
		return
	}
	e.status.Images = remaining
	e.status.ImageCount = new(max(0, ptr.Deref(e.status.ImageCount, 0)-int32(removed)))
	if len(remaining) == 0 {
		e.status.ImageCount, e.status.ImagesTruncated = ptr.To[int32](0), new(false)
	}
	e.revise(hash(e.status.Revision, remaining))
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
		e.synced(o)
	} else {
		e.failed(query, o.failure, lastSuccess(query, m))
	}
	e.stampSync(query, lastSuccess(query, m))
	return e.status
}

// publish shows what the listing held.
func (e editor) publish(query *imagev1alpha1.ImageQuery, o *outcome, maxImages int) {
	s := e.status
	s.SyncedGeneration = query.Generation
	s.ObservedQuery = observedQuery(query)
	s.ListedCount = count(len(o.listing.Images) + o.listing.Skipped)
	s.ImageCount = count(len(o.members))
	s.ImagesTruncated = new(len(o.members) > maxImages)
	s.Images = summaries(o.members[:min(len(o.members), maxImages)])
	e.revise(hash(scopeOf(query), o.members))
}

func (e editor) revise(revision string) {
	if e.status.Revision != revision {
		e.status.Revision = revision
		e.status.LastChangeTime = new(metav1.NewTime(e.now.Truncate(time.Second)))
	}
}

func count(n int) *int32 { return new(int32(n)) }

func summaries(members []catalog.Image) []imagev1alpha1.ImageSummary {
	var out []imagev1alpha1.ImageSummary
	for _, image := range members {
		out = append(out, imagev1alpha1.ImageSummary{
			ImageID: image.ID, Name: image.Name, CreatedTime: optionalTime(image.CreatedTime), Architecture: image.Architecture,
		})
	}
	return out
}

func (e editor) synced(o *outcome) {
	reason, message := imagev1alpha1.ReasonSynced, fmt.Sprintf("%d of %d listed images match", len(o.members), len(o.listing.Images)+o.listing.Skipped)
	if len(o.members) == 0 {
		reason, message = imagev1alpha1.ReasonNoImagesMatched, fmt.Sprintf("none of %d listed images matches", len(o.listing.Images)+o.listing.Skipped)
	}
	e.set(imagev1alpha1.ConditionReady, metav1.ConditionTrue, reason, message+notes(o.listing))
	e.only()
}

// notes is what a person should know of a listing that was good enough.
func notes(l catalog.Listing) string {
	var out string
	if l.TagKeyNotFound {
		out += "; the cloud knows no image with the tag key that is asked for, so nothing was removed"
	}
	if l.Skipped > 0 {
		out += fmt.Sprintf("; %d entries without a valid image id were skipped", l.Skipped)
	}
	if l.Unsettled {
		out += "; the cloud's count and its list disagree, so nothing was removed"
	}
	return out
}

// failed keeps Ready while the data answers this generation and is fresh: one bad poll must not look like a lost
// catalogue to whatever waits for Ready.
func (e editor) failed(query *imagev1alpha1.ImageQuery, f *failure, success time.Time) {
	fresh := e.status.SyncedGeneration == query.Generation && e.now.Before(staleAt(query, success))
	message := f.message + ". " + kept(e.status, success) + " " + nextTry(query, f)
	if fresh {
		reason := imagev1alpha1.ReasonSynced
		if ptr.Deref(e.status.ImageCount, 0) == 0 {
			reason = imagev1alpha1.ReasonNoImagesMatched
		}
		e.set(imagev1alpha1.ConditionReady, metav1.ConditionTrue, reason,
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
		e.only(imagev1alpha1.ConditionReconciling)
	default:
		e.only()
	}
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

// errMoved says that the query is not the one that was read: it was deleted, or its spec changed. What was found out
// for it answers nothing any more.
var errMoved = errors.New("the query changed meanwhile")

// statusWriter writes the status of ImageQueries. Nothing else of an ImageQuery is ever written.
type statusWriter struct {
	client client.Client
	live   client.Reader
}

// write brings the status of a query to what next says, in one write, and in none if it is there already. The write
// carries the resourceVersion that was read; after a conflict the query is read again and next asked anew. The query
// is afterwards as the API server has it.
func (w statusWriter) write(ctx context.Context, query *imagev1alpha1.ImageQuery, next func(*imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQueryStatus) error {
	for range writeTries {
		status := next(query)
		if equality.Semantic.DeepEqual(*status, query.Status) {
			return nil
		}
		desired, err := applyConfiguration(query, status)
		if err != nil {
			return err
		}
		err = w.client.Status().Apply(ctx, desired, client.FieldOwner(fieldOwner), client.ForceOwnership)
		if err == nil {
			query.Status, query.ResourceVersion = *status, ptr.Deref(desired.ResourceVersion, query.ResourceVersion)
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			return fmt.Errorf("writing the status: %w", err)
		}
		now, err := reread(ctx, w.live, query)
		if err != nil {
			return err
		}
		now.DeepCopyInto(query)
	}
	return fmt.Errorf("writing the status: the query changed %d times meanwhile", writeTries)
}

// reread returns the query as the API server has it now, or errMoved.
func reread(ctx context.Context, live client.Reader, query *imagev1alpha1.ImageQuery) (*imagev1alpha1.ImageQuery, error) {
	now := &imagev1alpha1.ImageQuery{}
	err := live.Get(ctx, types.NamespacedName{Name: query.Name}, now)
	if apierrors.IsNotFound(err) {
		return nil, errMoved
	}
	if err != nil {
		return nil, fmt.Errorf("reading the query again: %w", err)
	}
	if now.UID != query.UID || now.Generation != query.Generation || now.DeletionTimestamp != nil {
		return nil, errMoved
	}
	return now, nil
}

// applyConfiguration is a whole status for server-side apply: what is left out is given up.
func applyConfiguration(query *imagev1alpha1.ImageQuery, status *imagev1alpha1.ImageQueryStatus) (*imagev1alpha1ac.ImageQueryApplyConfiguration, error) {
	raw, err := json.Marshal(status)
	if err != nil {
		return nil, fmt.Errorf("encoding the status: %w", err)
	}
	desired := &imagev1alpha1ac.ImageQueryStatusApplyConfiguration{}
	if err := json.Unmarshal(raw, desired); err != nil {
		return nil, fmt.Errorf("encoding the status: %w", err)
	}
	return imagev1alpha1ac.ImageQuery(query.Name).WithUID(query.UID).WithResourceVersion(query.ResourceVersion).WithStatus(desired), nil
}
