// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

const (
	// firstRetry and maxRetry bound the time after a failed poll, which doubles between them. Stalled queries are tried
	// again, too: a corrected policy in the cloud makes no event in Kubernetes.
	firstRetry = 5 * time.Second
	maxRetry   = 10 * time.Minute

	// pollFloor is the shortest time between two polls of one query, whoever asks for them.
	pollFloor = time.Second

	// jitter is how much is added to an interval at the most. Without it queries that were applied together would
	// come due together for ever.
	jitter = 0.2

	// maxSpread bounds how long overdue queries wait after a start, so that a restart is no burst.
	maxSpread = 60 * time.Second

	// maxClockError is how far the clocks of two nodes may be apart. A last poll that is later than that was stamped by a
	// wrong clock: nobody should wait for that time to come.
	maxClockError = time.Minute

	// maxPoll bounds one poll; it ends before the next is due in any case.
	maxPoll = 5 * time.Minute
)

// memory is what the process remembers of a query. It may be lost at any time: after a restart, status tells enough.
type memory struct {
	// attempt is when the last poll began, zero if there was none; the next three are what it began with.
	attempt     time.Time
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

	// nudged says that another query has found an image of this one to be gone.
	nudged bool

	// lost says that somebody else deleted CloudImages of the query, or that a start finds them missing; losses counts the
	// polls in a row that began so.
	lost   bool
	losses int

	// fresh says that the poll must not be answered by a listing that was begun before it.
	fresh bool

	// members are those of the last good listing, where no CloudImages have their facts.
	members []catalog.Image

	// word is the reason that the last poll came to; an event is due when it changes.
	word string

	// unwritten is the outcome of a poll whose status could not be written yet.
	unwritten *outcome

	// written is what the caches must show before the next poll.
	written *written
}

// memories holds a memory per query, by UID: a namesake is another query.
type memories struct {
	mu    sync.Mutex
	byUID map[types.UID]*memory
	names map[string]types.UID

	// nudges are the queries, by name, that another one has made due.
	nudges map[string]bool

	// gone are the images, by query and the name of their object, that it has found to be gone or was made due for.
	gone map[string]map[string]bool

	// losses are the queries, by UID, that lost a CloudImage to somebody else.
	losses map[types.UID]bool
}

// of returns the memory of a query, which only the query's own reconcile may use.
func (m *memories) of(query *imagev1alpha1.ImageQuery) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byUID == nil {
		m.byUID, m.names = map[types.UID]*memory{}, map[string]types.UID{}
	}
	if old, ok := m.names[query.Name]; ok && old != query.UID {
		delete(m.byUID, old)
		delete(m.gone, query.Name)
	}
	m.names[query.Name] = query.UID
	if m.byUID[query.UID] == nil {
		m.byUID[query.UID] = &memory{written: &written{}}
	}
	return m.byUID[query.UID]
}

func (m *memories) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byUID, m.names[name])
	delete(m.losses, m.names[name])
	delete(m.names, name)
	delete(m.nudges, name)
	delete(m.gone, name)
}

// noteGone notes that an image of a query is gone; it says whether that was news.
func (m *memories) noteGone(query, image string) bool {
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
func (m *memories) retainGone(query string, still func(image string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.gone[query], func(image string, _ bool) bool { return !still(image) })
	if len(m.gone[query]) == 0 {
		delete(m.gone, query)
	}
}

// nudge notes that a query is due; it says whether that was news.
func (m *memories) nudge(query string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.nudges == nil {
		m.nudges = map[string]bool{}
	}
	news := !m.nudges[query]
	m.nudges[query] = true
	return news
}

// takeNudge says whether a query was nudged since it was last asked.
func (m *memories) takeNudge(query string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	nudged := m.nudges[query]
	delete(m.nudges, query)
	return nudged
}

// lose notes that a query lost a CloudImage; it says whether there is such a query. One without a memory is still to look
// for itself.
func (m *memories) lose(query types.UID) bool {
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

// named is the UID of the query of a name, "" if it has no memory.
func (m *memories) named(name string) types.UID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.names[name]
}

// takeLoss says whether a query lost CloudImages since it was last asked.
func (m *memories) takeLoss(query types.UID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	lost := m.losses[query]
	delete(m.losses, query)
	return lost
}

// nextPoll says when a query is to be polled, and why then. A time that isn't after now means now.
func nextPoll(query *imagev1alpha1.ImageQuery, m *memory, account catalog.Account, started, now time.Time) (at time.Time, why string) {
	requestedAt, approval := requestOf(query), approvalOf(query)
	if !m.attempt.IsZero() {
		floor := m.attempt.Add(pollFloor)
		switch {
		case query.Generation != m.generation:
			return floor, "the spec changed"
		case requestedAt != "" && requestedAt != m.requestedAt:
			return floor, "a poll was requested"
		case approval != "" && approval != m.approval:
			return floor, "a removal was approved"
		case account != m.account:
			return floor, "the credentials changed"
		case m.nudged:
			return floor, "another query found an image to be gone"
		case m.failures > 0:
			return m.due, "the last poll failed"
		case m.lost:
			// Whoever deletes all the time must not drive polls: as after failures, the pauses double.
			return earlier(m.due, m.attempt.Add(retryAfter(m.losses+1, query.Spec.Interval.Duration))), "CloudImages are missing"
		}
		return m.due, "the interval has passed"
	}
	switch {
	case query.Status.SyncedGeneration != query.Generation || query.Status.LastSyncTime == nil:
		return time.Time{}, "this generation was never synced"
	case requestedAt != "" && requestedAt != query.Status.LastHandledReconcileAt:
		return time.Time{}, "a poll was requested"
	case m.nudged:
		return time.Time{}, "another query found an image to be gone"
	}
	if blocked := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked); blocked != nil && approval != "" &&
		strings.Contains(blocked.Message, "="+approval+" ") {
		return time.Time{}, "a removal was approved"
	}
	if m.lost {
		return started.Add(spreadOf(query)), "CloudImages are missing"
	}
	due := earlier(query.Status.LastSyncTime.Add(query.Spec.Interval.Duration), nextMove(query))
	if query.Status.LastSyncTime.After(now.Add(maxClockError)) {
		return time.Time{}, "the last poll is in the future, so the clock was wrong"
	}
	if spread := started.Add(spreadOf(query)); due.Before(spread) {
		return spread, "the poll is overdue since before the start"
	}
	return due, "the interval has passed"
}

