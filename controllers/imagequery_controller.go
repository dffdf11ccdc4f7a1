// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/cache"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/writer"
)

// Reconciler keeps the catalogue of every ImageQuery.
type Reconciler struct {
	// Client reads queries and Secrets from the cache and writes status. APIReader reads from the API server, for when the
	// cache may lag behind.
	Client    client.Client
	APIReader client.Reader

	Lister      catalog.Lister
	Credentials Credentials
	Events      events.EventRecorder
	Clock       clock.PassiveClock
	Metrics     *Metrics

	// MaxStatusImages limits status.images.
	MaxStatusImages int

	// Concurrent is the number of concurrent polls per credential source.
	Concurrent int

	// Shard selects the queries to work on; empty means all.
	Shard Shard

	images   cache.Cache
	queries  toolscache.Store
	requests writer.Requests
	started  time.Time
	states   pollStates
	statuses ownStatuses
	slots    pollSlots

	// requeue carries queries that another query marked due, or that may take a poll slot.
	requeue chan event.GenericEvent
}

// Reconcile polls a query if it is due, and schedules the next reconcile.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	query := &imagev1alpha1.ImageQuery{}
	if err := r.Client.Get(ctx, request.NamespacedName, query); apierrors.IsNotFound(err) {
		return r.forget(ctx, request.Name)
	} else if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading the query: %w", err)
	}
	if !r.Shard.Covers(query.Spec.Region) {
		r.states.forget(query.Name)
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
	// Timer requeues get low priority so that user edits, which have normal priority, run first.
	result.Priority = new(handler.LowPriority)
	r.states.of(query).written.reconciled(query)
	r.Metrics.observe(query, lastSuccess(query, r.states.of(query)))
	return again(ctx, result, err)
}

// again converts the internal errors of a reconcile.
func again(ctx context.Context, result ctrl.Result, err error) (ctrl.Result, error) {
	switch {
	case errors.Is(err, errSuperseded) || ctx.Err() != nil:
		// The change requeues the query by itself, and on shutdown there is nothing to report.
		return ctrl.Result{}, nil //nolint:nilerr // see above
	case errors.Is(err, errForeignStatus):
		return ctrl.Result{RequeueAfter: time.Second}, nil // by then the cache has caught up
	}
	return result, err
}

func (r *Reconciler) reconcile(ctx context.Context, query *imagev1alpha1.ImageQuery) (ctrl.Result, error) {
	if query.Spec.Suspend {
		return ctrl.Result{}, r.writeInterimStatus(ctx, query, suspended)
	}
	m := r.states.of(query)
	m.peerDue = r.states.takeDue(query.Name) || m.peerDue
	m.lost = r.states.takeLoss(query.UID) || m.lost || m.lastAttempt.IsZero() && r.lacksObjects(query)
	if m.lastReason == "" {
		m.lastReason = lastReasonOf(&query.Status)
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
		if err := r.writeInterimStatus(ctx, query, progressing); err != nil {
			return ctrl.Result{}, err
		}
	}
	if m.written.awaits(query, r.images, r.Clock.Now()) {
		return ctrl.Result{RequeueAfter: cacheLagRetry}, nil
	}
	listed := func() {}
	if missing == nil {
		if !r.slots.acquire(account.Source, waiter{name: query.Name, first: m.isNew(query), due: at}, r.Concurrent) {
			return ctrl.Result{RequeueAfter: slotRetry}, nil
		}
		defer r.polled(ctx, account.Source)
		listed = sync.OnceFunc(func() { r.listed(ctx, account.Source) })
		defer listed()
	}
	m.pollStarted(query, account, r.Clock.Now())
	o, err := r.poll(ctx, query, m, account, missing, listed)
	if err != nil {
		m.pollAborted(query, r.Clock.Now())
		return ctrl.Result{}, err
	}
	m.pollFinished(query, o, r.Clock.Now())
	return r.report(ctx, query, m, o)
}
