// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"fmt"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
)

// Messages shared by several codes of keys.
const (
	noRole  = "the cloud knows no such role; correct its ARN, or create it in CAM"
	noTrust = "the cloud doesn't let the caller assume the role; name the caller in the role's trust policy in CAM, allow " +
		"sts:AssumeRole to it, and check externalId"
	badRole   = "the cloud refuses the request for the role; check its ARN and externalId"
	stsBusy   = "the cloud's limit of requests for keys is reached"
	stsHost   = "the endpoint does not know the service; correct the operator's --sts-endpoint"
	stsRegion = "the service isn't there in this region; correct TKE_REGION, or name a regional --sts-endpoint"
)

// keyVerdicts has the codes that mean something else for requests for keys than for images: those of the API pages
// AssumeRole (1312/48197) and AssumeRoleWithWebIdentity (1312/73070), common codes with a message that would name another
// flag or field, and those of package auth. A role that doesn't exist is InternalError.GetRoleError.
var keyVerdicts = map[string]verdict{
	"InternalError.GetRoleError":        {kind: catalog.Unauthenticated, message: noRole},
	"InternalError.IllegalRole":         {kind: catalog.Unauthenticated, message: noRole},
	"ResourceNotFound":                  {kind: catalog.Unauthenticated, message: noRole},
	"ResourceNotFound.RoleNotFound":     {kind: catalog.Unauthenticated, message: noRole},
	"UnauthorizedOperation":             {kind: catalog.Unauthenticated, message: noTrust},
	"AuthFailure.UnauthorizedOperation": {kind: catalog.Unauthenticated, message: noTrust},
	"UnsupportedOperation":              {kind: catalog.Unauthenticated, message: noTrust},
	"InvalidParameter.WebIdentityTokenError": {
		kind:    catalog.Unauthenticated,
		message: "the cloud doesn't accept the pod's token; the role must trust this cluster's OIDC provider in CAM, with the token's audience",
	},
	"InvalidParameter.OverTimeError": {
		kind:    catalog.Unauthenticated,
		message: "the role's sessions may not last an hour; raise its maximum session duration in CAM",
	},
	"InvalidParameter.AccountNotAvaliable": {
		kind: catalog.Unauthenticated, message: "the role's account is not there or not usable; correct the role's ARN",
	},
	"InvalidParameter.AccessKeyNotSupport": {
		kind: catalog.Unauthenticated, message: "keys of this kind can't assume a role; use keys of a sub-account",
	},
	"InvalidParameter.OverLimit":          {kind: catalog.Throttled, message: stsBusy},
	"InvalidParameter":                    {kind: catalog.Unauthenticated, message: badRole},
	"FailedOperation.CheckMFAError":       {kind: catalog.Unauthenticated, message: mfa},
	"FailedOperation.MFATypeNotSupported": {kind: catalog.Unauthenticated, message: mfa},
	"UnauthorizedOperation.MFAExpired":    {kind: catalog.Unauthenticated, message: mfa},
	"UnauthorizedOperation.MFANotFound":   {kind: catalog.Unauthenticated, message: mfa},
	"UnauthorizedOperation.InvalidToken":  {kind: catalog.Unauthenticated, message: badToken},

	"RequestLimitExceeded": {kind: catalog.Throttled, message: stsBusy},

	"IpInBlacklist":            {kind: catalog.Unauthenticated, message: address},
	"IpNotInWhitelist":         {kind: catalog.Unauthenticated, message: address},
	"UnsupportedRegion":        {kind: catalog.Unavailable, message: stsRegion},
	"InvalidAction":            {kind: catalog.Unavailable, message: stsHost},
	"InvalidRequest":           {kind: catalog.Unavailable, message: stsHost},
	"NoSuchProduct":            {kind: catalog.Unavailable, message: stsHost},
	"NoSuchVersion":            {kind: catalog.Unavailable, message: stsHost},
	"ActionOffline":            {kind: catalog.Unavailable, message: stsHost},
	"UnsupportedProtocol":      {kind: catalog.Unavailable, message: stsHost},
	"RequestSizeLimitExceeded": {kind: catalog.Unavailable, message: stsHost},

	auth.CodeWaited: {kind: catalog.Unavailable, message: "they did not come in time"},
	auth.CodeNoKeys: {kind: catalog.Unavailable, message: "the answer has none"},
	auth.CodeEnding: {
		kind:    catalog.Unavailable,
		message: "those in the answer end within a minute; correct the clock of the node if that stays",
	},
	auth.CodePanic:      {kind: catalog.Unavailable, message: "the answer could not be read"},
	auth.CodeNoProvider: {kind: catalog.Unauthenticated, message: "the operator doesn't know it; correct its --default-credentials"},
	auth.CodeNoRole: {
		kind:    catalog.Unauthenticated,
		message: "no role is bound to the node; bind one in the CVM console, or change the operator's --default-credentials",
	},
	auth.CodeRoleRefused: {
		kind:    catalog.Unauthenticated,
		message: "the node's metadata service has none for it; check the role and what may use it in CAM",
	},
	auth.CodeMetadata: {
		kind:    catalog.Unavailable,
		message: "the node's metadata service did not answer; the operator must run on a CVM node, and its NetworkPolicy must admit 169.254.0.23",
	},
	auth.CodeNoToken: {
		kind:    catalog.Unauthenticated,
		message: "the pod's token can't be read; TKE_WEB_IDENTITY_TOKEN_FILE must name a file that the add-on pod-identity-webhook mounts",
	},
}

