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
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

const (
	// overwriteEvery is how often a status of somebody else's is overwritten, for each query: whoever writes it all the
	// time must not keep the API server busy through us.
	overwriteEvery = time.Minute

	// leaseDuration is how long a leader may not know that another one leads, because it slept: the Lease's own duration. What
	// the operator's name is on may be the other one's.
	leaseDuration = 15 * time.Second

	// maxUnanswered is how many writes of a status without an answer are remembered.
	maxUnanswered = 4
)

// errForeignStatus says that a status is there that somebody else wrote.
var errForeignStatus = errors.New("somebody else wrote the status meanwhile")

// ownStatuses remembers the statuses that are ours. Any other one in the cluster was written by somebody else.
type ownStatuses struct {
	mu     sync.Mutex
	byName map[string]*ownStatus
}

// ownStatus is the status of one query as we wrote it last.
type ownStatus struct {
	uid types.UID

	// checked says that the status found at the start is ours as far as managedFields tell, or was replaced.
	checked bool

	// status was there at resourceVersion version. It is read only: where the cache has it, it is the cache's.
	version string
	status  *imagev1alpha1.ImageQueryStatus

	// unanswered may have been written: the API server has not answered yet, or its answer was lost.
	unanswered []*imagev1alpha1.ImageQueryStatus

	// notBefore is when a status of somebody else's may be overwritten next. doubted says that it has the operator's name on
	// it, and that this was waited for.
	notBefore time.Time
	doubted   bool
}

// seen takes note of a query as the watch brings it, and says whether its status is known to be ours.
func (s *ownStatuses) seen(object client.Object) bool {
	query, ok := object.(*imagev1alpha1.ImageQuery)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.of(query)
	if !own.checked {
		own.version, own.status = query.ResourceVersion, &query.Status
		return false
	}
	ours := own.recognises(query)
	if query.ResourceVersion == own.version {
		own.status = &query.Status // one copy is enough
	}
	return ours
}

// of returns what is remembered of a query; s is locked.
func (s *ownStatuses) of(query *imagev1alpha1.ImageQuery) *ownStatus {
	own := s.byName[query.Name]
	if own == nil || own.uid != query.UID {
		if s.byName == nil {
			s.byName = map[string]*ownStatus{}
		}
		own = &ownStatus{uid: query.UID, version: query.ResourceVersion, status: query.Status.DeepCopy()}
		s.byName[query.Name] = own
	}
	return own
}

// recognises says whether a query has our status, or one that is older than it.
func (own *ownStatus) recognises(query *imagev1alpha1.ImageQuery) bool {
	for _, status := range append([]*imagev1alpha1.ImageQueryStatus{own.status}, own.unanswered...) {
		if !equality.Semantic.DeepEqual(status, &query.Status) {
			continue
		}
		if newer(query.ResourceVersion, own.version) {
			own.version, own.status = query.ResourceVersion, status
		}
		return true
	}
	return !newer(query.ResourceVersion, own.version)
}

// checked says whether it is known whose status was there at the start.
func (s *ownStatuses) checked(query *imagev1alpha1.ImageQuery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(query).checked
}

// begin notes that the status of a query is ours, or which one is to replace it.
func (s *ownStatuses) begin(query *imagev1alpha1.ImageQuery, replacement *imagev1alpha1.ImageQueryStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.of(query)
	own.checked = true
	switch {
	case replacement != nil:
		own.version, own.status = "", replacement
	case own.version != query.ResourceVersion:
		own.version, own.status = query.ResourceVersion, query.Status.DeepCopy()
	}
}

// instead returns our status where a query has one of somebody else's, else nil. It is shared: read only.
func (s *ownStatuses) instead(query *imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQueryStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.of(query)
	if own.recognises(query) {
		own.doubted = false
		return nil
	}
	return own.status
}

// heldBack says how long somebody else's status is not to be overwritten yet, and whether that was because of its name.
func (s *ownStatuses) heldBack(query *imagev1alpha1.ImageQuery, now time.Time) (wait time.Duration, doubted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.of(query)
	if wait = own.notBefore.Sub(now); wait > overwriteEvery {
		wait = 0 // the clock was wrong
	}
	return wait, own.doubted
}

