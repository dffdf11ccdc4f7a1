// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"errors"
	"regexp"
	"strings"

	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
)

// Codes of our own, in the SDK's style.
const (
	codePanic      = "ClientError.Panic"
	codeMalformed  = "ClientError.MalformedAnswer"
	codeIncomplete = "ClientError.IncompleteListing"
	codeRefused    = "ClientError.AnswerRefused"
	codeTimeout    = "ClientError.Timeout"
	codeBudget     = "ClientError.RequestBudget"
	codeUnknown    = "ClientError.Unknown"

	// Codes of the SDK that it would lose on the way.
	codeCutOff     = "ClientError.IOError"
	codeCredential = "ClientError.CredentialError"
	codeNetwork    = "ClientError.NetworkError"
)

const codeTagKeyNotFound = "InvalidParameterValue.TagKeyNotFound"

// verdict is what a code means for the user.
type verdict struct {
	kind    catalog.Kind
	message string
}

// Messages shared by several codes.
const (
	badKeys     = "the cloud does not accept the credentials; check secretId and secretKey in the Secret"
	badToken    = "the cloud does not accept the credentials' token; temporary keys need their own token, and end with it"
	mfa         = "the account demands multi-factor authentication, which keys of a program can't give; use keys of a sub-account without it"
	forbidden   = "the account may not list images; grant cvm:DescribeImages to it in CAM"
	address     = "the account may not be used from the operator's address; admit the address in CAM"
	badRegion   = "the cloud does not know the region, or not for this account; correct spec.region"
	badFilter   = "the cloud refuses a filter; correct spec.filters"
	badID       = "the cloud refuses an image id; correct spec.imageIDs or the filter image-id"
	badType     = "the cloud does not know the instance type; correct spec.instanceType"
	tooFast     = "the cloud's limit of requests per second is reached; if that stays, give the operator a sub-account of its own or lower --cvm-qps"
	notInTime   = "the cloud did not answer in time"
	broken      = "the cloud could not answer"
	badEndpoint = "the endpoint does not know the API; correct the operator's --cvm-endpoint"
	wrongHost   = "the operator's --cvm-endpoint is not the host of this region: finance regions (*-fsi) have hosts of their own; leave " +
		"the flag out, or write {region} in it"
	badQuery = "the cloud refuses the query; correct its spec"
)

