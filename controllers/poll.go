// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/writer"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// poll lists the images and syncs the CloudImages. The error is never about the cloud: the query was superseded, the process
// is shutting down, or the API server can't be read. It calls listed when it doesn't need the cloud any more.
func (r *Reconciler) poll(ctx context.Context, query *imagev1alpha1.ImageQuery, m *pollState, account catalog.Account, missing *failure,
	listed func(),
) (*pollResult, error) {
	o := &pollResult{began: r.Clock.Now(), requestedAt: requestOf(query), failure: missing}
	if missing != nil {
		return o, nil
	}
	existing, err := r.images.OfQuery(query.Name)
	if err != nil {
		return nil, err
	}
	a := observer{lister: r.Lister, account: account, query: toQuery(&query.Spec)}
	a.query.Fresh = m.fresh
	if err := a.decide(ctx, query, m.known(query, existing), o); err != nil || o.failure != nil {
		return o, err
	}
	listed()
	o.published = true
	o.failure, err = r.syncCloudImages(ctx, query, o)
	return o, err
}

// decide is the part of a poll that writes nothing: it asks the cloud, and decides what the answer means. The error is that of an
// ended context.
func (a observer) decide(ctx context.Context, query *imagev1alpha1.ImageQuery, known selection.Known, o *pollResult) error {
	rules, err := selection.NewRules(&query.Spec)
	if err != nil {
		o.failure = &failure{reason: imagev1alpha1.ReasonInvalidQuery, stalled: true, message: err.Error()}
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, min(query.Spec.Interval.Duration, maxPoll))
	defer cancel()
	seen, bad := a.observe(limited, rules.Matcher, known, selectedInScope(query), query.Spec.GetMinImages())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	o.Listing, o.failure, o.funnel = seen.Listing, bad, seen.Funnel
	if bad != nil {
		return nil
	}
	o.Decision = rules.Decide(query, known, seen, o.began)
	boundSelection(&o.Selection)
	o.failure = tooMany(query, o.Decision)
	return nil
}

// selectedInScope returns the ids of the selected images, if they are of the account and region that the spec names.
func selectedInScope(query *imagev1alpha1.ImageQuery) []string {
	if !selection.SameScope(query.Status.ObservedQuery, selection.ObservedQuery(query)) {
		return nil
	}
	return selection.SelectedIDs(query.Status.Selected)
}

// tooMany returns the failure of a listing that needs more CloudImages than a query may have, or nil.
func tooMany(query *imagev1alpha1.ImageQuery, v selection.Decision) *failure {
	objects, most := 0, query.Spec.CloudImages.GetMaxImages()
	for _, image := range v.WithObjects(query.Spec.CloudImages.Policy) {
		if !v.Untrusted[image.ID] {
			objects++
		}
	}
	if objects <= most {
		return nil
	}
	return &failure{
		reason: imagev1alpha1.ReasonTooManyImages, stalled: true,
		message: fmt.Sprintf("the query asks for %d CloudImages, more than spec.cloudImages.maxImages (%d), "+
			"so nothing of this listing is published; narrow filters or match, raise maxImages, or set cloudImages.policy to Selected or None",
			objects, most),
	}
}

// syncCloudImages makes the CloudImages match the decision. What the query keeps is written before what it releases. Images
// of a former region or account are released only once all their replacements exist.
func (r *Reconciler) syncCloudImages(ctx context.Context, query *imagev1alpha1.ImageQuery, o *pollResult) (*failure, error) {
	existing, err := r.existing(cloudimage.OwnerOf(query), o)
	if err != nil {
		return nil, err
	}
	peers, err := r.peersOf(ctx, existing)
	if err != nil {
		return nil, err
	}
	c := cloudimage.NewClaim(query, o.began, peers)
	p := cloudimage.MakePlan(c, o.Decision, existing)
	o.removing, o.nextRemoval, o.leftOut = p.Removing, cloudimage.NextRemoval(p.Removing, o.began), p.LeftOut
	defer r.markPeersDue(ctx, c, o, existing)
	if p.Empty() {
		return nil, nil //nolint:nilnil // success
	}
	if _, err := reread(ctx, r.APIReader, c.Query); err != nil {
		return nil, err
	}
	a := r.writer()
	a.Tracker = r.states.of(c.Query).written
	refused, err := a.Apply(ctx, c, p.Keep)
	if err != nil {
		return nil, err
	}
	for _, s := range p.Keep {
		o.leftOut.Note(c.Owner, s.Result)
	}
	release := p.Release
	if refused.Count > 0 {
		release = slices.DeleteFunc(release, func(s cloudimage.Step) bool { return s.Current == nil || !c.InScope(s.Current.CloudImage) })
	}
	notReleased, err := a.Apply(ctx, c, release)
	if err != nil {
		return nil, err
	}
	ctrl.LoggerFrom(ctx).Info("Wrote CloudImages", "kept", len(p.Keep), "released", len(release), "refused", refused.Count+notReleased.Count)
	return writeFailure(refused, notReleased), nil
}

// relabel brings the query's label on its CloudImages to an edit that no poll has answered yet. Refused writes are left to the
// next poll if there will be one.
func (r *Reconciler) relabel(ctx context.Context, query *imagev1alpha1.ImageQuery, existing map[string]*cloudimage.Entry, now time.Time,
) error {
	if query.Status.SyncedGeneration == query.Generation || query.Status.ObservedQuery == "" {
		return nil
	}
	peers, err := r.peersOf(ctx, existing)
	if err != nil {
		return err
	}
	c := cloudimage.NewClaim(query, now, peers)
	steps := c.LabelPlan(existing)
	if len(steps) == 0 {
		return nil
	}
	if _, err := reread(ctx, r.APIReader, query); err != nil {
		return err
	}
	w := r.writer()
	w.Tracker = r.states.of(query).written
	refused, err := w.Apply(ctx, c, steps)
	if err == nil && refused.Count > 0 && query.Spec.Suspend {
		err = fmt.Errorf("writing labels of CloudImages: %s", refused.First)
	}
	return err
}

func (r *Reconciler) writer() writer.Writer {
	return writer.Writer{Images: r.requests, APIReader: r.APIReader, Cached: r.images.Get, Peers: r.morePeers}
}

// existing returns the CloudImages affected by a poll result, by name: those that refer to the query, and those of other
// queries for its images and for images that it requested by id.
func (r *Reconciler) existing(h cloudimage.Owner, o *pollResult) (map[string]*cloudimage.Entry, error) {
	existing, err := r.images.OfQuery(h.Query.Name)
	if err != nil {
		return nil, err
	}
	add := func(id string) {
		name := cloudimage.ObjectName(h.Scope, id)
		if existing[name] != nil {
			return
		}
		if image := r.images.Get(name); image != nil {
			existing[name] = image
		}
	}
	for _, image := range o.WithObjects(h.Query.Spec.CloudImages.Policy) {
		add(image.ID)
	}
	for id := range o.Gone {
		add(id)
	}
	return existing, nil
}

func writeFailure(refused, notReleased writer.Refusals) *failure {
	count, first := refused.Count+notReleased.Count, refused.First
	if first == "" {
		first = notReleased.First
	}
	if count == 0 {
		return nil
	}
	return &failure{
		reason: imagev1alpha1.ReasonWriteFailed,
		message: fmt.Sprintf("the API server did not take %s of CloudImages, the first of them %s; all others are done",
			plural(count, "write", "writes"), first),
	}
}
