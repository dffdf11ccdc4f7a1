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

// kindOf is the class of a failure, or empty.
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
	// frozen lets the cloud's clock stand still with a limit of one request a second, which so never ends.
	frozen  bool
	arrange func(*cvmtest.Server)
}

// asked is a query that the cloud refuses by itself.
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

// keyed is a good query with keys that the cloud refuses.
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
	// act is what the sentence must tell the one who must act; "" where nobody must.
	act string
	// natural is a request that the simulated cloud, or the SDK, answers with the code by itself; nil if the code can
	// only be injected.
	natural *failing
}{
	// The 18 of the API's page, classes by its descriptions.
	"FailedOperation.IllegalTagKey":    {catalog.Invalid, "correct spec.filters", filtered("tag:a*b", "x")},
	"InvalidFilter":                    {catalog.Invalid, "correct spec.filters", filtered("image-colour", "blue")},
	"InvalidFilterValue.LimitExceeded": {catalog.Invalid, "are 5; correct spec.filters", filtered("platform", "1", "2", "3", "4", "5", "6")},
	"InvalidImageId.Malformed":         {catalog.Invalid, "correct spec.imageIDs", asked(func(q *catalog.Query) { q.ImageIDs = []string{"img-9QABWVBN"} })},
	"InvalidInstanceType.Malformed":    {catalog.Invalid, "correct spec.instanceType", typed("s5")},
	"InvalidParameter.InvalidParameterCoexistImageIdsFilters": {catalog.Invalid, "keep one of spec.imageIDs and spec.filters", asked(func(q *catalog.Query) {
		q.ImageIDs, q.Filters = []string{"img-9qabwvbn"}, []catalog.Filter{{Name: "platform", Values: []string{"CentOS"}}}
	})},
	"InvalidParameterValue.InstanceTypeNotFound":       {catalog.Invalid, "correct spec.instanceType", typed("S99.LARGE99")},
	"InvalidParameterValue.InvalidAppIdFormat":         {catalog.Unauthenticated, "use keys of an account with CVM", nil},
	"InvalidParameterValue.InvalidParameterValueLimit": {catalog.Invalid, "correct its spec", nil},
	"InvalidParameterValue.LimitExceeded":              {catalog.Invalid, "shorten spec.imageIDs or spec.filters", asked(func(q *catalog.Query) { q.ImageIDs = elevenDozenIDs() })},
	"InvalidParameterValue.TagKeyNotFound":             {catalog.Invalid, "", filtered("tag-key", "nobody")}, // never shown: it is an empty listing
	"InvalidParameterValue.ZoneNotSupported":           {catalog.Invalid, "correct spec.region", nil},
	"InvalidRegion.NotFound":                           {catalog.Invalid, "correct spec.region", nil},
	"InvalidZone.MismatchRegion":                       {catalog.Invalid, "correct spec.region", nil},
	"ResourcesSoldOut.SpecifiedInstanceType": {catalog.Unavailable, "", &failing{
		account: account, query: catalog.Query{Region: region, InstanceType: "S5.MEDIUM4"},
		arrange: func(s *cvmtest.Server) { s.SetInstanceType(cvmtest.InstanceType{Name: "S5.MEDIUM4", SoldOut: true}) },
	}},
	"UnauthorizedOperation.InvalidToken":     {catalog.Unauthenticated, "temporary keys need their own token", nil},
	"UnauthorizedOperation.PermissionDenied": {catalog.Forbidden, "grant cvm:DescribeImages to it in CAM", nil},
	"UnsupportedOperation":                   {catalog.Invalid, "correct its spec", nil},

	// The common ones.
	"RequestLimitExceeded": {catalog.Throttled, "lower --cvm-qps", &failing{
		account: account, query: everything, frozen: true, arrange: func(s *cvmtest.Server) { s.Put(region, private(150)...) },
	}},

	"AuthFailure":                       {catalog.Unauthenticated, "check secretId and secretKey in the Secret", nil},
	"AuthFailure.SecretIdNotFound":      {catalog.Unauthenticated, "correct secretId in the Secret or enable the key in CAM", keyed(func(a *catalog.Account) { a.SecretID = "AKIDnobody" }, nil)},
	"AuthFailure.InvalidSecretId":       {catalog.Unauthenticated, "correct secretId in the Secret", nil},
	"AuthFailure.SignatureFailure":      {catalog.Unauthenticated, "correct secretKey in the Secret", keyed(func(a *catalog.Account) { a.SecretKey += "x" }, nil)},
	"AuthFailure.TokenFailure":          {catalog.Unauthenticated, "temporary keys need their own token", temporary("another-token")},
	"AuthFailure.InvalidAuthorization":  {catalog.Unauthenticated, "check secretId and secretKey in the Secret", nil},
	"AuthFailure.MFAFailure":            {catalog.Unauthenticated, "use keys of a sub-account without it", nil},
	"UnauthorizedOperation.MFAExpired":  {catalog.Unauthenticated, "use keys of a sub-account without it", nil},
	"UnauthorizedOperation.MFANotFound": {catalog.Unauthenticated, "use keys of a sub-account without it", nil},
	"AuthFailure.SignatureExpire":       {catalog.Unavailable, "correct the clock of the node", keyed(nil, func(s *cvmtest.Server) { s.SetSkew(10 * time.Minute) })},
	"AuthFailure.UnauthorizedOperation": {catalog.Forbidden, "grant cvm:DescribeImages to it in CAM", nil},
	"UnauthorizedOperation": {catalog.Forbidden, "grant cvm:DescribeImages to it in CAM", keyed(nil, func(s *cvmtest.Server) {
		denied := cvmtest.DefaultCredential
		denied.Deny = true
		s.SetCredential(denied)
	})},
	"IpInBlacklist":    {catalog.Forbidden, "admit the address in CAM", nil},
	"IpNotInWhitelist": {catalog.Forbidden, "admit the address in CAM", nil},

	"InvalidFilterValue":    {catalog.Invalid, "correct spec.filters", nil},
	"InvalidImageId":        {catalog.Invalid, "correct spec.imageIDs", nil},
	"InvalidInstanceType":   {catalog.Invalid, "correct spec.instanceType", nil},
	"InvalidRegion":         {catalog.Invalid, "correct spec.region", nil},
	"InvalidZone":           {catalog.Invalid, "correct spec.region", nil},
	"UnsupportedRegion":     {catalog.Invalid, "correct spec.region", asked(func(q *catalog.Query) { q.Region = "ap-shanghai-adc" })},
	"InvalidParameter":      {catalog.Invalid, "correct its spec", nil},
	"InvalidParameterValue": {catalog.Invalid, "correct its spec", nil},
	"MissingParameter":      {catalog.Invalid, "correct its spec", nil},
	"UnknownParameter":      {catalog.Invalid, "correct its spec", nil},
	"LimitExceeded":         {catalog.Invalid, "correct its spec", nil},

	"InvalidAction":            {catalog.Unavailable, "correct the operator's --cvm-endpoint", nil},
	"InvalidRequest":           {catalog.Unavailable, "correct the operator's --cvm-endpoint", nil},
	"NoSuchProduct":            {catalog.Unavailable, "correct the operator's --cvm-endpoint", nil},
	"NoSuchVersion":            {catalog.Unavailable, "correct the operator's --cvm-endpoint", nil},
	"ActionOffline":            {catalog.Unavailable, "correct the operator's --cvm-endpoint", nil},
	"UnsupportedProtocol":      {catalog.Unavailable, "correct the operator's --cvm-endpoint", nil},
	"RequestSizeLimitExceeded": {catalog.Unavailable, "correct the operator's --cvm-endpoint", nil},

	"FailedOperation":           {catalog.Unavailable, "", nil},
	"InternalError":             {catalog.Unavailable, "", nil},
	"InternalServerError":       {catalog.Unavailable, "", nil},
	"ServiceUnavailable":        {catalog.Unavailable, "", nil},
	"ResourceUnavailable":       {catalog.Unavailable, "", nil},
	"ResourceInUse":             {catalog.Unavailable, "", nil},
	"ResourceInsufficient":      {catalog.Unavailable, "", nil},
	"ResourcesSoldOut":          {catalog.Unavailable, "", nil},
	"ResponseSizeLimitExceeded": {catalog.Unavailable, "", nil},

	// The SDK's own, and ours in its manner.
	"ClientError.CredentialError":     {catalog.Unauthenticated, "check secretId and secretKey in the Secret", keyed(func(a *catalog.Account) { a.SecretID += "\n" }, nil)},
	"ClientError.NetworkError":        {catalog.Unavailable, "", nil},
	"ClientError.IOError":             {catalog.Unavailable, "", spoilt(cvmtest.Fault{CutAfter: 20})},
	"ClientError.ParseJsonError":      {catalog.Unavailable, "", spoilt(rawBody(canary))},
	"ClientError.HttpStatusCodeError": {catalog.Unavailable, "", nil}, // the guard is before it
}

