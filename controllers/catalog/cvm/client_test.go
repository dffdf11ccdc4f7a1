// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

const region = "ap-guangzhou"

// newCloud is a simulated cloud and a client for it.
func newCloud(t *testing.T) (*cvmtest.Server, *cvm.Client) {
	t.Helper()
	cloud := cvmtest.NewServer(cvmtest.Options{RateLimit: -1})
	t.Cleanup(cloud.Close)
	client, err := cvm.New(cvm.Options{Endpoint: cloud.URL(), QPS: 10000, Burst: 10000})
	if err != nil {
		t.Fatal(err)
	}
	return cloud, client
}

func accountOf(source string, c cvmtest.Credential) catalog.Account {
	return catalog.Account{Source: source, SecretID: catalog.Secret(c.SecretID), SecretKey: catalog.Secret(c.SecretKey), Token: catalog.Secret(c.Token)}
}

var account = accountOf("secret/default", cvmtest.DefaultCredential)

var private = catalog.Query{Region: region, Filters: []catalog.Filter{{Name: "image-type", Values: []string{"PRIVATE_IMAGE"}}}}

func idsOf(images []catalog.Image) []string {
	var ids []string
	for _, i := range images {
		ids = append(ids, i.ID)
	}
	slices.Sort(ids)
	return ids
}

func simulatedIDs(images []cvmtest.Image) []string {
	var ids []string
	for _, i := range images {
		ids = append(ids, i.ImageID)
	}
	slices.Sort(ids)
	return ids
}

func TestThePageExamplesAreListed(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.Put(region, cvmtest.PageExample()...)
	listing, err := client.List(t.Context(), account, private)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(simulatedIDs(cvmtest.PageExample()), idsOf(listing.Images)); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	requests := cloud.Requests()
	if len(requests) != 5 {
		t.Errorf("%d requests for 408 images, want 5", len(requests))
	}
	slices.SortFunc(requests, func(a, b cvmtest.Request) int { return cmp.Compare(a.Offset, b.Offset) })
	for i, r := range requests {
		if r.Offset != int64(100*i) || r.Limit != 100 || r.Language != "en-US" || r.Region != region || !strings.Contains(r.RequestClient, "image-catalog-operator") {
			t.Errorf("request %d is %+v", i, r)
		}
	}

	cloud.Put(region, cvmtest.PageExample1())
	listing, err = client.List(t.Context(), account, catalog.Query{Region: region, Filters: []catalog.Filter{{Name: "image-id", Values: []string{"img-9qabwvbn"}}}})
	if err != nil {
		t.Fatal(err)
	}
	want := []catalog.Image{{
		ID: "img-9qabwvbn", Name: "CentOS 7.6 64bit", Description: "CentOS 7.6 64bit", OSName: "CentOS 7.6 64bit", Type: "PUBLIC_IMAGE", Source: "OFFICIAL",
		State: "NORMAL", Platform: "CentOS", Architecture: "amd64", SizeGiB: 50, CloudInit: true,
		CreatedTime: time.Date(2020, 9, 22, 0, 0, 0, 0, time.UTC), Tags: []catalog.Tag{{Key: "xx", Value: "xx"}},
	}}
	if diff := gocmp.Diff(want, listing.Images); diff != "" {
		t.Errorf("the page's first example (-want +got):\n%s", diff)
	}
}

func TestAQueryReachesTheCloudAsItIs(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.Put(region, cvmtest.PublicImages()...)
	for name, tc := range map[string]struct {
		query catalog.Query
		want  cvmtest.Request
	}{
		"ids":     {catalog.Query{Region: region, ImageIDs: []string{"img-487zeit5", "img-22trbn9x"}}, cvmtest.Request{ImageIDs: []string{"img-487zeit5", "img-22trbn9x"}}},
		"filters": {catalog.Query{Region: region, Filters: []catalog.Filter{{Name: "platform", Values: []string{"Ubuntu", "Debian"}}}}, cvmtest.Request{Filters: map[string][]string{"platform": {"Ubuntu", "Debian"}}}},
		"type":    {catalog.Query{Region: region, InstanceType: "SA5.MEDIUM2"}, cvmtest.Request{InstanceType: "SA5.MEDIUM2"}},
		"nothing": {catalog.Query{Region: region}, cvmtest.Request{}},
	} {
		t.Run(name, func(t *testing.T) {
			cloud.ResetRequests()
			if _, err := client.List(t.Context(), account, tc.query); err != nil {
				t.Fatal(err)
			}
			got := cloud.Requests()[0]
			if len(tc.want.Filters)+len(got.Filters) > 0 && gocmp.Diff(tc.want.Filters, got.Filters) != "" ||
				!slices.Equal(tc.want.ImageIDs, got.ImageIDs) || got.InstanceType != tc.want.InstanceType {
				t.Errorf("the cloud was asked %+v", got)
			}
		})
	}
	if unknown := cloud.Unknown(); len(unknown) > 0 {
		t.Errorf("the simulator does not know %v", unknown)
	}
}

