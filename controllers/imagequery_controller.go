// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// +kubebuilder:rbac:groups=imagecatalog.dev,resources=imagequeries,verbs=get;list;watch
// +kubebuilder:rbac:groups=imagecatalog.dev,resources=imagequeries/status,verbs=patch
// +kubebuilder:rbac:groups=imagecatalog.dev,resources=cloudimages,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups="",namespace=image-catalog-system,resources=secrets,verbs=list;watch
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=image-catalog-system,resources=leases,verbs=get;create;update
// +kubebuilder:rbac:groups=events.k8s.io,namespace=default,resources=events,verbs=create
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// Reconciler keeps the catalogue of every ImageQuery.
type Reconciler struct {
	// Client reads from the cache and writes; Live reads from the API server, where the cache's word isn't enough.
	Client client.Client
	Live   client.Reader

	Lister      catalog.Lister
	Credentials Credentials
	Events      events.EventRecorder
	Clock       clock.PassiveClock
	Metrics     *Metrics

	// MaxStatusImages caps status.images.
	MaxStatusImages int

	// Concurrent is how many queries are polled at once.
	Concurrent int

	started  time.Time
	memories memories
}

// Reconcile polls a query if that is due, and says when to come back.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	query := &imagev1alpha1.ImageQuery{}
	if err := r.Client.Get(ctx, request.NamespacedName, query); apierrors.IsNotFound(err) {
		return ctrl.Result{}, r.forget(ctx, request.Name)
	} else if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading the query: %w", err)
	}
	if query.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	result, err := r.reconcile(ctx, query)
	r.Metrics.observe(query, lastSuccess(query, r.memories.of(query)))
	if errors.Is(err, errMoved) || ctx.Err() != nil {
		// The change that moved the query brings it here again, and the end of the process needs no words.
		return ctrl.Result{}, nil //nolint:nilerr // see above
	}
	return result, err
}

func (r *Reconciler) reconcile(ctx context.Context, query *imagev1alpha1.ImageQuery) (ctrl.Result, error) {
	if query.Spec.Suspend {
		return ctrl.Result{}, r.announce(ctx, query, suspended)
	}
	m := r.memories.of(query)
	if m.word == "" {
		m.word = wordOf(&query.Status)
	}
	account, missing := r.Credentials.Account(ctx, query)
	at, why := nextPoll(query, m, account, r.started)
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
	m.began(query, account, r.Clock.Now())
	o, err := r.poll(ctx, query, account, missing)
	if err != nil {
		m.broken(query, r.Clock.Now())
		return ctrl.Result{}, err
	}
	m.ended(query, o, r.Clock.Now())
	return r.report(ctx, query, m, o)
}

// announce writes a status that a new spec asks for before the cloud does.
func (r *Reconciler) announce(ctx context.Context, query *imagev1alpha1.ImageQuery, status func(*imagev1alpha1.ImageQuery, matcher, []catalog.Image, time.Time) *imagev1alpha1.ImageQueryStatus) error {
	existing, err := r.existing(ctx, query)
	if err != nil {
		return err
	}
	c := claim{query: query, scope: scopeOf(query)}
	known, now := c.known(existing), r.Clock.Now()
	return r.status().write(ctx, query, func(q *imagev1alpha1.ImageQuery) *imagev1alpha1.ImageQueryStatus {
		return status(q, matcher{match: &q.Spec.Match}, known, now)
	})
}

// poll asks the cloud and brings the CloudImages to its answer. The error is one that says nothing of the cloud: the
// query moved, the process ends, or the API server can't be read.
func (r *Reconciler) poll(ctx context.Context, query *imagev1alpha1.ImageQuery, account catalog.Account, missing *failure) (*outcome, error) {
	o := &outcome{began: r.Clock.Now(), requestedAt: query.Annotations[imagev1alpha1.AnnotationRequestedAt], failure: missing}
	if missing != nil {
		return o, nil
	}
	m, bad := newMatcher(&query.Spec.Match)
	if bad != nil {
		o.failure = bad
		return o, nil
	}
	c := claim{query: query, scope: scopeOf(query), now: o.began}
	existing, err := r.existing(ctx, query)
	if err != nil {
		return nil, err
	}
	seen, bad := r.ask(ctx, query, account, m, c.known(existing))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	o.listing, o.members, o.failure = seen.listing, seen.members, bad
	if bad != nil {
		return o, nil
	}
	o.published = true
	o.failure, err = r.materialise(ctx, c, o.members)
	return o, err
}

// ask looks at the cloud within the time a poll may take.
func (r *Reconciler) ask(ctx context.Context, query *imagev1alpha1.ImageQuery, account catalog.Account, m matcher, known []catalog.Image) (view, *failure) {
	ctx, cancel := context.WithTimeout(ctx, min(query.Spec.Interval.Duration, maxPoll))
	defer cancel()
	q := toQuery(&query.Spec)
	// Somebody who asks for a poll wants the state of now.
	requestedAt := query.Annotations[imagev1alpha1.AnnotationRequestedAt]
	q.Fresh = requestedAt != "" && requestedAt != query.Status.LastHandledReconcileAt
	return look(ctx, r.Lister, account, q, m, known, func(members int) *failure { return tooFew(query, members) })
}

