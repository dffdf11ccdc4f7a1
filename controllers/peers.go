// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
)

// enqueue requeues a query. It blocks while the channel is full, but not after ctx is done, because the channel then has no
// receiver.
func (r *Reconciler) enqueue(ctx context.Context, name string) {
	select {
	case r.requeue <- event.GenericEvent{Object: &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: name}}}:
	case <-ctx.Done():
	}
}

// markPeersDue marks the other queries due that share an image which this query found to be gone, so that each confirms it soon
// with its own credentials. A query is marked once per image until the image reappears, because an image that is held back is
// found to be gone at every poll.
func (r *Reconciler) markPeersDue(ctx context.Context, c cloudimage.Claim, o *pollResult, existing map[string]*cloudimage.Entry) {
	isGone := func(name string) bool {
		image := existing[name]
		return image != nil && (o.Gone[image.Image.ID] || o.Listing.Inconsistent || !c.InScope(image.CloudImage))
	}
	r.states.retainGone(c.Query.Name, isGone)
	due := map[string]bool{}
	for name, image := range existing {
		if !o.Gone[image.Image.ID] || !c.InScope(image.CloudImage) {
			continue
		}
		r.states.noteGone(c.Query.Name, name)
		for _, member := range c.Members(image.CloudImage) {
			if member != c.Query.Name && c.Peers[member] != nil && r.states.noteGone(member, name) {
				due[member] = true
			}
		}
	}
	for name := range due {
		if r.states.markDue(name) {
			r.enqueue(ctx, name)
		}
	}
}

// peersOf returns the queries that objects name in labels and leaving records, nil for those that don't exist. The cache may
// lack a new query, so the API server is asked for the names that the cache lacks, which are few.
func (r *Reconciler) peersOf(ctx context.Context, existing map[string]*cloudimage.Entry) (map[string]*imagev1alpha1.ImageQuery, error) {
	peers := map[string]*imagev1alpha1.ImageQuery{}
	for _, image := range existing {
		if err := r.addPeers(ctx, peers, image.CloudImage); err != nil {
			return nil, err
		}
	}
	return peers, nil
}

// morePeers adds the queries that a newer version of an object names. Queries known not to exist are looked up again, since
// they may have been created meanwhile.
func (r *Reconciler) morePeers(ctx context.Context, known map[string]*imagev1alpha1.ImageQuery, image *imagev1alpha1.CloudImage,
) (map[string]*imagev1alpha1.ImageQuery, error) {
	if image == nil {
		return known, nil
	}
	peers := maps.Clone(known)
	maps.DeleteFunc(peers, func(_ string, peer *imagev1alpha1.ImageQuery) bool { return peer == nil })
	return peers, r.addPeers(ctx, peers, image)
}

func (r *Reconciler) addPeers(ctx context.Context, peers map[string]*imagev1alpha1.ImageQuery, image *imagev1alpha1.CloudImage) error {
	for name := range cloudimage.NamesIn(image) {
		if _, known := peers[name]; known {
			continue
		}
		peer, err := r.peer(ctx, name)
		if err != nil {
			return err
		}
		peers[name] = peer
	}
	return nil
}

// peer returns a query, or nil if there is none. It is shared with the cache: read only. A client of the same cache would
// copy it with its status, of which hundreds of images are nothing here.
func (r *Reconciler) peer(ctx context.Context, name string) (*imagev1alpha1.ImageQuery, error) {
	if cached, found, err := r.queries.GetByKey(name); err == nil && found {
		return cached.(*imagev1alpha1.ImageQuery), nil
	}
	peer := &imagev1alpha1.ImageQuery{}
	err := r.APIReader.Get(ctx, types.NamespacedName{Name: name}, peer)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // nil means not found
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the ImageQuery %s: %w", name, err)
	}
	return peer, nil
}