func (s *ownStatuses) holdBack(query *imagev1alpha1.ImageQuery, until time.Time, doubted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.of(query)
	own.notBefore, own.doubted = until, doubted
}

// sending notes a status before it is written.
func (s *ownStatuses) sending(query *imagev1alpha1.ImageQuery, status *imagev1alpha1.ImageQueryStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.of(query)
	own.unanswered = append(own.unanswered, status)
	own.unanswered = own.unanswered[max(0, len(own.unanswered)-maxUnanswered):]
}

// answered notes what became of the status that was sent last.
func (s *ownStatuses) answered(query *imagev1alpha1.ImageQuery, written *imagev1alpha1.ImageQuery, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.of(query)
	switch {
	case err == nil:
		own.unanswered = nil
		if newer(written.ResourceVersion, own.version) {
			own.version, own.status = written.ResourceVersion, &written.Status
		}
	case refused(err) && len(own.unanswered) > 0:
		own.unanswered = own.unanswered[:len(own.unanswered)-1]
	}
}

// refused says that a write certainly was not done.
func refused(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code >= 400 && status.Status().Code < 500
}

func (s *ownStatuses) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byName, name)
}

// newer says whether a resourceVersion is newer than another; one that can't be compared is.
func newer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err != nil || order > 0
}

// reclaim puts our status in the place of one that somebody else wrote: in the query, so that nothing is decided by what
// they say, and in the cluster, unless that was done within the last minute. Then it says how long to wait.
func (r *Reconciler) reclaim(ctx context.Context, query *imagev1alpha1.ImageQuery) (time.Duration, error) {
	if !r.statuses.checked(query) {
		if err := r.checkStart(ctx, query); err != nil {
			return 0, err
		}
	}
	ours := r.statuses.instead(query)
	if ours == nil {
		return 0, nil
	}
	query.Status = *ours.DeepCopy()
	if wait, err := r.mayOverwrite(ctx, query); wait > 0 || err != nil {
		return wait, err
	}
	ctrl.LoggerFrom(ctx).Info("Somebody else wrote the status; it is overwritten")
	w := r.statusWriter()
	switch err := w.put(ctx, query, ours); {
	case apierrors.IsConflict(err):
		return 0, errForeignStatus // there is a newer one
	case w.dropped(ctx, err):
		return overwriteEvery, nil
	case err != nil:
		return 0, fmt.Errorf("writing the status: %w", err)
	}
	r.event(query, corev1.EventTypeWarning, imagev1alpha1.EventStatusOverwritten,
		"somebody else had written the status of this query; it says again what the operator found. Only the operator may write imagequeries/status: "+
			"the API server's audit log names the account that also does, and whoever runs the cluster should take that right away")
	return 0, nil
}

// mayOverwrite says how long to wait before somebody else's status is overwritten; 0 means now, and counts as done. The error
// is errForeignStatus while it may be another leader's: then nothing at all is to be done for the query.
func (r *Reconciler) mayOverwrite(ctx context.Context, query *imagev1alpha1.ImageQuery) (time.Duration, error) {
	now := r.Clock.Now()
	wait, doubted := r.statuses.heldBack(query, now)
	switch {
	case wait > 0 && doubted:
		return 0, errForeignStatus
	case wait > 0:
		return wait, nil
	case !doubted:
		live, err := r.liveMetadata(ctx, query)
		if err != nil {
			return 0, err
		}
		if len(foreignFields(live.ManagedFields)) == 0 {
			r.statuses.holdBack(query, now.Add(leaseDuration), true)
			return 0, errForeignStatus
		}
	}
	r.statuses.holdBack(query, now.Add(overwriteEvery), false)
	return 0, nil
}