func tooFew(query *imagev1alpha1.ImageQuery, members int) *failure {
	least := 1
	if query.Spec.MinImages != nil {
		least = int(*query.Spec.MinImages)
	}
	if members >= least {
		return nil
	}
	return &failure{
		reason: imagev1alpha1.ReasonTooFewImages,
		message: fmt.Sprintf("%d images match, fewer than spec.minImages (%d), so nothing of this listing is published; "+
			"lower minImages if that is right", members, least),
	}
}

// materialise brings the CloudImages to the members. What the query keeps is written before what it lets go; images
// of a former region or account are let go only once all that replaces them is there.
func (r *Reconciler) materialise(ctx context.Context, c claim, members []catalog.Image) (*failure, error) {
	existing, err := r.existing(ctx, c.query, c.scope)
	if err != nil {
		return nil, err
	}
	if c.deleted, err = r.deletedQueries(ctx, existing); err != nil {
		return nil, err
	}
	p := c.makePlan(members, existing)
	if p.empty() {
		return nil, nil //nolint:nilnil // neither failed
	}
	if _, err := reread(ctx, r.Live, c.query); err != nil {
		return nil, err
	}
	a := applier{client: r.Client, live: r.Live}
	refused, err := a.run(ctx, p.keep)
	if err != nil {
		return nil, err
	}
	release := p.release
	if refused.count > 0 {
		release = c.inScope(release)
	}
	notReleased, err := a.run(ctx, release)
	if err != nil {
		return nil, err
	}
	ctrl.LoggerFrom(ctx).Info("Wrote CloudImages", "kept", len(p.keep), "released", len(release), "refused", refused.count+notReleased.count)
	return writeFailure(refused, notReleased), nil
}

// inScope are the steps on objects of the query's own scope.
func (c claim) inScope(steps []step) []step {
	var out []step
	for _, s := range steps {
		if i := s.current; i != nil && (scope{credentials: i.Image.Credentials, region: i.Image.Region}) == c.scope {
			out = append(out, s)
		}
	}
	return out
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
	return ctrl.Result{RequeueAfter: max(m.due.Sub(r.Clock.Now()), time.Millisecond)}, nil
}

// tell logs what a poll came to, and makes an event of it when that is something new.
func (r *Reconciler) tell(ctx context.Context, query *imagev1alpha1.ImageQuery, m *memory, o *outcome) {
	log := ctrl.LoggerFrom(ctx)
	word, kind, message := imagev1alpha1.ReasonSynced, corev1.EventTypeNormal, fmt.Sprintf("%d images match", len(o.members))
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
		r.Events.Eventf(query, nil, kind, word, "Poll", "%s", shorten(sentence(message)))
	}
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
	case ready.Status == metav1.ConditionTrue:
		return imagev1alpha1.ReasonSynced
	}
	return ready.Reason
}

// forget gives up what a deleted query leaves behind: Kubernetes' garbage collector deletes what it alone owned, and
// its label goes off what others own too.
func (r *Reconciler) forget(ctx context.Context, name string) error {
	r.memories.forget(name)
	r.Metrics.forget(name)
	query := &imagev1alpha1.ImageQuery{}
	query.Name = name
	existing, err := r.existing(ctx, query)
	if err != nil || len(existing) == 0 {
		return err
	}
	c := claim{query: query}
	if c.deleted, err = r.deletedQueries(ctx, existing); err != nil {
		return err
	}
	if !c.deleted[name] {
		return nil
	}
	refused, err := applier{client: r.Client, live: r.Live}.run(ctx, c.forgetPlan(existing))
	if err == nil && refused.count > 0 {
		err = fmt.Errorf("taking the label of a deleted query off %d CloudImages (%s)", refused.count, refused.first)
	}
	return err
}

func (r *Reconciler) status() statusWriter {
	return statusWriter{client: r.Client, live: r.Live}
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	r.started = r.Clock.Now()
	r.Metrics.elected, r.Metrics.reader = mgr.Elected(), r.Client
	r.Client = counted{Client: r.Client, metrics: r.Metrics}
	indexer := mgr.GetFieldIndexer()
	for field, index := range map[string]client.IndexerFunc{indexScope: scopeIndex, indexQuery: queryIndex} {
		if err := indexer.IndexField(ctx, &imagev1alpha1.CloudImage{}, field, index); err != nil {
			return fmt.Errorf("indexing CloudImages by %s: %w", field, err)
		}
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("imagequery").
		For(&imagev1alpha1.ImageQuery{}, builder.WithPredicates(asksForWork())).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.queriesOf)).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Concurrent}).
		Complete(r)
}

// asksForWork lets through what a person changes: the spec, or the annotation that asks for a poll. Our own writes of
// the status would otherwise come back as work.
func asksForWork() predicate.Predicate {
	requested := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetAnnotations()[imagev1alpha1.AnnotationRequestedAt] != e.ObjectNew.GetAnnotations()[imagev1alpha1.AnnotationRequestedAt]
	}}
	return predicate.Or(predicate.GenerationChangedPredicate{}, requested)
}

// queriesOf are the queries that may use a Secret. They look at once whether its keys are others than those of their last
// poll.
func (r *Reconciler) queriesOf(ctx context.Context, secret client.Object) []reconcile.Request {
	var queries imagev1alpha1.ImageQueryList
	if err := r.Client.List(ctx, &queries); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing the queries of a Secret")
		return nil
	}
	var requests []reconcile.Request
	for i := range queries.Items {
		if r.Credentials.mayUse(&queries.Items[i], secret.GetName()) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&queries.Items[i])})
		}
	}
	return requests
}
