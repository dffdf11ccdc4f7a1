// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// ownerlessGrace is how long a CloudImage without an ImageQuery among its owners is kept.
const ownerlessGrace = 24 * time.Hour

// Unowned returns the desired state of a CloudImage that no query owns: without queries' labels and leaving entries,
// and a day later deleted (nil). Presence stays Gone if it was.
func Unowned(current *imagev1alpha1.CloudImage, now time.Time) *imagev1alpha1.CloudImage {
	l := current.Lifecycle
	marked := len(l.Leaving) == 0 && l.Presence != imagev1alpha1.PresencePresent && l.DeleteAfter != nil
	if marked && !l.DeleteAfter.After(now) {
		return nil
	}
	desired := *current
	desired.Labels = withoutKeys(desired.Labels, func(key string) bool { return strings.HasPrefix(key, imagev1alpha1.LabelQueryPrefix) })
	latest := metav1.NewTime(now.Add(ownerlessGrace).Truncate(time.Second))
	if !marked || l.DeleteAfter.After(latest.Time) {
		desired.Lifecycle.DeleteAfter = &latest
	}
	desired.Lifecycle.Leaving = nil
	if l.Presence != imagev1alpha1.PresenceGone && l.Presence != imagev1alpha1.PresenceNotMatched {
		desired.Lifecycle.Presence = imagev1alpha1.PresenceNotMatched
		desired.Lifecycle.LastChangeTime = metav1.NewTime(now.Truncate(time.Second))
	}
	return &desired
}
