// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types of an ImageQuery. Ready and Selected are always there; the others only while True, as kstatus expects.
const (
	// ConditionReady is True while images answer this generation of the spec and are fresh: synced less than
	// max(4 x interval, 15m) ago, and never more than interval + 24h ago. Consumers may rely on the images whatever
	// Ready says: a failed poll never changes them.
	ConditionReady = "Ready"
	// ConditionSelected says whether there is an image to boot: True while status.selected is not empty. Ready says whether
	// the catalogue is right.
	ConditionSelected = "Selected"
	// ConditionReconciling is True while the operator is on its way to this generation, or trying again, by itself.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True while a person must act. The operator tries again by itself all the same, since a
	// corrected policy in the cloud makes no event in Kubernetes.
	ConditionStalled = "Stalled"
	// ConditionRemovalBlocked is True while so many images would leave at once that nothing leaves until a person
	// approves it; its message is the command that does. New images are not selected meanwhile.
	ConditionRemovalBlocked = "RemovalBlocked"
)

// Reasons of the conditions, and of events.
const (
	// ReasonProgressing: a new query or a new generation has not been synced yet.
	ReasonProgressing = "Progressing"
	// ReasonProgressingWithRetry: the last poll failed; the next one comes by itself.
	ReasonProgressingWithRetry = "ProgressingWithRetry"
	// ReasonSynced: the last complete listing is what status and CloudImages show.
	ReasonSynced = "Synced"
	// ReasonRetrying: polls fail, but the last success is fresh and answers this generation.
	ReasonRetrying = "Retrying"
	// ReasonNoImagesMatched: synced, and no image is a member; only where minImages is 0.
	ReasonNoImagesMatched = "NoImagesMatched"
	// ReasonRemovalBlocked: synced, but nothing leaves until a person approves it.
	ReasonRemovalBlocked = "RemovalBlocked"
	// ReasonSuspended: spec.suspend is true; nothing is polled, written or deleted.
	ReasonSuspended = "Suspended"

	// ReasonThrottled: the cloud refused the request because of its rate limit.
	ReasonThrottled = "Throttled"
	// ReasonUnavailable: the cloud could not be reached, or answered with an error that passes by itself.
	ReasonUnavailable = "Unavailable"
	// ReasonIncompleteListing: the cloud's pages contradicted each other twice; nothing of them was used.
	ReasonIncompleteListing = "IncompleteListing"
	// ReasonTooFewImages: fewer members than spec.minImages; nothing of the listing was published.
	ReasonTooFewImages = "TooFewImages"
	// ReasonWriteFailed: the API server refused to store some CloudImages.
	ReasonWriteFailed = "WriteFailed"

	// ReasonInvalidQuery: the cloud can't answer this query; its spec must change.
	ReasonInvalidQuery = "InvalidQuery"
	// ReasonAuthenticationFailed: the cloud doesn't accept the credentials.
	ReasonAuthenticationFailed = "AuthenticationFailed"
	// ReasonPermissionDenied: the credentials are good but may not call cvm:DescribeImages.
	ReasonPermissionDenied = "PermissionDenied"
	// ReasonCredentialsNotFound: the Secret is missing, or lacks a key.
	ReasonCredentialsNotFound = "CredentialsNotFound"
	// ReasonTooManyImages: more CloudImages than cloudImages.maxImages; nothing of the listing was published.
	ReasonTooManyImages = "TooManyImages"
)

// Reasons of the condition Selected, besides ReasonProgressing.
const (
	// ReasonSelected: status.selected is what the last good listing came to.
	ReasonSelected = "Selected"
	// ReasonKept: an image stays selected although it no longer qualifies, because no other one replaces it.
	ReasonKept = "Kept"
	// ReasonNothingSelected: no member qualifies, or there is none.
	ReasonNothingSelected = "NothingSelected"
)

// Reasons that only events have; each but the last is about a good poll.
const (
	// EventSelectionChanged: status.selected names other images than before.
	EventSelectionChanged = "SelectionChanged"
	// EventImageFactsChanged: the size, the snapshots, the operating system or the creation time of a member is another
	// under the same id, as if the image had been rebuilt behind it.
	EventImageFactsChanged = "ImageFactsChanged"
	// EventCreatorChanged: a selected image has the name of one that was selected before, but another creator.
	EventCreatorChanged = "CreatorChanged"
	// EventApprovalRefused: the annotation approve-removal is not the token of the removal that waits, so nothing is removed.
	EventApprovalRefused = "ApprovalRefused"
	// EventStatusOverwritten: another client had written the status, and the operator's own is back. At most once a minute.
	EventStatusOverwritten = "StatusOverwritten"
)
