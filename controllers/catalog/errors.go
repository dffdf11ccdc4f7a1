// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

// Kind is the class of a failed listing. It is decided once, where the cloud's answer is seen.
type Kind string

const (
	// Invalid: the cloud can't answer this query; only another query helps.
	Invalid Kind = "Invalid"
	// Unauthenticated: the cloud doesn't accept the keys; somebody must correct them.
	Unauthenticated Kind = "Unauthenticated"
	// Forbidden: the keys are good but not allowed to ask; somebody must grant it.
	Forbidden Kind = "Forbidden"
	// Throttled: too many requests; it passes by itself.
	Throttled Kind = "Throttled"
	// Unavailable: the cloud was not reached or could not answer; it passes by itself.
	Unavailable Kind = "Unavailable"
	// Incomplete: the cloud answered, but its pages do not add up.
	Incomplete Kind = "Incomplete"
)

// Error is a failed listing in our own words. Nothing of what the cloud wrote is in it but the code and, for the
// log, the id of the request: messages of the cloud are unstable, may hold whole response bodies, and would be shown
// to everybody who may read a status.
type Error struct {
	Kind Kind

	// Code is the cloud's or the SDK's code, such as AuthFailure.SignatureFailure.
	Code string

	// Message says what is wrong and who must act, as a sentence without its full stop. The same cause always gives
	// the same message.
	Message string

	// RequestID identifies the request at the cloud. It belongs into the log only.
	RequestID string

	// UnknownImageID says that the cloud refused the request because of an image id in it.
	UnknownImageID bool

	// Cause is the context's error where one ended the request, else nil.
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