func temporary(token catalog.Secret) *failing {
	credential := cvmtest.Credential{SecretID: "AKIDtemporary", SecretKey: "temporary-key", Token: "its-own-token", UIN: "1"}
	account := accountOf(credential)
	account.Token = token
	return &failing{account: account, query: everything, arrange: func(s *cvmtest.Server) { s.SetCredential(credential) }}
}

// elevenDozenIDs are more than the 100 that a request may have.
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
// 1140/51177), and those that the SDK makes, but for DryRunOperation, which nothing of ours asks for.
var commonCodes = []string{
	"ActionOffline", "AuthFailure.InvalidAuthorization", "AuthFailure.InvalidSecretId", "AuthFailure.MFAFailure", "AuthFailure.SecretIdNotFound",
	"AuthFailure.SignatureExpire", "AuthFailure.SignatureFailure", "AuthFailure.TokenFailure", "AuthFailure.UnauthorizedOperation", "FailedOperation",
	"InternalError", "InternalServerError", "InvalidAction", "InvalidParameter", "InvalidParameterValue", "InvalidRequest", "IpInBlacklist", "IpNotInWhitelist",
	"LimitExceeded", "MissingParameter", "NoSuchProduct", "NoSuchVersion", "RequestLimitExceeded", "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
	"RequestLimitExceeded.IPLimitExceeded", "RequestLimitExceeded.UinLimitExceeded", "RequestSizeLimitExceeded", "ResourceInUse", "ResourceInsufficient",
	"ResourceUnavailable", "ResponseSizeLimitExceeded", "ServiceUnavailable", "UnauthorizedOperation", "UnauthorizedOperation.MFAExpired",
	"UnauthorizedOperation.MFANotFound", "UnknownParameter", "UnsupportedOperation", "UnsupportedProtocol", "UnsupportedRegion",
	"ClientError.CredentialError", "ClientError.NetworkError", "ClientError.IOError", "ClientError.ParseJsonError", "ClientError.HttpStatusCodeError",
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
		requests := map[string]*failing{"injected": spoilt(cvmtest.Fault{Code: code, Message: canary + " [request id:" + canary + "] of RequestId=x"})}
		if want.natural != nil {
			requests["by itself"] = want.natural
		}
		for how, request := range requests {
			t.Run(code+" "+how, func(t *testing.T) {
				t.Parallel() // throttled ones wait
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
	case message == "" || message[0] < 'a' || message[0] > 'z' || fullStop.MatchString(message) || strings.ContainsAny(message, "\n\t") || len(message) > 200:
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
		// By the part before the first '.'.
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

// A part of a key that no header can carry would come out as a network that doesn't work.
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
