// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// kindOf returns the class of a failure, or "".
func kindOf(err error) catalog.Kind {
	failure := (*catalog.Error)(nil)
	errors.As(err, &failure)
	if failure == nil {
		return ""
	}
	return failure.Kind
}

// failing is a request that fails.
type failing struct {
	account catalog.Account
	query   catalog.Query
	// frozen stops the cloud's clock, with a limit of one request a second, so that the second never ends.
	frozen  bool
	arrange func(*cvmtest.Server)
}

// asked returns a query that the cloud rejects by itself.
func asked(change func(*catalog.Query)) *failing {
	query := everything
	change(&query)
	return &failing{account: account, query: query}
}

func filtered(name string, values ...string) *failing {
	return asked(func(q *catalog.Query) { q.Filters = []catalog.Filter{{Name: name, Values: values}} })
}

func typed(instanceType string) *failing {
	return asked(func(q *catalog.Query) { q.InstanceType = instanceType })
}

// keyed returns a valid query with keys that the cloud rejects.
func keyed(change func(*catalog.Account), arrange func(*cvmtest.Server)) *failing {
	account := account
	if change != nil {
		change(&account)
	}
	return &failing{account: account, query: everything, arrange: arrange}
}

func spoilt(f cvmtest.Fault) *failing {
	return &failing{account: account, query: everything, arrange: func(s *cvmtest.Server) { s.Inject(f) }}
}

