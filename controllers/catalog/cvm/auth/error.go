// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

const (
	// AssumedRole is the Error.Provider of an assumed role.
	AssumedRole = "role"
	// CallerIdentity is the Error.Provider of a failed check of the keys' account.
	CallerIdentity = "caller-identity"
)

// Codes of our own, in the SDK's style, for errors without a code of the cloud.
const (
	// CodeWaited: the caller's context ended before keys were obtained.
	CodeWaited = "ClientError.KeysTimeout"
	// CodeNoKeys: the answer has no keys, or keys that are invalid in a request.
	CodeNoKeys = "ClientError.NoKeys"
	// CodeEnding: the obtained keys expire within a minute.
	CodeEnding = "ClientError.KeysEnding"
	// CodePanic: handling the answer panicked.
	CodePanic = "ClientError.Panic"
	// CodeNoProvider: unknown ambient identity.
	CodeNoProvider = "ClientError.NoProvider"
	// CodeNoRole: the node has no role.
	CodeNoRole = "ClientError.NoCVMRole"
	// CodeRoleRefused: the metadata service has no keys for the node's role.
	CodeRoleRefused = "ClientError.CVMRoleRefused"
	// CodeMetadata: the metadata service was not reached, or its answer was invalid.
	CodeMetadata = "ClientError.MetadataUnavailable"
	// CodeNoToken: the pod's token file can't be read, or is empty.
	CodeNoToken = "ClientError.NoWebIdentityToken"
	// CodeNoOwner: the answer lacks the account of the keys.
	CodeNoOwner = "ClientError.NoCallerIdentity"
	// CodeOtherAccount: the keys belong to the wrong account.
	CodeOtherAccount = "ClientError.OtherAccount"
)

// Error is a provider's failure to obtain keys.
type Error struct {
	// Provider is AssumedRole, CVMRole, TKEOIDC or CallerIdentity.
	Provider string

	// Code is a code of this package; empty if Err has one.
	Code string

	// Owner is the account of the keys, and Want the required one, for CodeOtherAccount.
	Owner, Want string

	// Err is the error of the SDK or the network. Its text may contain parts of the answer: classify it, but don't
	// show it.
	Err error
}

// Error implements error, without the text of Err.
func (e *Error) Error() string {
	text := "no keys were obtained by " + e.Provider
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	return text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
