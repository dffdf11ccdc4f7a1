// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"regexp"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// requestID matches the cloud's request ids, which must not be in a status.
var requestID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// checkStatus checks the invariants of every status. All waits of tests call it.
func checkStatus(t *testing.T, query *imagev1alpha1.ImageQuery) {
	t.Helper()
	status := &query.Status
	if status.ObservedGeneration == -1 {
		return // nothing written yet
	}
	if status.ObservedGeneration > query.Generation || status.SyncedGeneration > status.ObservedGeneration {
		t.Errorf("generations are out of order: %s", kit.Describe(query))
	}
	ready := meta.FindStatusCondition(status.Conditions, imagev1alpha1.ConditionReady)
	if ready == nil {
		t.Fatalf("Ready is missing: %s", kit.Describe(query))
	}
	for _, c := range status.Conditions {
		if c.Type != imagev1alpha1.ConditionReady && c.Type != imagev1alpha1.ConditionSelected && c.Status != metav1.ConditionTrue {
			t.Errorf("%s is there although it isn't True", c.Type)
		}
		if requestID.MatchString(c.Message) {
			t.Errorf("%s has a request id: %s", c.Type, c.Message)
		}
		if len(c.Message) > 1024*4 || c.Message == "" {
			t.Errorf("%s has a message of %d bytes", c.Type, len(c.Message))
		}
	}
	reconciling := meta.IsStatusConditionTrue(status.Conditions, imagev1alpha1.ConditionReconciling)
	stalled := meta.IsStatusConditionTrue(status.Conditions, imagev1alpha1.ConditionStalled)
	if reconciling && (stalled || ready.Status == metav1.ConditionTrue) {
		t.Errorf("Reconciling contradicts the rest: %s", kit.Describe(query))
	}
	if ready.Status == metav1.ConditionTrue && ready.Reason != imagev1alpha1.ReasonSuspended && status.SyncedGeneration != query.Generation {
		t.Errorf("Ready is True for another generation: %s", kit.Describe(query))
	}
	if blocked := meta.IsStatusConditionTrue(status.Conditions,
		imagev1alpha1.ConditionRemovalBlocked); blocked != (len(status.PendingRemoval) > 0) {
		t.Errorf("RemovalBlocked is %t, and pendingRemoval is %v", blocked, status.PendingRemoval)
	}
	checkSelectedCondition(t, query)
	checkImages(t, status)
	controllers.CheckSelection(t, status)
}

// checkSelectedCondition checks that the condition Selected agrees with the rest of the status.
func checkSelectedCondition(t *testing.T, query *imagev1alpha1.ImageQuery) {
	t.Helper()
	status, got := &query.Status, kit.Condition(query, imagev1alpha1.ConditionSelected)
	want := metav1.ConditionTrue
	switch {
	case len(status.Selected) > 0:
	case status.SyncedGeneration != status.ObservedGeneration:
		want = metav1.ConditionUnknown
	default:
		want = metav1.ConditionFalse
	}
	if got.Status != want || got.ObservedGeneration != status.ObservedGeneration {
		t.Errorf("Selected is %q of generation %d, want %q: %s", got.Status, got.ObservedGeneration, want, kit.Describe(query))
	}
}

func checkImages(t *testing.T, status *imagev1alpha1.ImageQueryStatus) {
	t.Helper()
	shown, all := len(status.Images), int(ptr.Deref(status.ImageCount, 0))
	if shown > all || shown < all && !ptr.Deref(status.ImagesTruncated, false) {
		t.Errorf("status shows %d of %d images, and imagesTruncated is %v", shown, all, status.ImagesTruncated)
	}
	sorted := slices.IsSortedFunc(status.Images, func(a, b imagev1alpha1.ImageSummary) int {
		switch {
		case a.CreatedTime == nil && b.CreatedTime == nil:
			return 0
		case a.CreatedTime == nil:
			return 1
		case b.CreatedTime == nil:
			return -1
		}
		return b.CreatedTime.Compare(a.CreatedTime.Time)
	})
	if !sorted {
		t.Error("status.images is not newest first")
	}
	if (status.Revision == "") != (status.LastChangeTime == nil) {
		t.Error("revision and lastChangeTime do not go together")
	}
}