// A listing is complete, or says that nothing may be concluded from what it lacks, or is an error.
func TestListingsAddUp(t *testing.T) {
	inventory := cvmtest.PrivateImages(3, 250, cvmtest.DefaultCredential.UIN)
	for name, tc := range map[string]struct {
		faults        []cvmtest.Fault
		change        func(*cvmtest.Server) func(cvmtest.Request)
		wantKind      catalog.Kind
		wantUnsettled bool
		wantImages    int
		wantRequests  int
	}{
		"nothing happens": {wantImages: 250, wantRequests: 3},
		"a later page fails": {
			faults: []cvmtest.Fault{{Page: 3, Code: "InternalError"}}, wantKind: catalog.Unavailable,
		},
		"one page loses an image once: the second reading counts": {
			faults: []cvmtest.Fault{{Page: 2, DropImages: 1, Times: 1}}, wantImages: 250, wantRequests: 6,
		},
		"the count drifts once: the second reading counts": {
			faults: []cvmtest.Fault{{Page: 2, TotalDelta: 1, Times: 1}}, wantImages: 250, wantRequests: 6,
		},
		"pages overlap once: the second reading counts": {
			faults: []cvmtest.Fault{{Page: 2, DuplicateImages: 5, Times: 1}}, wantImages: 250, wantRequests: 6,
		},
		"the count is always one too high: both readings agree, and nothing may leave": {
			faults: []cvmtest.Fault{{TotalDelta: 1}}, wantImages: 250, wantUnsettled: true, wantRequests: 7,
		},
		"Offset is ignored: both readings agree": {
			faults: []cvmtest.Fault{{IgnoreOffset: true}}, wantImages: 100, wantUnsettled: true, wantRequests: 5,
		},
		"the readings differ": {
			faults:   []cvmtest.Fault{{Page: 2, DropImages: 1, Times: 1}, {Page: 1, DropImages: 2, Call: 2}, {FromPage: 2, TotalDelta: 1}},
			wantKind: catalog.Incomplete,
		},
		"short pages: read on at the ids so far": {
			faults: []cvmtest.Fault{{Short: 60}}, wantImages: 250, wantRequests: 8,
		},
		"an image is deleted while the list is read": {
			change: func(cloud *cvmtest.Server) func(cvmtest.Request) {
				return func(r cvmtest.Request) {
					if r.Page == 1 {
						cloud.Delete(region, inventory[0].ImageID)
					}
				}
			},
			wantImages: 249,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			cloud.Put(region, inventory...)
			for _, f := range tc.faults {
				cloud.Inject(f)
			}
			if tc.change != nil {
				cloud.OnRequest(tc.change(cloud))
			}
			listing, err := client.List(t.Context(), account, private)
			if tc.wantKind != "" {
				if failure := (*catalog.Error)(nil); !errors.As(err, &failure) || failure.Kind != tc.wantKind {
					t.Errorf("got %v, want %s", err, tc.wantKind)
				}
				if len(listing.Images) > 0 {
					t.Errorf("%d images came with the error", len(listing.Images))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(listing.Images) != tc.wantImages || listing.Unsettled != tc.wantUnsettled {
				t.Errorf("%d images, unsettled %v, want %d and %v", len(listing.Images), listing.Unsettled, tc.wantImages, tc.wantUnsettled)
			}
			if got := len(cloud.Requests()); tc.wantRequests > 0 && got != tc.wantRequests {
				t.Errorf("%d requests, want %d", got, tc.wantRequests)
			}
		})
	}
}

func TestEntriesWithoutAnImageIDAreCountedAndSkipped(t *testing.T) {
	cloud, client := newCloud(t)
	inventory := cvmtest.PrivateImages(3, 5, cvmtest.DefaultCredential.UIN)
	for i, id := range []string{"../x", "IMG-ABC", "img-" + strings.Repeat("a", 10000)} {
		inventory[i].ImageID = id
	}
	inventory[3].Raw = map[string]json.RawMessage{"ImageId": json.RawMessage("null")}
	cloud.Put(region, inventory...)
	listing, err := client.List(t.Context(), account, private)
	if err != nil || listing.Unsettled {
		t.Fatalf("unsettled %v, error %v", listing.Unsettled, err)
	}
	if len(listing.Images) != 1 || listing.Skipped != 4 {
		t.Errorf("%d images, %d skipped, want 1 and 4", len(listing.Images), listing.Skipped)
	}
}

// What the endpoint answers is believed only if it is an answer of the API, and no text of it ever gets up.
func TestAnswersThatAreNone(t *testing.T) {
	const canary = "canary-of-the-body"
	body := func(s string) *string { return &s }
	for name, tc := range map[string]struct {
		fault    cvmtest.Fault
		wantKind catalog.Kind
		wantCode string
	}{
		"an empty object":                {cvmtest.Fault{Body: body(`{}`)}, catalog.Incomplete, "ClientError.MalformedAnswer"},
		"no Response":                    {cvmtest.Fault{Body: body(`{"Response":null}`)}, catalog.Incomplete, "ClientError.MalformedAnswer"},
		"an empty Response":              {cvmtest.Fault{Body: body(`{"Response":{}}`)}, catalog.Incomplete, "ClientError.MalformedAnswer"},
		"no ImageSet":                    {cvmtest.Fault{Body: body(`{"Response":{"TotalCount":3,"ImageSet":null,"RequestId":"x"}}`)}, catalog.Incomplete, "ClientError.MalformedAnswer"},
		"an image that is null":          {cvmtest.Fault{NullImages: 1}, catalog.Incomplete, "ClientError.MalformedAnswer"},
		"no TotalCount":                  {cvmtest.Fault{Unset: []string{"TotalCount"}}, catalog.Incomplete, "ClientError.MalformedAnswer"},
		"a negative TotalCount":          {cvmtest.Fault{Set: map[string]json.RawMessage{"TotalCount": json.RawMessage("-1")}}, catalog.Incomplete, "ClientError.MalformedAnswer"},
		"an absurd TotalCount":           {cvmtest.Fault{Set: map[string]json.RawMessage{"TotalCount": json.RawMessage("1000000000000")}}, catalog.Incomplete, "ClientError.MalformedAnswer"},
		"null, on which the SDK panics":  {cvmtest.Fault{Body: body(`null`)}, catalog.Unavailable, "ClientError.Panic"},
		"not JSON":                       {cvmtest.Fault{Body: body(canary)}, catalog.Unavailable, "ClientError.ParseJsonError"},
		"wrong types":                    {cvmtest.Fault{Set: map[string]json.RawMessage{"ImageSet": json.RawMessage(`[{"ImageSize":"` + canary + `"}]`)}}, catalog.Unavailable, "ClientError.ParseJsonError"},
		"an empty body":                  {cvmtest.Fault{Body: body("")}, catalog.Unavailable, "ClientError.ParseJsonError"},
		"a gateway's page":               {cvmtest.Fault{Status: 502}, catalog.Unavailable, "ClientError.AnswerRefused"},
		"a good body with a bad status":  {cvmtest.Fault{Status: 500, KeepBody: true}, catalog.Unavailable, "ClientError.AnswerRefused"},
		"a redirect":                     {cvmtest.Fault{Redirect: "http://127.0.0.1:1/" + canary}, catalog.Unavailable, "ClientError.AnswerRefused"},
		"an event stream":                {cvmtest.Fault{EventStream: true}, catalog.Unavailable, "ClientError.AnswerRefused"},
		"an encoding that nobody wanted": {cvmtest.Fault{DeflateBomb: 1 << 30}, catalog.Unavailable, "ClientError.AnswerRefused"},
		"a body that unpacks for ever":   {cvmtest.Fault{GzipBomb: 1 << 30}, catalog.Unavailable, "ClientError.AnswerRefused"},
		"a body of 20 MiB":               {cvmtest.Fault{BigBody: 20 << 20}, catalog.Unavailable, "ClientError.AnswerRefused"},
		"a body that is cut off":         {cvmtest.Fault{CutAfter: 100}, catalog.Unavailable, ""},
		"a connection that is closed":    {cvmtest.Fault{Hangup: true}, catalog.Unavailable, "ClientError.NetworkError"},
		"an error's own text":            {cvmtest.Fault{Code: "InternalError", Message: canary}, catalog.Unavailable, "InternalError"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			cloud.Put(region, cvmtest.PrivateImages(3, 5, cvmtest.DefaultCredential.UIN)...)
			cloud.Inject(tc.fault)
			_, err := client.List(t.Context(), account, private)
			failure := (*catalog.Error)(nil)
			if !errors.As(err, &failure) || failure.Kind != tc.wantKind || tc.wantCode != "" && failure.Code != tc.wantCode {
				t.Fatalf("got %#v, want %s %s", err, tc.wantKind, tc.wantCode)
			}
			for _, secret := range []string{canary, "<html", cvmtest.DefaultCredential.SecretKey, cvmtest.DefaultCredential.SecretID} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error has %q in it: %v", secret, err)
				}
			}
			if failure.RequestID != "" && strings.Contains(err.Error(), failure.RequestID) {
				t.Errorf("the error has the request's id in it: %v", err)
			}
		})
	}
}

