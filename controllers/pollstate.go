// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/polltime"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// pollState is the in-memory state of a query. It may be lost at any time: after a restart, status is sufficient.
type pollState struct {
	// lastAttempt is when the last poll began, zero if there was none. The next three fields are what it began with.
	lastAttempt time.Time
	generation  int64
	requestedAt string
	account     catalog.Account

	// success is when a poll last succeeded. It is exact, while status may lag behind.
	success time.Time

	// failures counts the failed polls since then.
	failures int

	// due is when the next poll is due, by the interval or as a retry, counted by the monotonic clock. nextChange is the
	// wall-clock time at which a grace period ends or an image gets old enough.
	due, nextChange time.Time

	// approval is the value of the annotation that approves a removal, as of the start of the last poll.
	approval string

	// recordedApproval is the last one that an event was considered for.
	recordedApproval string

	// peerDue is set when another query found that an image of this query is gone.
	peerDue bool

	// lost is set when another client deleted CloudImages of the query, or when they are missing after a start. losses
	// counts the consecutive polls that this triggered.
	lost   bool
	losses int

	// fresh requires a listing that begins after the poll does.
	fresh bool

	// members are the members of the last complete listing, and departed the images in their grace period. Both are
	// kept only if cloudImages.policy gives some members no CloudImage.
	members  []catalog.Image
	departed map[string]selection.Departed

	// request is the hash of the request that the last complete listing answered.
	request string

	// lastReason is the reason of the last poll's result. An event is emitted when it changes.
	lastReason string

	// unwritten is the result of a poll whose status is not written yet.
	unwritten *pollResult

	// written is what the caches must contain before the next poll.
	written *written
}

// pollStates holds the state of each query by UID, because a query may be deleted and recreated under the same name.
type pollStates struct {
	mu    sync.Mutex
	byUID map[types.UID]*pollState
	names map[string]types.UID

	// due are the names of the queries that another query marked due.
	due map[string]bool

	// gone are the object names of the images, by query, that the query found to be gone or was marked due for.
	gone map[string]map[string]bool

	// losses are the UIDs of the queries that lost a CloudImage to another client.
	losses map[types.UID]bool
}

// of returns the state of a query. Only the query's own reconcile may use it.
func (m *pollStates) of(query *imagev1alpha1.ImageQuery) *pollState {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byUID == nil {
		m.byUID, m.names = map[types.UID]*pollState{}, map[string]types.UID{}
	}
	if old, ok := m.names[query.Name]; ok && old != query.UID {
		delete(m.byUID, old)
		delete(m.gone, query.Name)
	}
	m.names[query.Name] = query.UID
	if m.byUID[query.UID] == nil {
		m.byUID[query.UID] = &pollState{written: &written{}}
	}
	return m.byUID[query.UID]
}

func (m *pollStates) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byUID, m.names[name])
	delete(m.losses, m.names[name])
	delete(m.names, name)
	delete(m.due, name)
	delete(m.gone, name)
}

// noteGone records that an image of a query is gone, and reports whether that is new.
func (m *pollStates) noteGone(query, image string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone == nil {
		m.gone = map[string]map[string]bool{}
	}
	if m.gone[query] == nil {
		m.gone[query] = map[string]bool{}
	}
	added := !m.gone[query][image]
	m.gone[query][image] = true
	return added
}

// retainGone forgets the images that are no longer gone.
func (m *pollStates) retainGone(query string, still func(image string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.gone[query], func(image string, _ bool) bool { return !still(image) })
	if len(m.gone[query]) == 0 {
		delete(m.gone, query)
	}
}

// markDue records that a query is due, and reports whether that is new.
func (m *pollStates) markDue(query string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.due == nil {
		m.due = map[string]bool{}
	}
	added := !m.due[query]
	m.due[query] = true
	return added
}

// takeDue reports whether a query was marked due since the last call.
func (m *pollStates) takeDue(query string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	due := m.due[query]
	delete(m.due, query)
	return due
}

// lose records that a query lost a CloudImage, and reports whether the query has a state. A query without a state checks
// for missing objects itself.
func (m *pollStates) lose(query types.UID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byUID[query] == nil {
		return false
	}
	if m.losses == nil {
		m.losses = map[types.UID]bool{}
	}
	m.losses[query] = true
	return true
}

