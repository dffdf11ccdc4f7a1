// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

const (
	// AssumedRole is the Error.Provider of a role that keys assume.
	AssumedRole = "role"
	// CallerIdentity is that of keys whose account is not known to be the right one.
	CallerIdentity = "caller-identity"
)

// Codes of our own, in the SDK's manner, for what no code of the cloud tells.
const (
	// CodeWaited: the caller's context ended before keys were there.
	CodeWaited = "ClientError.KeysTimeout"
	// CodeNoKeys: the answer has no keys, or none that fit into a request.
	CodeNoKeys = "ClientError.NoKeys"
	// CodeEnding: the keys that were handed out end within a minute.
	CodeEnding = "ClientError.KeysEnding"
	// CodePanic: the answer was one that nobody expected.
	CodePanic = "ClientError.Panic"
	// CodeNoProvider: there is no such ambient identity.
	CodeNoProvider = "ClientError.NoProvider"
	// CodeNoRole: no role is bound to the node.
	CodeNoRole = "ClientError.NoCVMRole"
	// CodeRoleRefused: the metadata service has no keys for the node's role.
	CodeRoleRefused = "ClientError.CVMRoleRefused"
	// CodeMetadata: the metadata service was not reached, or answered what it never does.
	CodeMetadata = "ClientError.MetadataUnavailable"
	// CodeNoToken: the file with the pod's token can't be read, or is empty.
	CodeNoToken = "ClientError.NoWebIdentityToken"
	// CodeNoOwner: the answer doesn't say whose the keys are.
	CodeNoOwner = "ClientError.NoCallerIdentity"
	// CodeOtherAccount: the keys belong to another account than they must.
	CodeOtherAccount = "ClientError.OtherAccount"
)

// Error says which provider obtained no keys, and why.
type Error struct {
	// Provider is AssumedRole, CVMRole, TKEOIDC or CallerIdentity.
	Provider string

	// Code is one of this package; empty if Err tells it.
	Code string

	// Owner is the account that the keys belong to, and Want the one that they must, for CodeOtherAccount.
	Owner, Want string

	// Err is what the SDK or the network said. Its text may hold what was answered: it is to be judged, not shown.
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