func TestASilentServerIsLeftWhenTheContextEnds(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.Inject(cvmtest.Fault{Blackhole: true})
	ctx, cancel := context.WithCancel(t.Context())
	cloud.OnRequest(func(cvmtest.Request) { cancel() })
	if _, err := client.List(ctx, account, private); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestRotatedKeysAreUsedAtOnce(t *testing.T) {
	cloud, client := newCloud(t)
	rotated := cvmtest.DefaultCredential
	rotated.SecretID, rotated.SecretKey = "AKIDrotated", "rotated"
	if _, err := client.List(t.Context(), account, private); err != nil {
		t.Fatal(err)
	}
	cloud.RemoveCredential(cvmtest.DefaultCredential.SecretID)
	cloud.SetCredential(rotated)
	if _, err := client.List(t.Context(), accountOf("secret/default", rotated), private); err != nil {
		t.Errorf("the new keys were not used: %v", err)
	}
}

func TestAThrottledPageIsAskedForAgain(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.Put(region, cvmtest.PrivateImages(3, 250, cvmtest.DefaultCredential.UIN)...)
	cloud.Inject(cvmtest.Fault{Page: 2, Code: "RequestLimitExceeded.UinLimitExceeded", Times: 1})
	listing, err := client.List(t.Context(), account, private)
	if err != nil || len(listing.Images) != 250 {
		t.Errorf("%d images, %v", len(listing.Images), err)
	}
	if got := len(cloud.Requests()); got != 4 {
		t.Errorf("%d requests, want 4", got)
	}
}

func TestTheBudgetOfASourceIsKept(t *testing.T) {
	cloud := cvmtest.NewServer(cvmtest.Options{RateLimit: -1})
	t.Cleanup(cloud.Close)
	cloud.Put(region, cvmtest.PrivateImages(3, 6000, cvmtest.DefaultCredential.UIN)...)
	client, err := cvm.New(cvm.Options{Endpoint: cloud.URL(), QPS: 20, Burst: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.List(t.Context(), account, private); err != nil {
		t.Fatal(err)
	}
	requests := cloud.Requests()
	for i, from := range requests {
		within := 0
		for _, r := range requests[i:] {
			if r.Time.Sub(from.Time) < time.Second {
				within++
			}
		}
		if within > 20+10 {
			t.Fatalf("%d requests within a second, want at most qps and burst together, 30", within)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for endpoint, good := range map[string]bool{
		"":                                  true,
		"cvm.tencentcloudapi.com":           true,
		"https://cvm.tencentcloudapi.com":   true,
		"cvm.internal.tencentcloudapi.com":  true,
		"127.0.0.1:8443":                    true,
		"http://127.0.0.1:8080":             true,
		"http://localhost:8080":             true,
		"http://cvm.tencentcloudapi.com":    false,
		"http://127.0.0.1.evil.example":     false,
		"http://10.0.0.1":                   false,
		"ftp://cvm.tencentcloudapi.com":     false,
		"cvm.tencentcloudapi.com/path":      false,
		"cvm.tencentcloudapi.com?x=1":       false,
		"user:pass@cvm.tencentcloudapi.com": false,
		"CVM.tencentcloudapi.com":           false,
		"a b":                               false,
	} {
		_, err := cvm.New(cvm.Options{Endpoint: endpoint})
		if good != (err == nil) {
			t.Errorf("%q: %v", endpoint, err)
		}
		if err != nil && !strings.Contains(err.Error(), "write a host such as") {
			t.Errorf("%q: the error does not say what to write: %v", endpoint, err)
		}
	}
}

// Every code of the API's page, and what the SDK and the common codes add, by class.
func TestCodesAreClassified(t *testing.T) {
	classes := map[catalog.Kind][]string{
		catalog.Invalid: {
			"FailedOperation.IllegalTagKey", "InvalidFilter", "InvalidFilterValue.LimitExceeded", "InvalidImageId.Malformed", "InvalidInstanceType.Malformed",
			"InvalidParameter.InvalidParameterCoexistImageIdsFilters", "InvalidParameterValue.InstanceTypeNotFound", "InvalidParameterValue.InvalidParameterValueLimit",
			"InvalidParameterValue.LimitExceeded", "InvalidParameterValue.ZoneNotSupported", "InvalidRegion.NotFound", "InvalidZone.MismatchRegion",
			"UnsupportedOperation", "UnsupportedRegion", "InvalidParameter", "InvalidParameterValue.Whatever", "MissingParameter", "UnknownParameter", "LimitExceeded",
		},
		catalog.Unauthenticated: {
			"InvalidParameterValue.InvalidAppIdFormat", "UnauthorizedOperation.InvalidToken", "AuthFailure.SecretIdNotFound", "AuthFailure.InvalidSecretId",
			"AuthFailure.SignatureFailure", "AuthFailure.TokenFailure", "AuthFailure.InvalidAuthorization", "AuthFailure.MFAFailure",
			"UnauthorizedOperation.MFAExpired", "UnauthorizedOperation.MFANotFound", "ClientError.CredentialError",
		},
		catalog.Forbidden: {
			"UnauthorizedOperation.PermissionDenied", "AuthFailure.UnauthorizedOperation", "UnauthorizedOperation", "UnauthorizedOperation.CamNoAuth",
			"IpInBlacklist", "IpNotInWhitelist",
		},
		catalog.Throttled: {
			"RequestLimitExceeded", "RequestLimitExceeded.UinLimitExceeded", "RequestLimitExceeded.GlobalRegionUinLimitExceeded", "RequestLimitExceeded.IPLimitExceeded",
		},
		catalog.Unavailable: {
			"ResourcesSoldOut.SpecifiedInstanceType", "InternalError", "InternalError.Trade", "InternalServerError", "ServiceUnavailable", "ResourceUnavailable",
			"ResourceInUse", "FailedOperation", "ResourceInsufficient", "ResponseSizeLimitExceeded", "AuthFailure.SignatureExpire", "InvalidAction", "NoSuchVersion",
			"NoSuchProduct", "ActionOffline", "InvalidRequest", "UnsupportedProtocol", "RequestSizeLimitExceeded", "A.CodeThatNobodyKnows", "ClientError.IOError",
			"ClientError.HttpStatusCodeError",
		},
	}
	tested := map[string]bool{"InvalidParameterValue.TagKeyNotFound": true} // below
	for kind, codes := range classes {
		for _, code := range codes {
			tested[code] = true
			t.Run(fmt.Sprintf("%s is %s", code, kind), func(t *testing.T) {
				t.Parallel()
				cloud, client := newCloud(t)
				cloud.Inject(cvmtest.Fault{Code: code})
				_, err := client.List(t.Context(), account, private)
				failure := (*catalog.Error)(nil)
				if !errors.As(err, &failure) || failure.Kind != kind || failure.Code != code || failure.RequestID == "" || failure.Message == "" {
					t.Errorf("got %#v", err)
				}
				if failure.UnknownImageID != strings.HasPrefix(code, "InvalidImageId") {
					t.Errorf("UnknownImageID is %v", failure.UnknownImageID)
				}
			})
		}
	}
	for _, code := range cvmtest.BusinessCodes() {
		if !tested[code] {
			t.Errorf("the code %s of the API's page has no row", code)
		}
	}
}

func TestATagKeyThatNobodyHasIsAnEmptyListing(t *testing.T) {
	_, client := newCloud(t)
	listing, err := client.List(t.Context(), account, catalog.Query{Region: region, Filters: []catalog.Filter{{Name: "tag:nobody-has-it", Values: []string{"x"}}}})
	if err != nil || !listing.TagKeyNotFound || len(listing.Images) > 0 {
		t.Errorf("got %+v, %v", listing, err)
	}
}
