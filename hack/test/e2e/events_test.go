// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// events makes the cloud deny a permission, twice. The catalogue stays unchanged.
func (s *suite) events() {
	listing := pages("acct2", region, 1)
	denied := []string{listing[0] + ": UnauthorizedOperation"}
	forbidden := second
	forbidden.Deny = true
	images := len(s.Images("foreign"))
	for range 2 {
		s.cloud.SetCredential(forbidden)
		s.expect(func() { s.Poll("foreign") }, denied, statusOf("foreign", 1))
		query := s.UntilReady("foreign", metav1.ConditionTrue, imagev1alpha1.ReasonRetrying) // the data is fresh
		if got := len(query.Status.Images); got != images || len(s.Images("foreign")) != images {
			s.t.Errorf("a denied poll left %d images in status and %d CloudImages, want %d", got, len(s.Images("foreign")), images)
		}
		s.cloud.SetCredential(second)
		s.expect(func() { s.Poll("foreign") }, listing, statusOf("foreign", 1))
	}
	for reason, want := range map[string]struct {
		kind  string
		times int32
	}{
		imagev1alpha1.ReasonCredentialsNotFound: {corev1.EventTypeWarning, 1},
		imagev1alpha1.ReasonPermissionDenied:    {corev1.EventTypeWarning, 2},
		imagev1alpha1.ReasonSynced:              {corev1.EventTypeNormal, 2},
	} {
		s.Until("there is an event "+reason, func(ctx context.Context) error {
			kind, times, err := s.seenEvent(ctx, reason)
			if err == nil && (kind != want.kind || times < want.times) {
				err = fmt.Errorf("%q was seen %d times, want %q and %d", kind, times, want.kind, want.times)
			}
			return err
		})
	}
}

// seenEvent returns the type of the event about the query foreign with a reason, and its count. Equal events become a
// series, which counts the second one at once and is updated later.
func (s *suite) seenEvent(ctx context.Context, reason string) (kind string, times int32, err error) {
	var list eventsv1.EventList
	if err := s.Client.List(ctx, &list, client.InNamespace("default")); err != nil {
		return "", 0, err
	}
	for _, e := range list.Items {
		if e.Regarding.Kind != "ImageQuery" || e.Regarding.Name != "foreign" || e.Reason != reason {
			continue
		}
		kind = e.Type
		times++
		if e.Series != nil {
			times += e.Series.Count - 1
		}
	}
	return kind, times, nil
}