// named returns the UID of the query with a name, or "" if it has no state.
func (m *pollStates) named(name string) types.UID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.names[name]
}

// takeLoss reports whether a query lost CloudImages since the last call.
func (m *pollStates) takeLoss(query types.UID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	lost := m.losses[query]
	delete(m.losses, query)
	return lost
}

// isNew reports whether this generation of a query was never polled.
func (m *pollState) isNew(query *imagev1alpha1.ImageQuery) bool {
	return m.generation != query.Generation && query.Status.SyncedGeneration != query.Generation
}

// pollStarted records what a poll begins with.
func (m *pollState) pollStarted(query *imagev1alpha1.ImageQuery, account catalog.Account, now time.Time) {
	if query.Generation != m.generation || account != m.account {
		m.failures = 0
	}
	requestedAt, approval := requestOf(query), approvalOf(query)
	// A requested poll must see the current state, and so must one that deletes or that checks for images that are gone.
	m.fresh = m.peerDue || requestedAt != "" && requestedAt != query.Status.LastHandledReconcileAt ||
		approval != "" && approval != m.approval || removalDue(query, now)
	m.losses++
	if !m.lost {
		m.losses = 0
	}
	m.lastAttempt, m.generation, m.account, m.peerDue, m.lost = now, query.Generation, account, false, false
	m.requestedAt, m.approval = requestedAt, approval
}

// pollFinished records the result of a poll, and sets when the next one is due.
func (m *pollState) pollFinished(query *imagev1alpha1.ImageQuery, o *pollResult, now time.Time) {
	interval := query.Spec.Interval.Duration
	if o.published {
		m.request = selection.Request(query)
		m.remember(query, o, now)
	}
	if o.failure == nil {
		m.failures, m.success = 0, now
		m.due = now.Add(phaseOf(m.account, query).UntilDue(interval, now))
		m.nextChange = selection.Earlier(o.Selection.Next, o.nextRemoval)
		return
	}
	m.failures++
	m.nextChange = time.Time{}
	m.due = now.Add(wait.Jitter(polltime.RetryAfter(m.failures, interval), jitter))
	// Poll when the data becomes stale, because that changes the conditions.
	if stale := staleAt(query, lastSuccess(query, m)); stale.After(now) && stale.Before(m.due) {
		m.due = stale
	}
}

// next returns when the next poll is due.
func (m *pollState) next(now time.Time) time.Time { return sooner(now, m.due, m.nextChange) }

// sooner returns the time of which less is left; zero is no time. A clock that goes back delays wall-clock times but no monotonic
// ones, so the two are not compared with each other.
func sooner(now, a, b time.Time) time.Time {
	if !b.IsZero() && b.Sub(now) < a.Sub(now) {
		return b
	}
	return a
}

// known returns what objects, status and this process know of a query's images.
func (m *pollState) known(query *imagev1alpha1.ImageQuery, existing map[string]*cloudimage.Entry) selection.Known {
	k := cloudimage.KnownOf(cloudimage.OwnerOf(query), existing, m.members)
	if selection.SameScope(query.Status.ObservedQuery, selection.ObservedQuery(query)) {
		k.Remember(m.departed)
	}
	return k
}

// remember keeps the images that may have no CloudImage.
func (m *pollState) remember(query *imagev1alpha1.ImageQuery, o *pollResult, now time.Time) {
	m.members, m.departed = nil, nil
	if query.Spec.CloudImages.Policy == imagev1alpha1.CloudImagesAll {
		return
	}
	m.members = slices.DeleteFunc(slices.Clone(o.Members), func(image catalog.Image) bool { return o.Partial[image.ID] })
	m.departed = maps.Clone(o.InGrace)
	grace := query.Spec.Removal.GetGracePeriod()
	maps.DeleteFunc(m.departed, func(_ string, d selection.Departed) bool { return o.Blocked == nil && !d.Since.Add(grace).After(now) })
}

// pollAborted schedules the retry of a poll that had no result because the API server was not available.
func (m *pollState) pollAborted(query *imagev1alpha1.ImageQuery, now time.Time) {
	m.failures++
	m.due, m.nextChange = now.Add(polltime.RetryAfter(m.failures, query.Spec.Interval.Duration)), time.Time{}
}