// wantCodes has a row for each row of verdicts.
var wantCodes = map[string]struct {
	kind catalog.Kind
	// act is the required action in the message, or "" if none is required.
	act string
	// natural is a request for which the simulated cloud or the SDK produces the code by itself, or nil if it can only
	// be injected.
	natural *failing
}{
	// The 18 of the API's page, classes by its descriptions.
	"FailedOperation.IllegalTagKey": {kind: catalog.Invalid, act: "correct spec.filters", natural: filtered("tag:a*b", "x")},
	"InvalidFilter":                 {kind: catalog.Invalid, act: "correct spec.filters", natural: filtered("image-colour", "blue")},
	"InvalidFilterValue.LimitExceeded": {
		kind: catalog.Invalid, act: "are 5; correct spec.filters",
		natural: filtered("platform", "1", "2", "3", "4", "5", "6"),
	},
	"InvalidImageId.Malformed": {
		kind: catalog.Invalid, act: "correct spec.imageIDs",
		natural: asked(func(q *catalog.Query) { q.ImageIDs = []string{"img-9QABWVBN"} }),
	},
	"InvalidInstanceType.Malformed": {kind: catalog.Invalid, act: "correct spec.instanceType", natural: typed("s5")},
	"InvalidParameter.InvalidParameterCoexistImageIdsFilters": {kind: catalog.Invalid, act: "keep one of spec.imageIDs and spec.filters",
		natural: asked(func(q *catalog.Query) {
			q.ImageIDs, q.Filters = []string{"img-9qabwvbn"}, []catalog.Filter{{Name: "platform", Values: []string{"CentOS"}}}
		})},
	"InvalidParameterValue.InstanceTypeNotFound": {
		kind: catalog.Invalid, act: "correct spec.instanceType", natural: typed("S99.LARGE99"),
	},
	"InvalidParameterValue.InvalidAppIdFormat":         {kind: catalog.Unauthenticated, act: "use keys of an account with CVM"},
	"InvalidParameterValue.InvalidParameterValueLimit": {kind: catalog.Invalid, act: "correct its spec"},
	"InvalidParameterValue.LimitExceeded": {
		kind: catalog.Invalid, act: "shorten spec.imageIDs or spec.filters",
		natural: asked(func(q *catalog.Query) { q.ImageIDs = elevenDozenIDs() }),
	},
	"InvalidParameterValue.TagKeyNotFound": {
		kind: catalog.Invalid, natural: filtered("tag-key", "nobody"),
	}, // not shown: the listing is empty
	"InvalidParameterValue.ZoneNotSupported": {kind: catalog.Invalid, act: "correct spec.region"},
	"InvalidRegion.NotFound":                 {kind: catalog.Invalid, act: "correct spec.region"},
	"InvalidZone.MismatchRegion":             {kind: catalog.Invalid, act: "correct spec.region"},
	"ResourcesSoldOut.SpecifiedInstanceType": {kind: catalog.Unavailable, natural: &failing{
		account: account, query: catalog.Query{Region: region, InstanceType: "S5.MEDIUM4"},
		arrange: func(s *cvmtest.Server) { s.SetInstanceType(cvmtest.InstanceType{Name: "S5.MEDIUM4", SoldOut: true}) },
	}},
	"UnauthorizedOperation.InvalidToken":     {kind: catalog.Unauthenticated, act: "temporary keys need their own token"},
	"UnauthorizedOperation.PermissionDenied": {kind: catalog.Forbidden, act: "grant cvm:DescribeImages to it in CAM"},
	"UnsupportedOperation":                   {kind: catalog.Invalid, act: "correct its spec"},

	// The common ones.
	"RequestLimitExceeded": {kind: catalog.Throttled, act: "lower --cvm-qps", natural: &failing{
		account: account, query: everything, frozen: true, arrange: func(s *cvmtest.Server) { s.Put(region, private(150)...) },
	}},

	"AuthFailure": {kind: catalog.Unauthenticated, act: "check secretId and secretKey in the Secret"},
	"AuthFailure.SecretIdNotFound": {
		kind: catalog.Unauthenticated, act: "correct secretId in the Secret or enable the key in CAM",
		natural: keyed(func(a *catalog.Account) { a.SecretID = "AKIDnobody" }, nil),
	},
	"AuthFailure.InvalidSecretId": {kind: catalog.Unauthenticated, act: "correct secretId in the Secret"},
	"AuthFailure.SignatureFailure": {
		kind: catalog.Unauthenticated, act: "correct secretKey in the Secret",
		natural: keyed(func(a *catalog.Account) { a.SecretKey += "x" }, nil),
	},
	"AuthFailure.TokenFailure": {
		kind: catalog.Unauthenticated, act: "temporary keys need their own token", natural: temporary("another-token"),
	},
	"AuthFailure.InvalidAuthorization":  {kind: catalog.Unauthenticated, act: "check secretId and secretKey in the Secret"},
	"AuthFailure.MFAFailure":            {kind: catalog.Unauthenticated, act: "use keys of a sub-account without it"},
	"UnauthorizedOperation.MFAExpired":  {kind: catalog.Unauthenticated, act: "use keys of a sub-account without it"},
	"UnauthorizedOperation.MFANotFound": {kind: catalog.Unauthenticated, act: "use keys of a sub-account without it"},
	"AuthFailure.SignatureExpire": {
		kind: catalog.Unavailable, act: "correct the clock of the node",
		natural: keyed(nil, func(s *cvmtest.Server) { s.SetSkew(10 * time.Minute) }),
	},
	"AuthFailure.UnauthorizedOperation": {kind: catalog.Forbidden, act: "grant cvm:DescribeImages to it in CAM"},
	"UnauthorizedOperation": {kind: catalog.Forbidden, act: "grant cvm:DescribeImages to it in CAM",
		natural: keyed(nil, func(s *cvmtest.Server) {
			denied := cvmtest.DefaultCredential
			denied.Deny = true
			s.SetCredential(denied)
		})},
	"IpInBlacklist":    {kind: catalog.Forbidden, act: "admit the address in CAM"},
	"IpNotInWhitelist": {kind: catalog.Forbidden, act: "admit the address in CAM"},

	"InvalidFilterValue":  {kind: catalog.Invalid, act: "correct spec.filters"},
	"InvalidImageId":      {kind: catalog.Invalid, act: "correct spec.imageIDs"},
	"InvalidInstanceType": {kind: catalog.Invalid, act: "correct spec.instanceType"},
	"InvalidRegion":       {kind: catalog.Invalid, act: "correct spec.region"},
	"InvalidZone":         {kind: catalog.Invalid, act: "correct spec.region"},
	"UnsupportedRegion": {
		kind: catalog.Invalid, act: "correct spec.region",
		natural: asked(func(q *catalog.Query) { q.Region = "ap-shanghai-adc" }),
	},
	"InvalidParameter":      {kind: catalog.Invalid, act: "correct its spec"},
	"InvalidParameterValue": {kind: catalog.Invalid, act: "correct its spec"},
	"MissingParameter":      {kind: catalog.Invalid, act: "correct its spec"},
	"UnknownParameter":      {kind: catalog.Invalid, act: "correct its spec"},
	"LimitExceeded":         {kind: catalog.Invalid, act: "correct its spec"},

	"InvalidAction":            {kind: catalog.Unavailable, act: "correct the operator's --cvm-endpoint"},
	"InvalidRequest":           {kind: catalog.Unavailable, act: "correct the operator's --cvm-endpoint"},
	"NoSuchProduct":            {kind: catalog.Unavailable, act: "correct the operator's --cvm-endpoint"},
	"NoSuchVersion":            {kind: catalog.Unavailable, act: "correct the operator's --cvm-endpoint"},
	"ActionOffline":            {kind: catalog.Unavailable, act: "correct the operator's --cvm-endpoint"},
	"UnsupportedProtocol":      {kind: catalog.Unavailable, act: "correct the operator's --cvm-endpoint"},
	"RequestSizeLimitExceeded": {kind: catalog.Unavailable, act: "correct the operator's --cvm-endpoint"},

	"FailedOperation":           {kind: catalog.Unavailable},
	"InternalError":             {kind: catalog.Unavailable},
	"InternalServerError":       {kind: catalog.Unavailable},
	"ServiceUnavailable":        {kind: catalog.Unavailable},
	"ResourceUnavailable":       {kind: catalog.Unavailable},
	"ResourceInUse":             {kind: catalog.Unavailable},
	"ResourceInsufficient":      {kind: catalog.Unavailable},
	"ResourcesSoldOut":          {kind: catalog.Unavailable},
	"ResponseSizeLimitExceeded": {kind: catalog.Unavailable},

	// The SDK's own, and ours in its manner.
	"ClientError.CredentialError": {
		kind: catalog.Unauthenticated, act: "check secretId and secretKey in the Secret",
		natural: keyed(func(a *catalog.Account) { a.SecretID += "\n" }, nil),
	},
	"ClientError.NetworkError":        {kind: catalog.Unavailable},
	"ClientError.IOError":             {kind: catalog.Unavailable, natural: spoilt(cvmtest.Fault{CutAfter: 20})},
	"ClientError.ParseJsonError":      {kind: catalog.Unavailable, natural: spoilt(rawBody(canary))},
	"ClientError.HttpStatusCodeError": {kind: catalog.Unavailable}, // the guard is before it
}