// verdicts classifies codes: those of the API page DescribeImages (document 213/15715, "business errors"), the common ones
// of API 3.0 (documents 213/30435 and 1388/114322) and those of the SDK. A code that isn't listed is classified by the part
// before its first '.', or else as Unavailable, so that a new code doesn't make users edit a valid query.
var verdicts = map[string]verdict{
	// DescribeImages' own.
	"FailedOperation.IllegalTagKey": {
		kind:    catalog.Invalid,
		message: "a tag key in a filter has characters the cloud does not admit; correct spec.filters",
	},
	"InvalidFilter": {kind: catalog.Invalid, message: badFilter},
	"InvalidFilterValue.LimitExceeded": {
		kind:    catalog.Invalid,
		message: "a filter has more values than the cloud admits, which are 5; correct spec.filters",
	},
	"InvalidImageId.Malformed":      {kind: catalog.Invalid, message: badID},
	"InvalidInstanceType.Malformed": {kind: catalog.Invalid, message: badType},
	"InvalidParameter.InvalidParameterCoexistImageIdsFilters": {
		kind:    catalog.Invalid,
		message: "the cloud takes image ids or filters, not both; keep one of spec.imageIDs and spec.filters",
	},
	"InvalidParameterValue.InstanceTypeNotFound": {kind: catalog.Invalid, message: badType},
	"InvalidParameterValue.InvalidAppIdFormat": {
		kind:    catalog.Unauthenticated,
		message: "the cloud does not accept the credentials' account; use keys of an account with CVM",
	},
	"InvalidParameterValue.InvalidParameterValueLimit": {kind: catalog.Invalid, message: badQuery},
	"InvalidParameterValue.LimitExceeded": {
		kind:    catalog.Invalid,
		message: "the query has more values than the cloud admits; shorten spec.imageIDs or spec.filters",
	},
	codeTagKeyNotFound:                       {kind: catalog.Invalid, message: "no image has a tag key that is asked for"},
	"InvalidParameterValue.ZoneNotSupported": {kind: catalog.Invalid, message: badRegion},
	"InvalidRegion.NotFound":                 {kind: catalog.Invalid, message: badRegion},
	"InvalidZone.MismatchRegion":             {kind: catalog.Invalid, message: badRegion},
	"ResourcesSoldOut.SpecifiedInstanceType": {
		kind:    catalog.Unavailable,
		message: "the instance type is sold out, and the cloud lists no images for it meanwhile",
	},
	"UnauthorizedOperation.InvalidToken":     {kind: catalog.Unauthenticated, message: badToken},
	"UnauthorizedOperation.PermissionDenied": {kind: catalog.Forbidden, message: forbidden},
	"UnsupportedOperation": {
		kind: catalog.Invalid, message: "the cloud does not support this query in this region; correct its spec",
	},

	// Throttling. The part before '.' covers the main account's, the region's and the address' limits.
	"RequestLimitExceeded": {kind: catalog.Throttled, message: tooFast},

	// Keys.
	"AuthFailure": {kind: catalog.Unauthenticated, message: badKeys},
	"AuthFailure.SecretIdNotFound": {
		kind:    catalog.Unauthenticated,
		message: "the cloud does not know the secretId, or the key is disabled; correct secretId in the Secret or enable the key in CAM",
	},
	"AuthFailure.InvalidSecretId": {
		kind: catalog.Unauthenticated, message: "the secretId is not one of an API key; correct secretId in the Secret",
	},
	"AuthFailure.SignatureFailure": {
		kind:    catalog.Unauthenticated,
		message: "the secretKey does not belong to the secretId; correct secretKey in the Secret",
	},
	"AuthFailure.TokenFailure":          {kind: catalog.Unauthenticated, message: badToken},
	"AuthFailure.InvalidAuthorization":  {kind: catalog.Unauthenticated, message: badKeys},
	"AuthFailure.MFAFailure":            {kind: catalog.Unauthenticated, message: mfa},
	"UnauthorizedOperation.MFAExpired":  {kind: catalog.Unauthenticated, message: mfa},
	"UnauthorizedOperation.MFANotFound": {kind: catalog.Unauthenticated, message: mfa},
	codeCredential:                      {kind: catalog.Unauthenticated, message: badKeys},

	// Clocks. The keys are valid; the node must be fixed.
	"AuthFailure.SignatureExpire": {
		kind:    catalog.Unavailable,
		message: "the operator's clock and the cloud's are more than five minutes apart; correct the clock of the node",
	},

	// Permissions.
	"AuthFailure.UnauthorizedOperation": {kind: catalog.Forbidden, message: forbidden},
	"UnauthorizedOperation":             {kind: catalog.Forbidden, message: forbidden},
	"IpInBlacklist":                     {kind: catalog.Forbidden, message: address},
	"IpNotInWhitelist":                  {kind: catalog.Forbidden, message: address},

	// The query, by common codes.
	"InvalidFilterValue":    {kind: catalog.Invalid, message: badFilter},
	"InvalidImageId":        {kind: catalog.Invalid, message: badID},
	"InvalidInstanceType":   {kind: catalog.Invalid, message: badType},
	"InvalidRegion":         {kind: catalog.Invalid, message: badRegion},
	"InvalidZone":           {kind: catalog.Invalid, message: badRegion},
	"UnsupportedRegion":     {kind: catalog.Invalid, message: badRegion},
	"InvalidParameter":      {kind: catalog.Invalid, message: badQuery},
	"InvalidParameterValue": {kind: catalog.Invalid, message: badQuery},
	"MissingParameter":      {kind: catalog.Invalid, message: badQuery},
	"UnknownParameter":      {kind: catalog.Invalid, message: badQuery},
	"LimitExceeded":         {kind: catalog.Invalid, message: badQuery},

	// The endpoint. The operator's administrator must fix it, not the query's author.
	"InvalidAction":            {kind: catalog.Unavailable, message: badEndpoint},
	"InvalidRequest":           {kind: catalog.Unavailable, message: badEndpoint},
	"NoSuchProduct":            {kind: catalog.Unavailable, message: badEndpoint},
	"NoSuchVersion":            {kind: catalog.Unavailable, message: badEndpoint},
	"ActionOffline":            {kind: catalog.Unavailable, message: badEndpoint},
	"UnsupportedProtocol":      {kind: catalog.Unavailable, message: badEndpoint},
	"RequestSizeLimitExceeded": {kind: catalog.Unavailable, message: badEndpoint},

	// Temporary failures.
	"FailedOperation":           {kind: catalog.Unavailable, message: broken},
	"InternalError":             {kind: catalog.Unavailable, message: broken},
	"InternalServerError":       {kind: catalog.Unavailable, message: broken},
	"ServiceUnavailable":        {kind: catalog.Unavailable, message: broken},
	"ResourceUnavailable":       {kind: catalog.Unavailable, message: broken},
	"ResourceInUse":             {kind: catalog.Unavailable, message: broken},
	"ResourceInsufficient":      {kind: catalog.Unavailable, message: broken},
	"ResourcesSoldOut":          {kind: catalog.Unavailable, message: broken},
	"ResponseSizeLimitExceeded": {kind: catalog.Unavailable, message: "the cloud's answer would be too large for it"},

	// Codes of the SDK.
	codeNetwork:                       {kind: catalog.Unavailable, message: "the cloud was not reached"},
	codeCutOff:                        {kind: catalog.Unavailable, message: "the cloud's answer was cut off"},
	"ClientError.ParseJsonError":      {kind: catalog.Unavailable, message: "the cloud's answer could not be read"},
	"ClientError.HttpStatusCodeError": {kind: catalog.Unavailable, message: broken},
}

