// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/cache"
)

func TestAQueryWaitsForItsOwnWrites(t *testing.T) {
	version := func(v string) *imagev1alpha1.ImageQuery {
		return &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{ResourceVersion: v}}
	}
	image := func(name, uid, version string) *imagev1alpha1.CloudImage {
		return &imagev1alpha1.CloudImage{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid), ResourceVersion: version}}
	}
	for name, tc := range map[string]struct {
		write  func(w *written)
		query  string
		cached []*imagev1alpha1.CloudImage
		waits  bool
	}{
		"nothing was written":              {write: func(*written) {}, query: "5"},
		"the query is of before its write": {write: func(w *written) { w.reconciled(version("10")) }, query: "9", waits: true},
		"the query was edited since":       {write: func(w *written) { w.reconciled(version("9")) }, query: "10"},
		"images of before the write": {
			write: func(w *written) { w.Stored("100") }, query: "5",
			cached: []*imagev1alpha1.CloudImage{image("b", "b", "99")}, waits: true,
		},
		"the image as written": {
			write: func(w *written) { w.Stored("100") }, query: "5",
			cached: []*imagev1alpha1.CloudImage{image("a", "a", "100")},
		},
		"a later change of another image": {
			write: func(w *written) { w.Stored("100") }, query: "5",
			cached: []*imagev1alpha1.CloudImage{image("b", "b", "101")},
		},
		"the latest of many writes counts": {
			write: func(w *written) { w.Stored("100"); w.Stored("98") }, query: "5",
			cached: []*imagev1alpha1.CloudImage{image("b", "b", "99")}, waits: true,
		},
		"an image that it deleted": {
			write: func(w *written) { w.Deleted(image("a", "a", "7")) }, query: "5",
			cached: []*imagev1alpha1.CloudImage{image("a", "a", "7")}, waits: true,
		},
		"a namesake of what it deleted": {
			write: func(w *written) { w.Deleted(image("a", "a", "7")) }, query: "5",
			cached: []*imagev1alpha1.CloudImage{image("a", "new", "8")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			informer := toolscache.NewSharedIndexInformer(&toolscache.ListWatch{}, &imagev1alpha1.CloudImage{}, 0, toolscache.Indexers{})
			images, err := cache.FromInformer(informer)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range tc.cached {
				if err := informer.GetStore().Add(cloudimage.NewEntry(o)); err != nil {
					t.Fatal(err)
				}
			}
			query, w, now := version(tc.query), &written{}, time.Now()
			tc.write(w)
			if got := w.awaits(query, images, now); got != tc.waits {
				t.Errorf("it waits: %t, want %t", got, tc.waits)
			}
			w.reconciled(query)
			if got := w.awaits(query, images, now.Add(cacheLagRetry)); got != tc.waits {
				t.Errorf("it goes on waiting: %t, want %t", got, tc.waits)
			}
			if w.awaits(query, images, now.Add(maxCacheLag)) {
				t.Errorf("it waits longer than %s", maxCacheLag)
			}
		})
	}
}