func temporary(token catalog.Secret) *failing {
	credential := cvmtest.Credential{SecretID: "AKIDtemporary", SecretKey: "temporary-key", Token: "its-own-token", UIN: "1"}
	account := accountOf(credential)
	account.Token = token
	return &failing{account: account, query: everything, arrange: func(s *cvmtest.Server) { s.SetCredential(credential) }}
}

// elevenDozenIDs returns more than the 100 ids that a request may have.
func elevenDozenIDs() []string {
	var ids []string
	for _, image := range private(132) {
		ids = append(ids, image.ImageID)
	}
	return ids
}

func TestNoCodeIsWithoutATest(t *testing.T) {
	want, got := slices.Sorted(maps.Keys(wantCodes)), slices.Sorted(maps.Keys(verdicts))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("codes with a row (-tested +decided):\n%s", diff)
	}
}

// commonCodes are those that the documentation of API 3.0 lists for every action (documents 213/30435, 1388/114322 and
// 1140/51177), and the SDK's own. DryRunOperation is omitted, since the operator doesn't use it.
var commonCodes = []string{
	"ActionOffline", "AuthFailure.InvalidAuthorization", "AuthFailure.InvalidSecretId", "AuthFailure.MFAFailure",
	"AuthFailure.SecretIdNotFound", "AuthFailure.SignatureExpire", "AuthFailure.SignatureFailure",
	"AuthFailure.TokenFailure", "AuthFailure.UnauthorizedOperation", "FailedOperation", "InternalError",
	"InternalServerError", "InvalidAction", "InvalidParameter", "InvalidParameterValue", "InvalidRequest",
	"IpInBlacklist", "IpNotInWhitelist", "LimitExceeded", "MissingParameter", "NoSuchProduct", "NoSuchVersion",
	"RequestLimitExceeded", "RequestLimitExceeded.GlobalRegionUinLimitExceeded", "RequestLimitExceeded.IPLimitExceeded",
	"RequestLimitExceeded.UinLimitExceeded", "RequestSizeLimitExceeded", "ResourceInUse", "ResourceInsufficient",
	"ResourceUnavailable", "ResponseSizeLimitExceeded", "ServiceUnavailable", "UnauthorizedOperation",
	"UnauthorizedOperation.MFAExpired", "UnauthorizedOperation.MFANotFound", "UnknownParameter", "UnsupportedOperation",
	"UnsupportedProtocol", "UnsupportedRegion", "ClientError.CredentialError", "ClientError.NetworkError",
	"ClientError.IOError", "ClientError.ParseJsonError", "ClientError.HttpStatusCodeError",
}

