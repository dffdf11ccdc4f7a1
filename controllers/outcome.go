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

// pollResult is what one poll came to, as status tells it.
type pollResult struct {
	// began is when the poll began, and requestedAt the value of the annotation at that time.
	began       time.Time
	requestedAt string

	// failure is why the poll did not succeed; nil if it did.
	failure *failure

	// funnel is what spec.match made of the listing.
	funnel selection.Funnel

	// published says that the verdict is there, because the listing was good: with a failure, too, where only writes of
	// CloudImages failed.
	published bool
	selection.Decision

	// removing are the images in their grace period, and nextRemoval is when the next of them ends; zero if none is.
	removing    []imagev1alpha1.RemovingImage
	nextRemoval time.Time

	// leftOut is what the query asks for and doesn't get on CloudImages that it shares.
	leftOut cloudimage.LeftOut
}

// failure is why a poll failed.
type failure struct {
	// reason is one of the condition reasons.
	reason string

	// message is a sentence without its full stop that says what is wrong and who must act. The same cause gives the
	// same message.
	message string

	// stalled says that a person must act.
	stalled bool

	// cause is what the log tells besides, nil if there is nothing more.
	cause *catalog.Error
}

// reasons gives each class of a cloud's error its condition reason.
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

// failureOf is the failure of a listing.
func failureOf(err error) *failure {
	cause := (*catalog.Error)(nil)
	if !errors.As(err, &cause) {
		cause = &catalog.Error{Kind: catalog.Unavailable, Message: "the cloud could not be asked"}
	}
	r := reasons[cause.Kind]
	return &failure{reason: r.reason, stalled: r.stalled, message: cause.Error(), cause: cause}
}