// classify classifies a failed call. Of the SDK's error only the code and the request id are kept.
func classify(err error) *catalog.Error {
	if failure := (*auth.Error)(nil); errors.As(err, &failure) {
		return classifyKeys(failure)
	}
	return classifyBy(err, judge)
}

// classifyBy is classify with a given table.
func classifyBy(err error, judge func(code string) verdict) *catalog.Error {
	if already := (*catalog.Error)(nil); errors.As(err, &already) {
		return already
	}
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		return &catalog.Error{Kind: catalog.Unavailable, Code: codeRefused, Message: "the answer is not the cloud's: " + refused.what}
	}
	if ended := contextError(err); ended != nil {
		return &catalog.Error{Kind: catalog.Unavailable, Code: codeTimeout, Message: notInTime, Cause: ended}
	}
	failure := &tcerrors.TencentCloudSDKError{Code: codeUnknown}
	errors.As(err, &failure)
	v := judge(failure.Code)
	if v.message == badQuery && refusesRegion(failure.Code, failure.Message) {
		v.message = badRegion
	}
	return &catalog.Error{
		Kind: v.kind, Code: boundCode(failure.Code), Message: v.message, RequestID: normalise(failure.RequestId, maxPlatform),
		UnknownImageID: strings.HasPrefix(failure.Code, "InvalidImageId"),
	}
}

// explain blames the endpoint, and not the query, for a region that the endpoint can't serve.
func (e endpoint) explain(err error, region string) error {
	failure := (*catalog.Error)(nil)
	if !errors.As(err, &failure) || failure.Message != badRegion || e.serves(region) {
		return err
	}
	elsewhere := *failure
	elsewhere.Kind, elsewhere.Message = catalog.Unavailable, wrongHost
	return &elsewhere
}

// namesRegion distinguishes errors about the region from others with the codes InvalidParameter and InvalidParameterValue.
// Known messages are "A value specified in `Region` is not valid, is unsupported, or cannot be used." and the same with
// `X-TC-Region`.
var namesRegion = regexp.MustCompile("(?i)[`'\"](X-TC-)?Region[`'\"]")

// refusesRegion reports whether an answer with the code and the message is about the region.
func refusesRegion(code, message string) bool {
	v := judge(code).message
	return v == badRegion || v == badQuery && namesRegion.MatchString(message)
}

func judge(code string) verdict {
	if v, ok := lookUp(verdicts, code); ok {
		return v
	}
	return verdict{catalog.Unavailable, "the cloud answered with an error that the operator does not know"}
}

// lookUp returns the row of a code, or of the part before its first '.'.
func lookUp(table map[string]verdict, code string) (verdict, bool) {
	if v, ok := table[code]; ok {
		return v, true
	}
	family, _, _ := strings.Cut(code, ".")
	v, ok := table[family]
	return v, ok
}

// codePattern matches the form of all known codes.
var codePattern = regexp.MustCompile(`^[A-Za-z0-9]+(\.[A-Za-z0-9_]+)*$`)

// boundCode prevents a hostile endpoint from writing arbitrary text to a status: a valid code is kept, and anything else
// becomes codeUnknown.
func boundCode(s string) string {
	if len(s) > maxPlatform || !codePattern.MatchString(s) {
		return codeUnknown
	}
	return s
}

// contextError returns the context's error that ended a request, or nil.
func contextError(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return context.Canceled
	}
	return nil
}

// waitError explains why no token was available: its listing had no turn before the deadline, or the limiter saw at once that the
// deadline would pass.
func waitError(ctx context.Context) *catalog.Error {
	return &catalog.Error{
		Kind: catalog.Throttled, Code: codeBudget, Cause: ctx.Err(),
		Message: "the operator's own budget of requests with these credentials (--cvm-qps) does not reach for all their queries; " +
			"poll less often, or raise it if the sub-account's 40 requests a second allow it",
	}
}

func isTagKeyNotFound(err error) bool {
	failure := (*catalog.Error)(nil)
	return errors.As(err, &failure) && failure.Code == codeTagKeyNotFound
}