// nextMove is when status says that a grace period ends or an image passes minAge next; zero if neither comes.
func nextMove(query *imagev1alpha1.ImageQuery) time.Time {
	synced := query.Status.LastSyncTime.Time
	next := nextRemoval(query.Status.Removing, synced)
	for _, image := range query.Status.Images {
		if image.Selection == imagev1alpha1.VerdictTooYoung && image.CreatedTime != nil {
			if aged := image.CreatedTime.Add(query.Spec.Selection.MinAge.Duration); aged.After(synced) {
				next = earlier(next, aged)
			}
		}
	}
	return next
}

// removalDue says whether a grace period has ended: what deletes must be a listing made after that.
func removalDue(query *imagev1alpha1.ImageQuery, now time.Time) bool {
	return slices.ContainsFunc(query.Status.Removing, func(r imagev1alpha1.RemovingImage) bool { return !r.DeleteAfter.After(now) })
}

// spreadOf is a query's own part of the time over which overdue queries are spread.
func spreadOf(query *imagev1alpha1.ImageQuery) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(query.UID)) // a hash never fails
	span := min(query.Spec.Interval.Duration/10, maxSpread)
	return time.Duration(float64(span) * float64(h.Sum32()) / (1 << 32))
}

// isNew says whether this generation of a query was never tried.
func (m *memory) isNew(query *imagev1alpha1.ImageQuery) bool {
	return m.generation != query.Generation && query.Status.SyncedGeneration != query.Generation
}

// began notes what a poll begins with.
func (m *memory) began(query *imagev1alpha1.ImageQuery, account catalog.Account, now time.Time) {
	if query.Generation != m.generation || account != m.account {
		m.failures = 0
	}
	requestedAt, approval := requestOf(query), approvalOf(query)
	// Whoever asks for a poll wants the state of now, and so does whatever deletes or looks for what is gone.
	m.fresh = m.nudged || requestedAt != "" && requestedAt != query.Status.LastHandledReconcileAt ||
		approval != "" && approval != m.approval || removalDue(query, now)
	m.losses++
	if !m.lost {
		m.losses = 0
	}
	m.attempt, m.generation, m.account, m.nudged, m.lost = now, query.Generation, account, false, false
	m.requestedAt, m.approval = requestedAt, approval
}

// ended notes what a poll came to, and sets when the next one is due.
func (m *memory) ended(query *imagev1alpha1.ImageQuery, o *outcome, now time.Time) {
	interval := query.Spec.Interval.Duration
	if o.published {
		m.members = nil
		if query.Spec.CloudImages.Policy != imagev1alpha1.CloudImagesAll {
			m.members = slices.DeleteFunc(slices.Clone(o.members), func(image catalog.Image) bool { return o.partial[image.ID] })
		}
	}
	if o.failure == nil {
		m.failures, m.success = 0, now
		m.due = earlier(now.Add(wait.Jitter(interval, jitter)), earlier(o.choice.next, o.nextRemoval))
		return
	}
	m.failures++
	m.due = now.Add(wait.Jitter(retryAfter(m.failures, interval), jitter))
	// The moment at which failing data stops being fresh changes the conditions: be there.
	if stale := staleAt(query, lastSuccess(query, m)); stale.After(now) && stale.Before(m.due) {
		m.due = stale
	}
}

// broken sets when a poll that came to nothing, because the API server could not be asked, is tried again.
func (m *memory) broken(query *imagev1alpha1.ImageQuery, now time.Time) {
	m.failures++
	m.due = now.Add(retryAfter(m.failures, query.Spec.Interval.Duration))
}

// retryAfter doubles from firstRetry to the interval or maxRetry, whichever is shorter.
func retryAfter(failures int, interval time.Duration) time.Duration {
	limit := min(interval, maxRetry)
	delay := firstRetry
	for range failures - 1 {
		if delay = 2 * delay; delay >= limit {
			break
		}
	}
	return min(delay, limit)
}

// lastSuccess is when a poll last succeeded, as exactly as is known; zero if none ever did. What this process has seen
// counts more than what status says, which may lag behind or come from a clock that was ahead.
func lastSuccess(query *imagev1alpha1.ImageQuery, m *memory) time.Time {
	if m.success.IsZero() && query.Status.LastSyncTime != nil {
		return query.Status.LastSyncTime.Time
	}
	return m.success
}

// staleAt is when data of the last success stops being fresh.
func staleAt(query *imagev1alpha1.ImageQuery, success time.Time) time.Time {
	if success.IsZero() {
		return time.Time{}
	}
	interval := query.Spec.Interval.Duration
	return success.Add(min(max(4*interval, 15*time.Minute), interval+24*time.Hour))
}
