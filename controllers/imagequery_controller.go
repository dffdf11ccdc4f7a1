// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// +kubebuilder:rbac:groups=imagecatalog.dev,resources=imagequeries,verbs=get;list;watch
// +kubebuilder:rbac:groups=imagecatalog.dev,resources=imagequeries/status,verbs=update
// +kubebuilder:rbac:groups=imagecatalog.dev,resources=cloudimages,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups="",namespace=image-catalog-system,resources=secrets,verbs=list;watch
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=image-catalog-system,resources=leases,verbs=get;create;update
// +kubebuilder:rbac:groups=events.k8s.io,namespace=default,resources=events,verbs=create
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// indexSecret files an ImageQuery under the name of every Secret that its account may come from.
const indexSecret = "secret"

// Reconciler keeps the catalogue of every ImageQuery.
type Reconciler struct {
	// Client reads queries and Secrets from the cache and writes status; Live reads from the API server, where the cache's
	// word isn't enough.
	Client client.Client
	Live   client.Reader

	Lister      catalog.Lister
	Credentials Credentials
	Events      events.EventRecorder
	Clock       clock.PassiveClock
	Metrics     *Metrics

	// MaxStatusImages caps status.images.
	MaxStatusImages int

	// Concurrent is how many queries of one source of credentials are polled at once.
	Concurrent int

	// Shard is the part of the queries that is worked on; empty means all.
	Shard Shard

	images   imageCache
	writer   imageWriter
	started  time.Time
	memories memories
	statuses ownStatuses
	turns    turns

	// nudged brings queries here that another one has made due, or whose turn it is.
	nudged chan event.GenericEvent
}

// Reconcile polls a query if that is due, and says when to come back.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	query := &imagev1alpha1.ImageQuery{}
	if err := r.Client.Get(ctx, request.NamespacedName, query); apierrors.IsNotFound(err) {
		return r.forget(ctx, request.Name)
	} else if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading the query: %w", err)
	}
	if !r.Shard.covers(query.Spec.Region) {
		r.memories.forget(query.Name)
		r.statuses.forget(query.Name)
		r.Metrics.forget(query.Name)
		return ctrl.Result{}, nil
	}
	if query.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	wait, err := r.reclaim(ctx, query)
	if err != nil {
		return again(ctx, ctrl.Result{}, err)
	}
	result, err := r.reconcile(ctx, query)
	if wait > 0 && (result.RequeueAfter == 0 || wait < result.RequeueAfter) {
		result.RequeueAfter = wait
	}
	// What comes back by itself makes way for what a person does: that arrives with the queue's normal priority.
	result.Priority = new(handler.LowPriority)
	r.memories.of(query).written.reconciled(query)
	r.Metrics.observe(query, lastSuccess(query, r.memories.of(query)))
	return again(ctx, result, err)
}

// again is what a reconcile ends with.
func again(ctx context.Context, result ctrl.Result, err error) (ctrl.Result, error) {
	switch {
	case errors.Is(err, errMoved) || ctx.Err() != nil:
		// The change that moved the query brings it here again, and the end of the process needs no words.
		return ctrl.Result{}, nil //nolint:nilerr // see above
	case errors.Is(err, errForeignStatus):
		return ctrl.Result{RequeueAfter: time.Second}, nil // by then the cache has it
	}
	return result, err
}

func (r *Reconciler) reconcile(ctx context.Context, query *imagev1alpha1.ImageQuery) (ctrl.Result, error) {
	if query.Spec.Suspend {
		return ctrl.Result{}, r.announce(ctx, query, suspended)
	}
	m := r.memories.of(query)
	m.nudged = r.memories.takeNudge(query.Name) || m.nudged
	m.lost = r.memories.takeLoss(query.UID) || m.lost || m.attempt.IsZero() && r.lacksObjects(query)
	if m.word == "" {
		m.word = wordOf(&query.Status)
	}
	account, missing := r.Credentials.Account(ctx, query)
	at, why := nextPoll(query, m, account, r.started, r.Clock.Now())
	if now := r.Clock.Now(); at.After(now) {
		if m.unwritten != nil && m.generation == query.Generation {
			return r.report(ctx, query, m, m.unwritten)
		}
		return ctrl.Result{RequeueAfter: at.Sub(now)}, nil
	}
	ctrl.LoggerFrom(ctx).V(1).Info("Polling", "why", why)
	if query.Status.SyncedGeneration != query.Generation && query.Status.ObservedGeneration != query.Generation {
		if err := r.announce(ctx, query, progressing); err != nil {
			return ctrl.Result{}, err
		}
	}
	if m.written.awaits(query, r.images, r.Clock.Now()) {
		return ctrl.Result{RequeueAfter: cacheLagRetry}, nil
	}
	if missing == nil {
		if !r.turns.take(account.Source, waiter{name: query.Name, first: m.isNew(query), due: at}, r.Concurrent) {
			return ctrl.Result{RequeueAfter: turnLost}, nil
		}
		defer r.pass(ctx, account.Source)
	}
	m.began(query, account, r.Clock.Now())
	o, err := r.poll(ctx, query, m, account, missing)
	if err != nil {
		m.broken(query, r.Clock.Now())
		return ctrl.Result{}, err
	}
	m.ended(query, o, r.Clock.Now())
	return r.report(ctx, query, m, o)
}

