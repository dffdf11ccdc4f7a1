// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

// Kind is the class of a failed listing. It is determined once, where the cloud's answer is read.
type Kind string

const (
	// Invalid: the cloud can't answer this query. The query must be changed.
	Invalid Kind = "Invalid"
	// Unauthenticated: the cloud doesn't accept the keys. They must be corrected.
	Unauthenticated Kind = "Unauthenticated"
	// Forbidden: the keys are valid but lack a permission.
	Forbidden Kind = "Forbidden"
	// Throttled: too many requests. Temporary.
	Throttled Kind = "Throttled"
	// Unavailable: the cloud was not reached or could not answer. Temporary.
	Unavailable Kind = "Unavailable"
	// Incomplete: the cloud answered, but its pages are inconsistent.
	Incomplete Kind = "Incomplete"
)

// Error describes a failed listing. Of the cloud's text it contains only the code and, for the log, the request id:
// the cloud's messages are unstable, may contain whole response bodies, and would be visible to every reader of a
// status.
type Error struct {
	Kind Kind

	// Code is the code of the cloud or the SDK, such as AuthFailure.SignatureFailure.
	Code string

	// Message is a sentence without a full stop that states what is wrong and who must act. The same cause always gives
	// the same message.
	Message string

	// RequestID identifies the request at the cloud. It is for the log only.
	RequestID string

	// UnknownImageID is set if the cloud rejected the request because of one of its image ids.
	UnknownImageID bool

	// Cause is the context's error if it ended the request, else nil.
	Cause error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Message + " (" + e.Code + ")"
}

// Unwrap returns the cause, if any.
func (e *Error) Unwrap() error { return e.Cause }
