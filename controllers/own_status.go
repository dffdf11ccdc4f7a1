// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// maxUnanswered bounds the status writes without an answer that are remembered.
const maxUnanswered = 4

// ownStatuses remembers the statuses that this process wrote. Any other status in the cluster was written by another client.
type ownStatuses struct {
	mu     sync.Mutex
	byName map[string]*ownStatus
}

// ownStatus is the status of one query as this process wrote it last.
type ownStatus struct {
	uid types.UID

	// checked is set once the status found at the start was accepted, as far as managedFields show who wrote it, or replaced.
	checked bool

	// status is the status as of resourceVersion version. It may be shared with the cache: read only.
	version string
	status  *imagev1alpha1.ImageQueryStatus

	// unanswered are statuses that may have been written: the API server has not answered yet, or its answer was lost.
	unanswered []*imagev1alpha1.ImageQueryStatus

	// notBefore is when a foreign status may be overwritten next. doubted is set while this waits for a status written under
	// the operator's name.
	notBefore time.Time
	doubted   bool
}

// seen records a query as the watch delivers it, and reports whether its status is known to be ours.
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
		own.status = &query.Status // share the cache's copy
	}
	return ours
}

// of returns the entry of a query. s must be locked.
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

// recognises reports whether a query has our status, or one that is older.
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

// checked reports whether the status found at the start was checked.
func (s *ownStatuses) checked(query *imagev1alpha1.ImageQuery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(query).checked
}

// begin records that the status found at the start is ours, or that it is to be replaced by replacement.
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

// instead returns our status if the query has a foreign one, else nil. The result is shared: read only.
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

// heldBack returns how long a foreign status must not be overwritten yet, and whether that is because it carries the
// operator's name.
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

// sending records a status before it is written.
func (s *ownStatuses) sending(query *imagev1alpha1.ImageQuery, status *imagev1alpha1.ImageQueryStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.of(query)
	own.unanswered = append(own.unanswered, status)
	own.unanswered = own.unanswered[max(0, len(own.unanswered)-maxUnanswered):]
}

// answered records the result of the last status write.
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

// refused reports whether a write was certainly not executed.
func refused(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code >= 400 && status.Status().Code < 500
}

func (s *ownStatuses) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byName, name)
}

// newer reports whether a resourceVersion is newer than another. It is true if they can't be compared.
func newer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err != nil || order > 0
}