// identityVerdicts has the codes with their own meaning for GetCallerIdentity.
var identityVerdicts = map[string]verdict{
	auth.CodeWaited:  {catalog.Unavailable, "the answer did not come in time"},
	auth.CodeNoOwner: {catalog.Unavailable, "the answer does not name it"},
	auth.CodePanic:   {catalog.Unavailable, "the answer could not be read"},
}

// providers are the beginnings of messages that keyVerdicts completes.
var providers = map[string]string{
	auth.AssumedRole: "the role of roleArn gives no keys",
	auth.CVMRole:     "the CVM role of the node gives no keys",
	auth.TKEOIDC:     "the TKE identity of the pod gives no keys",

	auth.CallerIdentity: "it is not known which account the keys belong to, and accountID names one",
}

// classifyKeys classifies a listing that failed because keys could not be obtained.
func classifyKeys(failure *auth.Error) *catalog.Error {
	if failure.Code == auth.CodeOtherAccount {
		return &catalog.Error{Kind: catalog.Unauthenticated, Code: failure.Code, Message: fmt.Sprintf(
			"the keys belong to the account %s, and accountID demands %s; use keys of that account, or correct accountID", failure.Owner,
			failure.Want)}
	}
	var e *catalog.Error
	judge := judgeKeys
	if failure.Provider == auth.CallerIdentity {
		judge = judgeIdentity
	}
	if failure.Code != "" {
		v := judge(failure.Code)
		e = &catalog.Error{Kind: v.kind, Code: failure.Code, Message: v.message, Cause: contextError(failure.Err)}
	} else {
		// Copy, since others may hold the transport's error.
		found := *classifyBy(failure.Err, judge)
		e = &found
	}
	e.Message = providers[failure.Provider] + ": " + e.Message
	return e
}

// judgeIdentity blames the keys only if they are wrong. With any other error of STS the owner of the keys is unknown, which
// is temporary or for the operator's administrator.
func judgeIdentity(code string) verdict {
	if v, ok := identityVerdicts[code]; ok {
		return v
	}
	if v := judge(code); v.kind == catalog.Unauthenticated {
		return v
	}
	if v := judgeKeys(code); v.kind == catalog.Unavailable || v.kind == catalog.Throttled {
		return v
	}
	return verdict{catalog.Unavailable, "the cloud refuses to tell; allow sts:GetCallerIdentity to them in CAM"}
}

// judgeKeys never blames the query: a parameter that STS calls invalid is the role or the token.
func judgeKeys(code string) verdict {
	if v, ok := lookUp(keyVerdicts, code); ok {
		return v
	}
	v := judge(code)
	if v.kind == catalog.Invalid || v.kind == catalog.Forbidden {
		return verdict{catalog.Unauthenticated, badRole}
	}
	return v
}
