// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"iter"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// Indexes of the CloudImage cache.
const (
	indexScope = "scope"
	indexQuery = "query"
)

func (s scope) indexKey() string { return s.credentials + "/" + s.region }

// scopeIndex files a CloudImage under its account and region.
func scopeIndex(o client.Object) []string {
	image := &o.(*imagev1alpha1.CloudImage).Image
	return []string{scope{credentials: image.Credentials, region: image.Region}.indexKey()}
}

// queryIndex files a CloudImage under every query that has something on it: by name where it has its label, by UID
// where it is an owner.
func queryIndex(o client.Object) []string {
	var keys []string
	for label := range o.GetLabels() {
		if name, ok := strings.CutPrefix(label, imagev1alpha1.LabelQueryPrefix); ok {
			keys = append(keys, "name/"+name)
		}
	}
	for _, ref := range o.GetOwnerReferences() {
		keys = append(keys, "uid/"+string(ref.UID))
	}
	return keys
}

// existing returns CloudImages by name: those of a query, and with a scope those that it might come to share.
// The objects are the cache's own: read only.
func (r *Reconciler) existing(ctx context.Context, query *imagev1alpha1.ImageQuery, scopes ...scope) (map[string]*imagev1alpha1.CloudImage, error) {
	found := map[string]*imagev1alpha1.CloudImage{}
	lookups := []client.MatchingFields{{indexQuery: "name/" + query.Name}, {indexQuery: "uid/" + string(query.UID)}}
	for _, s := range scopes {
		lookups = append(lookups, client.MatchingFields{indexScope: s.indexKey()})
	}
	for _, by := range lookups {
		var list imagev1alpha1.CloudImageList
		if err := r.Client.List(ctx, &list, by, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("listing CloudImages: %w", err)
		}
		for i := range list.Items {
			found[list.Items[i].Name] = &list.Items[i]
		}
	}
	return found, nil
}

// peersOf returns the queries that objects name in labels and in what they remember of leaving, nil for those that do not
// exist. The cache may not know a new one yet, so only the API server's word counts for that; it is asked for names that
// the cache lacks, which are few.
func (r *Reconciler) peersOf(ctx context.Context, existing map[string]*imagev1alpha1.CloudImage) (map[string]*imagev1alpha1.ImageQuery, error) {
	peers := map[string]*imagev1alpha1.ImageQuery{}
	for _, image := range existing {
		for name := range namesIn(image) {
			if _, known := peers[name]; known {
				continue
			}
			peer, err := r.peer(ctx, name)
			if err != nil {
				return nil, err
			}
			peers[name] = peer
		}
	}
	return peers, nil
}

// namesIn are the names of the queries that an object mentions.
func namesIn(image *imagev1alpha1.CloudImage) iter.Seq[string] {
	return func(yield func(string) bool) {
		for label := range image.Labels {
			if name, ok := strings.CutPrefix(label, imagev1alpha1.LabelQueryPrefix); ok && !yield(name) {
				return
			}
		}
		for _, leaving := range image.Lifecycle.Leaving {
			if !yield(leaving.Query) {
				return
			}
		}
	}
}

func (r *Reconciler) peer(ctx context.Context, name string) (*imagev1alpha1.ImageQuery, error) {
	for _, reader := range []client.Reader{r.Client, r.Live} {
		peer := &imagev1alpha1.ImageQuery{}
		err := reader.Get(ctx, types.NamespacedName{Name: name}, peer)
		if err == nil {
			return peer, nil
		}
		if !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("looking for the ImageQuery %s: %w", name, err)
		}
	}
	return nil, nil //nolint:nilnil // absence is an answer here
}
