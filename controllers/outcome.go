// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// pollResult is the result of one poll, as status shows it.
type pollResult struct {
	// began is when the poll began, and requestedAt the value of the annotation at that time.
	began       time.Time
	requestedAt string

	// failure is why the poll failed; nil if it succeeded.
	failure *failure

	// funnel counts the images that spec.match admits and excludes.
	funnel selection.Funnel

	// published is set if the decision is valid because the listing was good. It is also set when only writes of
	// CloudImages failed.
	published bool
	selection.Decision

	// removing are the images in their grace period. nextRemoval is when the first grace period ends; zero if there is
	// none.
	removing    []imagev1alpha1.RemovingImage
	nextRemoval time.Time

	// leftOut is what the query asks for but can't get on shared CloudImages.
	leftOut cloudimage.LeftOut
}

// failure is why a poll failed.
type failure struct {
	// reason is one of the condition reasons.
	reason string

	// message is a sentence without a full stop that states what is wrong and who must act. The same cause gives the
	// same message.
	message string

	// stalled is set if a person must act.
	stalled bool

	// cause has more details for the log; nil if there are none.
	cause *catalog.Error
}

// reasons maps each class of cloud error to a condition reason.
var reasons = map[catalog.Kind]struct {
	reason  string
	stalled bool
}{
	catalog.Invalid:         {imagev1alpha1.ReasonInvalidQuery, true},
	catalog.Unauthenticated: {imagev1alpha1.ReasonAuthenticationFailed, true},
	catalog.Forbidden:       {imagev1alpha1.ReasonPermissionDenied, true},
	catalog.Throttled:       {imagev1alpha1.ReasonThrottled, false},
	catalog.Unavailable:     {imagev1alpha1.ReasonUnavailable, false},
	catalog.Incomplete:      {imagev1alpha1.ReasonIncompleteListing, false},
}

// failureOf returns the failure for a listing's error.
func failureOf(err error) *failure {
	cause := (*catalog.Error)(nil)
	if !errors.As(err, &cause) {
		cause = &catalog.Error{Kind: catalog.Unavailable, Message: "the cloud could not be asked"}
	}
	r := reasons[cause.Kind]
	return &failure{reason: r.reason, stalled: r.stalled, message: cause.Error(), cause: cause}
}
