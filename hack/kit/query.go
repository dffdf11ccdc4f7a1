// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// Query returns the current ImageQuery.
func (k *Kit) Query(name string) *imagev1alpha1.ImageQuery {
	k.t.Helper()
	query := &imagev1alpha1.ImageQuery{}
	if err := k.Client.Get(k.t.Context(), client.ObjectKey{Name: name}, query); err != nil {
		k.t.Fatalf("reading the ImageQuery %s: %v", name, err)
	}
	return query
}

// Patch applies a JSON merge patch to an ImageQuery.
func (k *Kit) Patch(name, patch string) {
	k.t.Helper()
	query := &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := k.Client.Patch(k.t.Context(), query, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		k.t.Fatalf("patching the ImageQuery %s: %v", name, err)
	}
}

// Annotate sets an annotation of an ImageQuery.
func (k *Kit) Annotate(name, annotation, value string) {
	k.t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{annotation: value}}})
	if err != nil {
		k.t.Fatalf("annotating the ImageQuery %s: %v", name, err)
	}
	k.Patch(name, string(patch))
}

// requests numbers the requested polls, so that each token is unique.
var requests atomic.Int64

// Poll requests a poll and waits until it has ended, successful or not.
func (k *Kit) Poll(name string) *imagev1alpha1.ImageQuery {
	k.t.Helper()
	token := fmt.Sprint("poll-", requests.Add(1))
	k.RequestPoll(name, token)
	return k.UntilHandled(name, token)
}

// RequestPoll requests a poll without waiting.
func (k *Kit) RequestPoll(name, token string) {
	k.t.Helper()
	k.Annotate(name, imagev1alpha1.AnnotationRequestedAt, token)
}

// UntilHandled waits until a requested poll has ended, successful or not.
func (k *Kit) UntilHandled(name, token string) *imagev1alpha1.ImageQuery {
	k.t.Helper()
	return k.UntilQuery(name, "the requested poll has ended", func(q *imagev1alpha1.ImageQuery) bool {
		return q.Status.LastHandledReconcileAt == token
	})
}

// Condition returns a condition of an ImageQuery, or an empty one.
func Condition(query *imagev1alpha1.ImageQuery, conditionType string) metav1.Condition {
	if c := meta.FindStatusCondition(query.Status.Conditions, conditionType); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// Ready returns the condition Ready of an ImageQuery.
func Ready(query *imagev1alpha1.ImageQuery) metav1.Condition {
	return Condition(query, imagev1alpha1.ConditionReady)
}

// Describe summarizes a status for test failures.
func Describe(query *imagev1alpha1.ImageQuery) string {
	var out strings.Builder
	s := query.Status
	fmt.Fprintf(&out, "generation %d, observed %d, synced %d, %d images",
		query.Generation, s.ObservedGeneration, s.SyncedGeneration, len(s.Images))
	for _, c := range s.Conditions {
		fmt.Fprintf(&out, "\n\t%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	}
	return out.String()
}
