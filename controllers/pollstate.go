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
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// pollState is what the process remembers of a query. It may be lost at any time: after a restart, status tells enough.
type pollState struct {
	// attempt is when the last poll began, zero if there was none; the next three are what it began with.
	lastAttempt time.Time
	generation  int64
	requestedAt string
	account     catalog.Account

	// success is when a poll last succeeded: exact, while status may lag behind.
	success time.Time

	// failures counts failed polls since.
	failures int

	// due is when the next poll is, by the interval or as a retry.
	due time.Time

	// approval is the value of the annotation that approves a removal, when the last poll began.
	approval string

	// recordedApproval is the last one that an event was considered for.
	recordedApproval string

	// peerDue says that another query has found an image of this one to be gone.
	peerDue bool

	// lost says that somebody else deleted CloudImages of the query, or that a start finds them missing; losses counts the
	// polls in a row that began so.
	lost   bool
	losses int

	// fresh says that the poll must not be answered by a listing that was begun before it.
	fresh bool

	// members are those of the last good listing, and departed the images in their grace period, where no CloudImages have
	// their facts.
	members  []catalog.Image
	departed map[string]selection.Departed

	// request is what the last good listing answered, as a hash.
	request string

	// lastReason is the reason that the last poll ended with. An event is due when it changes.
	lastReason string

	// unwritten is the outcome of a poll whose status could not be written yet.
	unwritten *pollResult

	// written is what the caches must show before the next poll.
	written *written
}

// pollStates holds the state of each query, by UID: a namesake is another query.
type pollStates struct {
	mu    sync.Mutex
	byUID map[types.UID]*pollState
	names map[string]types.UID

	// nudges are the queries, by name, that another one has made due.
	due map[string]bool

	// gone are the images, by query and the name of their object, that it has found to be gone or was made due for.
	gone map[string]map[string]bool

	// losses are the queries, by UID, that lost a CloudImage to somebody else.
	losses map[types.UID]bool
}

// of returns the state of a query, which only the query's own reconcile may use.
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

// noteGone notes that an image of a query is gone; it says whether that was news.
func (m *pollStates) noteGone(query, image string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone == nil {
		m.gone = map[string]map[string]bool{}
	}
	if m.gone[query] == nil {
		m.gone[query] = map[string]bool{}
	}
	news := !m.gone[query][image]
	m.gone[query][image] = true
	return news
}

// retainGone forgets the images that are not gone any more.
func (m *pollStates) retainGone(query string, still func(image string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.gone[query], func(image string, _ bool) bool { return !still(image) })
	if len(m.gone[query]) == 0 {
		delete(m.gone, query)
	}
}

// markDue notes that a query is due; it says whether that was news.
func (m *pollStates) markDue(query string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.due == nil {
		m.due = map[string]bool{}
	}
	news := !m.due[query]
	m.due[query] = true
	return news
}

// takeDue says whether a query was made due since it was last asked.
func (m *pollStates) takeDue(query string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	nudged := m.due[query]
	delete(m.due, query)
	return nudged
}

// lose notes that a query lost a CloudImage; it says whether there is such a query. One without a state is still to look
// for itself.
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

// named is the UID of the query of a name, "" if it has no state.
func (m *pollStates) named(name string) types.UID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.names[name]
}

// takeLoss says whether a query lost CloudImages since it was last asked.
func (m *pollStates) takeLoss(query types.UID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	lost := m.losses[query]
	delete(m.losses, query)
	return lost
}

// isNew says whether this generation of a query was never tried.
func (m *pollState) isNew(query *imagev1alpha1.ImageQuery) bool {
	return m.generation != query.Generation && query.Status.SyncedGeneration != query.Generation
}

// pollStarted notes what a poll begins with.
func (m *pollState) pollStarted(query *imagev1alpha1.ImageQuery, account catalog.Account, now time.Time) {
	if query.Generation != m.generation || account != m.account {
		m.failures = 0
	}
	requestedAt, approval := requestOf(query), approvalOf(query)
	// Whoever asks for a poll wants the state of now, and so does whatever deletes or looks for what is gone.
	m.fresh = m.peerDue || requestedAt != "" && requestedAt != query.Status.LastHandledReconcileAt ||
		approval != "" && approval != m.approval || removalDue(query, now)
	m.losses++
	if !m.lost {
		m.losses = 0
	}
	m.lastAttempt, m.generation, m.account, m.peerDue, m.lost = now, query.Generation, account, false, false
	m.requestedAt, m.approval = requestedAt, approval
}

// pollFinished notes what a poll came to, and sets when the next one is due.
func (m *pollState) pollFinished(query *imagev1alpha1.ImageQuery, o *pollResult, now time.Time) {
	interval := query.Spec.Interval.Duration
	if o.published {
		m.request = selection.Request(query)
		m.remember(query, o, now)
	}
	if o.failure == nil {
		m.failures, m.success = 0, now
		m.due = selection.Earlier(now.Add(wait.Jitter(interval, jitter)), selection.Earlier(o.Selection.Next, o.nextRemoval))
		return
	}
	m.failures++
	m.due = now.Add(wait.Jitter(retryAfter(m.failures, interval), jitter))
	// The moment at which failing data stops being fresh changes the conditions: be there.
	if stale := staleAt(query, lastSuccess(query, m)); stale.After(now) && stale.Before(m.due) {
		m.due = stale
	}
}

// known is what objects, status and the process tell of a query's images.
func (m *pollState) known(query *imagev1alpha1.ImageQuery, existing map[string]*cloudimage.Entry) selection.Known {
	k := cloudimage.KnownOf(cloudimage.OwnerOf(query), existing, m.members)
	if selection.SameScope(query.Status.ObservedQuery, selection.ObservedQuery(query)) {
		k.Remember(m.departed)
	}
	return k
}

// remember keeps what no CloudImage does.
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

// pollAborted sets when a poll that came to nothing, because the API server could not be asked, is tried again.
func (m *pollState) pollAborted(query *imagev1alpha1.ImageQuery, now time.Time) {
	m.failures++
	m.due = now.Add(retryAfter(m.failures, query.Spec.Interval.Duration))
}
