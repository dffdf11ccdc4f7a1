// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// LookAt reconciles a query.
func (r *Reconciler) LookAt(ctx context.Context, name string) { r.enqueue(ctx, name) }

// QueriesOf returns the queries that a change of a Secret reconciles.
func (r *Reconciler) QueriesOf(ctx context.Context, secret client.Object) []reconcile.Request {
	return r.queriesOf(ctx, secret)
}

// CheckSelection checks the invariants of every selection.
func CheckSelection(t *testing.T, status *imagev1alpha1.ImageQueryStatus) {
	t.Helper()
	if (len(status.Selected) == 0) != (status.SelectedSummary == "") {
		t.Errorf("selectedSummary is %q with %d selected images", status.SelectedSummary, len(status.Selected))
	}
	if n := columns.StringWidth(status.SelectedSummary); n > maxSummary {
		t.Errorf("selectedSummary takes %d columns: %s", n, status.SelectedSummary)
	}
	selected := map[string]bool{}
	for _, image := range status.Selected {
		selected[image.ImageID] = true
	}
	if len(selected) != len(status.Selected) {
		t.Errorf("an image is selected twice: %v", status.Selected)
	}
	for _, image := range status.Images {
		if image.Selection == "" {
			t.Errorf("%s has no verdict", image.ImageID)
		}
		missing := image.Selection == imagev1alpha1.VerdictMissing // selected or not
		if !missing && (image.Selection == imagev1alpha1.VerdictSelected) != selected[image.ImageID] {
			t.Errorf("%s is %s, and selected names %v", image.ImageID, image.Selection, status.Selected)
		}
	}
	for i, record := range status.SelectedHistory {
		if current := i == 0 && len(status.Selected) > 0; current != (record.ReplacedTime == nil) {
			t.Errorf("record %d of the history is %+v with %d selected images", i, record, len(status.Selected))
		}
	}
	for _, removing := range status.Removing {
		if slices.ContainsFunc(status.Images, func(i imagev1alpha1.ImageSummary) bool { return i.ImageID == removing.ImageID }) {
			t.Errorf("%s is a member and is being removed", removing.ImageID)
		}
	}
}