func TestEveryDocumentedCodeHasARow(t *testing.T) {
	own := cvmtest.BusinessCodes()
	if len(own) != 18 {
		t.Errorf("the simulator knows %d codes of the API's page, want 18", len(own))
	}
	for _, code := range own {
		if _, ok := verdicts[code]; !ok {
			t.Errorf("%s, of the API's page, has no row", code)
		}
	}
	for _, code := range commonCodes {
		if judge(code) == judge("A.CodeThatNobodyKnows") {
			t.Errorf("%s, a common code, has no row, nor has its family", code)
		}
	}
}

func TestEachCodeIsClassifiedAndExplained(t *testing.T) {
	for code, want := range wantCodes {
		requests := map[string]*failing{"injected": spoilt(cvmtest.Fault{
			Code: code, Message: canary + " [request id:" + canary + "] of RequestId=x",
		})}
		if want.natural != nil {
			requests["by itself"] = want.natural
		}
		for how, request := range requests {
			t.Run(code+" "+how, func(t *testing.T) {
				t.Parallel() // throttled cases wait
				if want.kind == catalog.Throttled {
					slow(t)
				}
				o := cvmtest.Options{}
				if request.frozen {
					now := time.Now()
					o.RateLimit, o.Now = 1, func() time.Time { return now }
				}
				s := start(t, o)
				if request.arrange != nil {
					request.arrange(s)
				}
				c := connect(t, s)
				if code == codeTagKeyNotFound {
					if got := mustList(t, c, request.query); !got.TagKeyNotFound || len(got.Images) > 0 {
						t.Errorf("%+v, want an empty listing that says why", got)
					}
					return
				}
				failure := mustFail(t, c, request.account, request.query)
				if failure.Kind != want.kind || failure.Code != code {
					t.Errorf("%s, %s, want %s, %s", failure.Kind, failure.Code, want.kind, code)
				}
				if failure.UnknownImageID != strings.HasPrefix(code, "InvalidImageId") {
					t.Errorf("UnknownImageID is %t", failure.UnknownImageID)
				}
				wantSentence(t, failure.Message, want.act)
				wantConfidential(t, s, request.account, failure)
				requests := s.Requests()
				if len(requests) > 0 && requests[len(requests)-1].Code != "" && failure.RequestID == "" {
					t.Error("the log gets no id of the request")
				}
				if failure.Kind == catalog.Throttled {
					return
				}
				if len(requests) > 1 {
					t.Errorf("%d requests: what isn't throttled must not be tried again here", len(requests))
				}
			})
		}
	}
}

var (
	imperative = regexp.MustCompile(`\b(correct|check|grant|lower|raise|admit|enable|shorten|keep one|use keys)\b`)
	fullStop   = regexp.MustCompile(`[.!?]$|[.!?] [A-Z]`)
)

// wantSentence checks that a message reads as part of one sentence, and contains the required action, if any.
func wantSentence(t *testing.T, message, act string) {
	t.Helper()
	switch {
	case message == "" || message[0] < 'a' || message[0] > 'z' || fullStop.MatchString(message) || strings.ContainsAny(message, "\n\t") ||
		len(message) > 200:
		t.Errorf("not a sentence without its full stop: %q", message)
	case act == "" && imperative.MatchString(message):
		t.Errorf("tells somebody to act where nobody must: %q", message)
	case !strings.Contains(message, act):
		t.Errorf("does not say %q: %q", act, message)
	}
}