// pass ends the turn of a poll, and brings those here that may take theirs.
func (r *Reconciler) pass(ctx context.Context, source string) {
	for _, name := range r.turns.give(source, r.Concurrent) {
		r.enqueue(ctx, name)
	}
}

// enqueue brings a query here. Where many are on their way it waits, but not beyond the end of the process: nobody
// receives any more then.
func (r *Reconciler) enqueue(ctx context.Context, name string) {
	select {
	case r.nudged <- event.GenericEvent{Object: &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: name}}}:
	case <-ctx.Done():
	}
}

// announce writes a status that a new spec asks for before the cloud does.
func (r *Reconciler) announce(ctx context.Context, query *imagev1alpha1.ImageQuery, status func(*imagev1alpha1.ImageQuery, matcher, knowledge, time.Time) *imagev1alpha1.ImageQueryStatus) error {
	existing, err := r.images.of(query.Name)
	if err != nil {
		return err
	}
	known, now := knowledgeOf(holderOf(query), existing, r.memories.of(query).members), r.Clock.Now()
	return r.status().write(ctx, query, func(q *imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQueryStatus {
		return status(q, matcher{match: &q.Spec.Match}, known, now)
	})
}

// poll asks the cloud and brings the CloudImages to its answer. The error is one that says nothing of the cloud: the
// query moved, the process ends, or the API server can't be read.
func (r *Reconciler) poll(ctx context.Context, query *imagev1alpha1.ImageQuery, m *memory, account catalog.Account, missing *failure) (*outcome, error) {
	o := &outcome{began: r.Clock.Now(), requestedAt: requestOf(query), failure: missing}
	if missing != nil {
		return o, nil
	}
	decider, err := newRules(&query.Spec)
	if err != nil {
		o.failure = &failure{reason: imagev1alpha1.ReasonInvalidQuery, stalled: true, message: err.Error()}
		return o, nil //nolint:nilerr // the status says what is wrong with the spec
	}
	existing, err := r.images.of(query.Name)
	if err != nil {
		return nil, err
	}
	known := knowledgeOf(holderOf(query), existing, m.members)
	seen, bad := r.ask(ctx, query, account, decider.matcher, known, m.fresh)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if o.listing, o.failure = seen.listing, bad; bad != nil {
		return o, nil
	}
	o.verdict = decider.decide(query, known, seen, o.began)
	boundSelection(&o.choice)
	if o.failure = tooMany(query, o.verdict); o.failure != nil {
		return o, nil
	}
	o.published = true
	o.failure, err = r.materialise(ctx, query, o)
	return o, err
}

// ask looks at the cloud within the time a poll may take.
func (r *Reconciler) ask(ctx context.Context, query *imagev1alpha1.ImageQuery, account catalog.Account, m matcher, known knowledge, fresh bool) (view, *failure) {
	ctx, cancel := context.WithTimeout(ctx, min(query.Spec.Interval.Duration, maxPoll))
	defer cancel()
	a := asker{lister: r.Lister, account: account, query: toQuery(&query.Spec)}
	a.query.Fresh = fresh
	var selected []string
	if sameScope(query.Status.ObservedQuery, observedQuery(query)) {
		for _, image := range query.Status.Selected {
			selected = append(selected, image.ImageID)
		}
	}
	return a.look(ctx, m, known, selected, minImages(query))
}

func minImages(query *imagev1alpha1.ImageQuery) int { return int(ptr.Deref(query.Spec.MinImages, 1)) }

// materialise brings the CloudImages to the verdict. What the query keeps is written before what it lets go; images
// of a former region or account are let go only once all that replaces them is there.
func (r *Reconciler) materialise(ctx context.Context, query *imagev1alpha1.ImageQuery, o *outcome) (*failure, error) {
	existing, err := r.existing(holderOf(query), o)
	if err != nil {
		return nil, err
	}
	peers, err := r.peersOf(ctx, existing)
	if err != nil {
		return nil, err
	}
	c := newClaim(query, o.began, peers)
	p := makePlan(c, o.verdict, existing)
	o.removing, o.nextRemoval, o.leftOut = p.removing, nextRemoval(p.removing, o.began), p.leftOut
	defer r.nudge(ctx, c, o, existing)
	if p.empty() {
		return nil, nil //nolint:nilnil // neither failed
	}
	if _, err := reread(ctx, r.Live, c.query); err != nil {
		return nil, err
	}
	a := r.applier()
	a.images.written = r.memories.of(c.query).written
	refused, err := a.run(ctx, c, p.keep)
	if err != nil {
		return nil, err
	}
	for _, s := range p.keep {
		o.leftOut.note(c.holder, s.result)
	}
	release := p.release
	if refused.count > 0 {
		release = slices.DeleteFunc(release, func(s step) bool { return s.current == nil || !c.inScope(s.current.CloudImage) })
	}
	notReleased, err := a.run(ctx, c, release)
	if err != nil {
		return nil, err
	}
	ctrl.LoggerFrom(ctx).Info("Wrote CloudImages", "kept", len(p.keep), "released", len(release), "refused", refused.count+notReleased.count)
	return writeFailure(refused, notReleased), nil
}

// existing are the CloudImages that an outcome concerns, by name: those that have something of the query, and those that only
// others have of its images and of images that it asked for by id.
func (r *Reconciler) existing(h holder, o *outcome) (map[string]*entry, error) {
	existing, err := r.images.of(h.query.Name)
	if err != nil {
		return nil, err
	}
	add := func(id string) {
		name := objectNameOf(h.scope, id)
		if existing[name] != nil {
			return
		}
		if image := r.images.named(name); image != nil {
			existing[name] = image
		}
	}
	for _, image := range o.withObjects(h.query.Spec.CloudImages.Policy) {
		add(image.ID)
	}
	for id := range o.gone {
		add(id)
	}
	return existing, nil
}

// nudge makes the other queries due that have an image which one has found to be gone: each asks for itself, and soon. It is
// made due once for an image, until that has come back: an image that is held back is found to be gone at every poll.
func (r *Reconciler) nudge(ctx context.Context, c claim, o *outcome, existing map[string]*entry) {
	isGone := func(name string) bool {
		image := existing[name]
		return image != nil && (o.gone[image.Image.ID] || o.listing.Unsettled || !c.inScope(image.CloudImage))
	}
	r.memories.retainGone(c.query.Name, isGone)
	due := map[string]bool{}
	for name, image := range existing {
		if !o.gone[image.Image.ID] || !c.inScope(image.CloudImage) {
			continue
		}
		r.memories.noteGone(c.query.Name, name)
		for _, member := range c.members(image.CloudImage) {
			if member != c.query.Name && c.peers[member] != nil && r.memories.noteGone(member, name) {
				due[member] = true
			}
		}
	}
	for name := range due {
		if r.memories.nudge(name) {
			r.enqueue(ctx, name)
		}
	}
}

func writeFailure(refused, notReleased refusals) *failure {
	count, first := refused.count+notReleased.count, refused.first
	if first == "" {
		first = notReleased.first
	}
	if count == 0 {
		return nil
	}
	return &failure{
		reason:  imagev1alpha1.ReasonWriteFailed,
		message: fmt.Sprintf("the API server did not take %d writes of CloudImages, the first of them %s; all others are done", count, first),
	}
}

// report writes what a poll came to. A status that can't be written is kept for the next try, so that the cloud isn't
// asked again for it.
func (r *Reconciler) report(ctx context.Context, query *imagev1alpha1.ImageQuery, m *memory, o *outcome) (ctrl.Result, error) {
	m.unwritten = o
	before := query.Status.DeepCopy()
	err := r.status().write(ctx, query, func(q *imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQueryStatus {
		return finished(q, o, m, r.MaxStatusImages, r.Clock.Now())
	})
	if errors.Is(err, errMoved) {
		m.unwritten = nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	m.unwritten = nil
	r.tell(ctx, query, m, o)
	r.tellOfImages(query, before, o)
	return ctrl.Result{RequeueAfter: max(m.due.Sub(r.Clock.Now()), time.Millisecond)}, nil
}

// tell logs what a poll came to, and makes an event of it when that is something new.
func (r *Reconciler) tell(ctx context.Context, query *imagev1alpha1.ImageQuery, m *memory, o *outcome) {
	log := ctrl.LoggerFrom(ctx)
	word, kind, message := imagev1alpha1.ReasonSynced, corev1.EventTypeNormal, fmt.Sprintf("%d images match", len(o.members))
	if o.blocked != nil {
		word, kind, message = imagev1alpha1.ReasonRemovalBlocked, corev1.EventTypeWarning, message+blockedNote(query, *o.blocked)
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
	if word != m.word {
		m.word = word
		r.event(query, kind, word, message)
	}
}

// tellOfImages makes events of what consumers of the images should know: at most one of each kind for a poll.
func (r *Reconciler) tellOfImages(query *imagev1alpha1.ImageQuery, before *imagev1alpha1.ImageQueryStatus, o *outcome) {
	if message := selectionChange(before, &query.Status); message != "" {
		r.event(query, corev1.EventTypeNormal, imagev1alpha1.EventSelectionChanged, message)
	}
	if !o.published {
		return
	}
	if len(o.rebuilt) > 0 {
		r.event(query, corev1.EventTypeWarning, imagev1alpha1.EventImageFactsChanged,
			"size, snapshots, operating system or creation time changed under the same id: "+enumerate(o.rebuilt, 5))
	}
	if len(o.impostors) > 0 {
		r.event(query, corev1.EventTypeWarning, imagev1alpha1.EventCreatorChanged,
			"a selected image has the name of one selected before, but another creator: "+enumerate(o.impostors, 5)+"; match.creators admits only those you trust")
	}
}

func (r *Reconciler) event(query *imagev1alpha1.ImageQuery, kind, word, message string) {
	r.Events.Eventf(query, nil, kind, word, "Poll", "%s", shorten(sentence(message)))
}

// wordOf is the reason that the last poll of an earlier process came to, as far as its status tells.
func wordOf(status *imagev1alpha1.ImageQueryStatus) string {
	if stalled := meta.FindStatusCondition(status.Conditions, imagev1alpha1.ConditionStalled); stalled != nil {
		return stalled.Reason
	}
	ready := meta.FindStatusCondition(status.Conditions, imagev1alpha1.ConditionReady)
	switch {
	case ready == nil || ready.Status == metav1.ConditionUnknown:
		return ""
	case ready.Status == metav1.ConditionTrue && ready.Reason != imagev1alpha1.ReasonRemovalBlocked:
		return imagev1alpha1.ReasonSynced
	}
	return ready.Reason
}

// forget gives up what a deleted query leaves behind: Kubernetes' garbage collector deletes what it alone owned, and
// its label goes off what others own too.
func (r *Reconciler) forget(ctx context.Context, name string) (ctrl.Result, error) {
	r.memories.forget(name)
	r.statuses.forget(name)
	r.Metrics.forget(name)
	existing, err := r.images.of(name)
	if err != nil || len(existing) == 0 {
		return ctrl.Result{}, err
	}
	peers, err := r.peersOf(ctx, existing)
	if err != nil {
		return ctrl.Result{}, err
	}
	c := newClaim(&imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: name}}, r.Clock.Now(), peers)
	if !c.deleted(name) {
		return ctrl.Result{}, nil
	}
	refused, err := r.applier().run(ctx, c, c.forgetPlan(existing))
	if err != nil || refused.count == 0 {
		return ctrl.Result{}, err
	}
	err = fmt.Errorf("taking the label of a deleted query off %d CloudImages (%s)", refused.count, refused.first)
	if refused.invalid == refused.count {
		ctrl.LoggerFrom(ctx).Error(err, "The API server calls the CloudImages invalid; they are tried again much later")
		return ctrl.Result{RequeueAfter: maxRetry}, nil
	}
	return ctrl.Result{}, err
}

// forgetDeleted brings those queries here that were deleted while no operator worked, or whose operator ended before it had
// given up what they left: no event will ever tell of them.
func (r *Reconciler) forgetDeleted(ctx context.Context) error {
	for _, name := range r.images.queries() {
		if err := r.Client.Get(ctx, client.ObjectKey{Name: name}, &imagev1alpha1.ImageQuery{}); !apierrors.IsNotFound(err) {
			continue
		}
		r.enqueue(ctx, name)
	}
	return nil
}

func (r *Reconciler) applier() applier {
	return applier{images: r.writer, live: r.Live, peers: r.morePeers}
}

func (r *Reconciler) status() statusWriter {
	return statusWriter{client: r.Client, live: r.Live, own: &r.statuses, metrics: r.Metrics}
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	r.started = r.Clock.Now()
	r.nudged = make(chan event.GenericEvent, 1024)
	var err error
	if r.images, err = newImageCache(ctx, mgr.GetCache()); err != nil {
		return err
	}
	if r.writer, err = newImageWriter(mgr, r.Metrics.cloudImageWritten); err != nil {
		return err
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &imagev1alpha1.ImageQuery{}, indexSecret, r.secretsOf); err != nil {
		return fmt.Errorf("indexing ImageQueries: %w", err)
	}
	r.Metrics.elected, r.Metrics.images, r.Metrics.shard = mgr.Elected(), r.images, r.Shard
	if err := mgr.Add(manager.RunnableFunc(r.forgetDeleted)); err != nil {
		return fmt.Errorf("preparing the start: %w", err)
	}
	if err := r.sweepOwnerless(mgr); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("imagequery").
		For(&imagev1alpha1.ImageQuery{}, builder.WithPredicates(r.Shard.concerns(), r.asksForWork())).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.queriesOf), builder.WithPredicates(changesKeys())).
		Watches(&imagev1alpha1.CloudImage{}, r.missing()).
		WatchesRawSource(source.Channel(r.nudged, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: sourcesAtOnce * r.Concurrent}).
		Complete(r)
}