// checkStart looks whose the status is that was there at the start.
func (r *Reconciler) checkStart(ctx context.Context, query *imagev1alpha1.ImageQuery) error {
	if query.Status.ObservedGeneration == -1 && len(query.Status.Conditions)+len(query.Status.Selected) == 0 {
		r.statuses.begin(query, nil) // no status was ever written
		return nil
	}
	live, err := r.liveMetadata(ctx, query)
	if err != nil {
		return err
	}
	managers := live.ManagedFields
	if live.ResourceVersion != query.ResourceVersion {
		now, err := reread(ctx, r.APIReader, query)
		if err != nil {
			return err
		}
		now.DeepCopyInto(query)
		managers = now.ManagedFields
	}
	foreign := foreignFields(managers)
	if len(foreign) == 0 {
		r.statuses.begin(query, nil)
		return nil
	}
	replacement, err := r.withoutForeign(query, foreign)
	if err == nil {
		r.statuses.begin(query, replacement)
	}
	return err
}

// liveMetadata has the managedFields of a query, which the cache hasn't.
func (r *Reconciler) liveMetadata(ctx context.Context, query *imagev1alpha1.ImageQuery) (*metav1.PartialObjectMetadata, error) {
	live := &metav1.PartialObjectMetadata{}
	live.SetGroupVersionKind(imagev1alpha1.GroupVersion.WithKind("ImageQuery"))
	err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(query), live)
	if apierrors.IsNotFound(err) || err == nil && live.UID != query.UID {
		return nil, errSuperseded
	}
	if err != nil {
		return nil, fmt.Errorf("reading who wrote the status: %w", err)
	}
	return live, nil
}

// foreignFields are the fields of a status, by name, in which there is something that somebody else wrote.
func foreignFields(managers []metav1.ManagedFieldsEntry) []string {
	var out []string
	for _, entry := range managers {
		if entry.Subresource != "status" || entry.Manager == fieldOwner || entry.FieldsV1 == nil {
			continue
		}
		var fields struct {
			Status map[string]json.RawMessage `json:"f:status"`
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			return []string{"status"} // as if it were all
		}
		for name := range fields.Status {
			if name != "." {
				out = append(out, strings.TrimPrefix(name, "f:"))
			}
		}
	}
	return out
}

// withoutForeign is what is left of a status in which somebody else wrote. Conditions are made anew. If there is anything
// else nothing of it counts: what is selected is then what the labels of CloudImages say, which only the operator writes.
// The rest comes with the next poll, which is due at once.
func (r *Reconciler) withoutForeign(query *imagev1alpha1.ImageQuery, foreign []string) (*imagev1alpha1.ImageQueryStatus, error) {
	existing, err := r.images.OfQuery(query.Name)
	if err != nil {
		return nil, err
	}
	now, q := r.Clock.Now(), query.DeepCopy()
	h, m := cloudimage.OwnerOf(q), selection.Matcher{Match: &q.Spec.Match}
	if slices.ContainsFunc(foreign, func(field string) bool { return field != "conditions" }) {
		q.Status = imagev1alpha1.ImageQueryStatus{ObservedQuery: selection.ObservedQuery(q)}
		e := buildStatus(q, now)
		e.setSelected(selectedImages(labelled(h, m, existing)), imagev1alpha1.SelectedFirst)
		q.Status = *e.status
	}
	q.Status.Conditions, q.Status.SyncedGeneration = nil, 0
	known := cloudimage.KnownOf(h, existing, nil)
	if q.Spec.Suspend {
		return suspended(q, m, known, now), nil
	}
	return progressing(q, m, known, now), nil
}

// labelled are the images that the query's CloudImages call selected, and that the spec doesn't rule out, in the order of
// their groups.
func labelled(h cloudimage.Owner, m selection.Matcher, existing map[string]*cloudimage.Entry) []catalog.Image {
	var out []catalog.Image
	for _, image := range existing {
		facts := cloudimage.FromRecord(&image.Image)
		if h.InScope(image.CloudImage) && h.IsMember(image.CloudImage) && image.Labels[h.Label()] == imagev1alpha1.QuerySelected && !m.Distrusts(facts) {
			out = append(out, facts)
		}
	}
	c, err := selection.NewSelector(&h.Query.Spec)
	if err != nil {
		c = selection.Selector{Spec: &h.Query.Spec} // the next poll says what is wrong with it
	}
	c.Arrange(out, nil)
	return out
}