func TestCodesWithoutARowOfTheirOwn(t *testing.T) {
	for code, want := range map[string]struct {
		kind    catalog.Kind
		act     string
		unknown bool
	}{
		// Classified by the part before the first '.'.
		"RequestLimitExceeded.UinLimitExceeded":             {catalog.Throttled, "lower --cvm-qps", false},
		"RequestLimitExceeded.GlobalRegionUinLimitExceeded": {catalog.Throttled, "lower --cvm-qps", false},
		"RequestLimitExceeded.IPLimitExceeded":              {catalog.Throttled, "lower --cvm-qps", false},
		"AuthFailure.ANewOne":                               {catalog.Unauthenticated, "check secretId and secretKey", false},
		"UnauthorizedOperation.CamNoAuth":                   {catalog.Forbidden, "in CAM", false},
		"InvalidParameterValue.ANewOne":                     {catalog.Invalid, "correct its spec", false},
		"InvalidParameter.ANewOne":                          {catalog.Invalid, "correct its spec", false},
		"InvalidImageId.NotFound":                           {catalog.Invalid, "correct spec.imageIDs", false},
		"InternalError.TradeUnknownError":                   {catalog.Unavailable, "", false},
		"ResourceUnavailable.ANewOne":                       {catalog.Unavailable, "", false},
		"ResourcesSoldOut.ANewOne":                          {catalog.Unavailable, "", false},
		"FailedOperation.ANewOne":                           {catalog.Unavailable, "", false},
		"LimitExceeded.a.b.c":                               {catalog.Invalid, "correct its spec", false},
		// Unknown: a new code must not make users edit a valid query.
		"ANewFamily.ANewOne":   {catalog.Unavailable, "", true},
		"ANewFamily":           {catalog.Unavailable, "", true},
		"AuthFailureButOther":  {catalog.Unavailable, "", true},
		"authfailure":          {catalog.Unavailable, "", true},
		"ClientError.ANewOne":  {catalog.Unavailable, "", true},
		"OperationDenied.User": {catalog.Unavailable, "", true},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			if want.kind == catalog.Throttled {
				slow(t)
			}
			s := start(t, cvmtest.Options{})
			s.Inject(cvmtest.Fault{Code: code, Message: canary})
			failure := mustFail(t, connect(t, s), account, everything)
			if failure.Kind != want.kind || failure.Code != code {
				t.Errorf("%s, %s, want %s, %s", failure.Kind, failure.Code, want.kind, code)
			}
			if unknown := strings.Contains(failure.Message, "does not know"); unknown != want.unknown {
				t.Errorf("said to be unknown %t, want %t: %s", unknown, want.unknown, failure.Message)
			}
			wantSentence(t, failure.Message, want.act)
			wantConfidential(t, s, account, failure)
		})
	}
}

// Otherwise a key that is invalid in a header would look like a network failure.
func TestKeysThatCannotBeSentAreRefusedBeforeAnyRequest(t *testing.T) {
	for name, change := range map[string]func(*catalog.Account){
		"a line's end in secretId":  func(a *catalog.Account) { a.SecretID += "\n" },
		"a NUL in secretId":         func(a *catalog.Account) { a.SecretID = "AKID\x00" },
		"a line's end in the token": func(a *catalog.Account) { a.Token = "a\r\nb" },
		"letters beyond ASCII":      func(a *catalog.Account) { a.SecretID = "密钥" },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{})
			account := account
			change(&account)
			failure := mustFail(t, connect(t, s), account, everything)
			if failure.Kind != catalog.Unauthenticated || failure.Code != "ClientError.CredentialError" || len(s.Requests()) > 0 {
				t.Errorf("%v after %d requests", failure, len(s.Requests()))
			}
			wantConfidential(t, s, account, failure)
		})
	}
}

func TestTheSameCauseGivesTheSameWords(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Inject(cvmtest.Fault{Code: "InternalError"})
	c := connect(t, s)
	first, second := mustFail(t, c, account, everything), mustFail(t, c, account, everything)
	if first.Error() != second.Error() || first.RequestID == second.RequestID || first.RequestID == "" {
		t.Errorf("%v with id %q, then %v with id %q", first, first.RequestID, second, second.RequestID)
	}
}

// A hostile endpoint must not write arbitrary text to a status.
func TestCodesAreBounded(t *testing.T) {
	longest := strings.Repeat("A", maxPlatform)
	for in, want := range map[string]string{longest: longest, longest + "A": codeUnknown, "A b": codeUnknown, "A.b_c": "A.b_c"} {
		if got := boundCode(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// STS says of wrong keys what the cloud says of them.
func TestAnIdentityIsRefusedForWrongKeysOnly(t *testing.T) {
	if got, want := judgeIdentity("AuthFailure.SecretIdNotFound"), judge("AuthFailure.SecretIdNotFound"); got != want ||
		got.kind != catalog.Unauthenticated {
		t.Errorf("%+v, want %+v", got, want)
	}
}