// secretsOf are the keys of a query in the index by Secrets.
func (r *Reconciler) secretsOf(o client.Object) []string {
	return r.Credentials.secretsOf(o.(*imagev1alpha1.ImageQuery))
}

// asksForWork lets through what a person changes: the spec, or an annotation that asks for a poll or approves a removal; and
// a status that somebody else wrote. Our own writes of the status would otherwise come back as work.
func (r *Reconciler) asksForWork() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool {
			r.statuses.seen(e.Object)
			return true
		},
		UpdateFunc: func(e event.UpdateEvent) bool {
			ours := r.statuses.seen(e.ObjectNew) // of every event: it remembers what the cache has
			return !ours || changed(e.ObjectOld, e.ObjectNew)
		},
	}
}

// changed says whether a query was changed by a person.
func changed(before, now client.Object) bool {
	return before.GetGeneration() != now.GetGeneration() ||
		// A query that was deleted and made anew while the watch was away shows as a change, of the same generation.
		before.GetUID() != now.GetUID() ||
		before.GetAnnotations()[imagev1alpha1.AnnotationRequestedAt] != now.GetAnnotations()[imagev1alpha1.AnnotationRequestedAt] ||
		before.GetAnnotations()[imagev1alpha1.AnnotationApproveRemoval] != now.GetAnnotations()[imagev1alpha1.AnnotationApproveRemoval]
}

// changesKeys lets through what may change keys. Operators of all kinds annotate Secrets, and release their own in the namespace.
func changesKeys() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isSecret := e.ObjectOld.(*corev1.Secret)
		now, isStill := e.ObjectNew.(*corev1.Secret)
		return !isSecret || !isStill || !maps.EqualFunc(before.Data, now.Data, bytes.Equal)
	}}
}

// queriesOf are the queries that may use a Secret. They look at once whether its keys are others than those of their last
// poll.
func (r *Reconciler) queriesOf(ctx context.Context, secret client.Object) []reconcile.Request {
	var queries imagev1alpha1.ImageQueryList
	// They are only looked at: a copy of each, with all its images, would cost more than all the rest of an event.
	err := r.Client.List(ctx, &queries, client.MatchingFields{indexSecret: secret.GetName()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing the queries of a Secret")
		return nil
	}
	var requests []reconcile.Request
	for i := range queries.Items {
		if r.Shard.covers(queries.Items[i].Spec.Region) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&queries.Items[i])})
		}
	}
	return requests
}
