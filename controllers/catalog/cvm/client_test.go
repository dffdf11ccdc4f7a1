// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/expiring"
)

func TestTheAPIPagesFirstExampleFieldForField(t *testing.T) {
	s := start(t, cvmtest.Options{}, cvmtest.PageExample1())
	got := mustList(t, connect(t, s), catalog.Query{
		Region: region, Filters: []catalog.Filter{{Name: "image-id", Values: []string{"img-9qabwvbn"}}},
	})
	want := catalog.Listing{Images: []catalog.Image{{
		ID: "img-9qabwvbn", Name: "CentOS 7.6 64bit", Description: "CentOS 7.6 64bit", OSName: "CentOS 7.6 64bit",
		Type: "PUBLIC_IMAGE", Source: "OFFICIAL", State: "NORMAL", Platform: "CentOS", Architecture: "amd64", SizeGiB: 50, CloudInit: true,
		CreatedTime: time.Date(2020, 9, 22, 0, 0, 0, 0, time.UTC), Tags: []catalog.Tag{{Key: "xx", Value: "xx"}},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestTheAPIPagesSecondExampleIs408ImagesIn5Requests(t *testing.T) {
	s := start(t, cvmtest.Options{}, cvmtest.PageExample()...)
	s.Put(region, cvmtest.PublicImages()...)
	got := mustList(t, connect(t, s), catalog.Query{
		Region: region, Filters: []catalog.Filter{{Name: "image-type", Values: []string{"PRIVATE_IMAGE"}}},
	})
	if got.Skipped != 0 || got.Inconsistent || len(got.Images) != 408 {
		t.Errorf("%d images, %d skipped, inconsistent %t, want 408 images", len(got.Images), got.Skipped, got.Inconsistent)
	}
	var want []string
	for _, image := range cvmtest.PageExample() {
		want = append(want, image.ImageID)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, idsOf(got.Images)); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{0, 100, 200, 300, 400}, offsets(s)); diff != "" {
		t.Errorf("offsets of the requests (-want +got):\n%s", diff)
	}
	shown := got.Images[slices.IndexFunc(got.Images, func(i catalog.Image) bool { return i.ID == "img-qlzp4oea" })]
	if diff := cmp.Diff(catalog.Image{
		ID: "img-qlzp4oea", Name: "test-image", Description: "test-image", OSName: "CentOS 7.4 64bit", Type: "PRIVATE_IMAGE",
		Source: "CREATE_IMAGE", Creator: "3205597606", State: "NORMAL", Platform: "CentOS", Architecture: "amd64", SizeGiB: 20, CloudInit: true,
		CreatedTime: time.Date(2020, 9, 22, 0, 0, 0, 0, time.UTC), Tags: []catalog.Tag{{Key: "xx", Value: "xx"}},
		Snapshots: []catalog.Snapshot{{ID: "snap-gqa37j2p", DiskUsage: "SYSTEM_DISK", DiskSizeGiB: 20}},
	}, shown); diff != "" {
		t.Errorf("the image that the page shows (-want +got):\n%s", diff)
	}
}

func TestWhatIsSent(t *testing.T) {
	filters := []catalog.Filter{
		{Name: "image-type", Values: []string{"PRIVATE_IMAGE", "SHARED_IMAGE"}},
		{Name: "platform", Values: []string{"CentOS"}},
	}
	for name, tc := range map[string]struct {
		query catalog.Query
		want  cvmtest.Request
		body  string
	}{
		"a bare query sends no empty lists": {
			query: catalog.Query{Region: "ap-beijing", Filters: []catalog.Filter{}, ImageIDs: []string{}},
			want:  cvmtest.Request{Region: "ap-beijing"},
			body:  `{"Offset":0,"Limit":100}`,
		},
		"filters": {
			query: catalog.Query{Region: region, Filters: filters},
			want: cvmtest.Request{
				Region:  region,
				Filters: map[string][]string{"image-type": {"PRIVATE_IMAGE", "SHARED_IMAGE"}, "platform": {"CentOS"}},
			},
			body: `{"Filters":[{"Name":"image-type","Values":["PRIVATE_IMAGE","SHARED_IMAGE"]},{"Name":"platform","Values":["CentOS"]}],"Offset":0,"Limit":100}`,
		},
		"ids": {
			query: catalog.Query{Region: region, ImageIDs: []string{"img-9qabwvbn", "img-487zeit5"}},
			want:  cvmtest.Request{Region: region, ImageIDs: []string{"img-9qabwvbn", "img-487zeit5"}},
			body:  `{"ImageIds":["img-9qabwvbn","img-487zeit5"],"Offset":0,"Limit":100}`,
		},
		"an instance type beside filters": {
			query: catalog.Query{Region: region, InstanceType: "SA5.MEDIUM2", Filters: filters[1:]},
			want:  cvmtest.Request{Region: region, InstanceType: "SA5.MEDIUM2", Filters: map[string][]string{"platform": {"CentOS"}}},
			body:  `{"Filters":[{"Name":"platform","Values":["CentOS"]}],"Offset":0,"Limit":100,"InstanceType":"SA5.MEDIUM2"}`,
		},
		"an instance type beside ids": {
			query: catalog.Query{Region: region, InstanceType: "SA5.MEDIUM2", ImageIDs: []string{"img-9qabwvbn"}},
			want:  cvmtest.Request{Region: region, InstanceType: "SA5.MEDIUM2", ImageIDs: []string{"img-9qabwvbn"}},
			body:  `{"ImageIds":["img-9qabwvbn"],"Offset":0,"Limit":100,"InstanceType":"SA5.MEDIUM2"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{})
			c := connect(t, s)
			var bodies []string
			c.transport = tap{next: c.transport, before: func(r *http.Request, body []byte) {
				bodies = append(bodies, string(body))
				if got := r.Header.Get("X-TC-Region"); got != tc.query.Region {
					t.Errorf("X-TC-Region is %q, want %q", got, tc.query.Region)
				}
			}}
			mustList(t, c, tc.query)
			if diff := cmp.Diff([]string{tc.body}, bodies); diff != "" {
				t.Errorf("bodies (-want +got):\n%s", diff)
			}
			want := tc.want
			want.Action, want.Language, want.SecretID, want.Limit, want.Page = "DescribeImages", "en-US", account.SecretID.Reveal(), 100, 1
			want.RequestClient, want.UserAgent = "SDK_GO_1.3.210: image-catalog-operator", "Go-http-client/1.1"
			if diff := cmp.Diff([]cvmtest.Request{want}, s.Requests(), cmpopts.IgnoreFields(cvmtest.Request{}, "Time", "RequestID")); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsFound(t *testing.T) {
	for name, tc := range map[string]struct {
		query catalog.Query
		want  []string
	}{
		"by ids, an unknown one left out": {
			query: catalog.Query{ImageIDs: []string{"img-487zeit5", "img-00000000", "img-9eh8c1p1"}},
			want:  []string{"img-487zeit5", "img-9eh8c1p1"},
		},
		"only unknown ids": {query: catalog.Query{ImageIDs: []string{"img-00000000"}}},
		"filters are combined by AND, the values of one by OR": {
			query: catalog.Query{Filters: []catalog.Filter{
				{Name: "platform", Values: []string{"Rocky Linux", "Red Hat"}}, {Name: "image-name", Values: []string{"RHEL 9", "Rocky Linux 9"}},
			}},
			want: []string{"img-02j8jprl", "img-39ei7bw5", "img-no59bf11"},
		},
		"by an English name": {
			query: catalog.Query{Filters: []catalog.Filter{{Name: "image-name", Values: []string{"Rocky Linux 9.4 64bit"}}}},
			want:  []string{"img-39ei7bw5"},
		},
		"what an instance type can boot": {
			query: catalog.Query{InstanceType: "SR1.MEDIUM2", Filters: []catalog.Filter{{Name: "platform", Values: []string{"Ubuntu"}}}},
			want:  []string{"img-2eokmhf5", "img-9eh8c1p1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{}, cvmtest.PublicImages()...)
			tc.query.Region = region
			got := mustList(t, connect(t, s), tc.query)
			if diff := cmp.Diff(tc.want, idsOf(got.Images)); diff != "" || got.Inconsistent {
				t.Errorf("inconsistent %t, ids (-want +got):\n%s", got.Inconsistent, diff)
			}
		})
	}
}

func TestATagKeyThatNobodyHasIsAnEmptyListingAndNoError(t *testing.T) {
	s := start(t, cvmtest.Options{}, cvmtest.PageExample1())
	for _, f := range []catalog.Filter{{Name: "tag-key", Values: []string{"nobody"}}, {Name: "tag:nobody", Values: []string{"x"}}} {
		got := mustList(t, connect(t, s), catalog.Query{Region: region, Filters: []catalog.Filter{f}})
		if diff := cmp.Diff(catalog.Listing{TagKeyNotFound: true}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
	}
	got := mustList(t, connect(t, s), catalog.Query{Region: region, Filters: []catalog.Filter{{Name: "tag:xx", Values: []string{"other"}}}})
	if diff := cmp.Diff(catalog.Listing{Images: nil}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("a known key with another value (-want +got):\n%s", diff)
	}
}

func TestNamesOfPublicImagesAreEnglish(t *testing.T) {
	s := start(t, cvmtest.Options{}, cvmtest.PublicImages()...)
	got := mustList(t, connect(t, s), everything)
	if len(got.Images) != len(cvmtest.PublicImages()) {
		t.Fatalf("%d images, want %d", len(got.Images), len(cvmtest.PublicImages()))
	}
	for _, image := range got.Images {
		for _, text := range []string{image.Name, image.OSName, image.Description} {
			if strings.ContainsAny(text, "位版数据中心") || text == "" {
				t.Errorf("%s is called %q", image.ID, text)
			}
		}
	}
}

func TestOneSDKClientForEachSourceAndRegionHoweverOftenKeysAreRotated(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(3)...)
	c := connect(t, s)
	for round := range 5 {
		for source := range 3 {
			credential := cvmtest.Credential{
				SecretID: fmt.Sprintf("AKID-%d-%d", source, round), SecretKey: fmt.Sprintf("key-%d-%d", source, round),
				UIN: cvmtest.DefaultCredential.UIN,
			}
			s.SetCredential(credential)
			s.RemoveCredential(fmt.Sprintf("AKID-%d-%d", source, round-1)) // the rotated key is the only one that works
			account := accountOf(credential)
			account.Source = fmt.Sprintf("secret/%d", source)
			for _, region := range []string{region, "ap-beijing"} {
				if _, err := c.List(t.Context(), account, catalog.Query{Region: region}); err != nil {
					t.Fatalf("round %d, source %d: %v", round, source, err)
				}
				before, _ := c.clients.Get(clientKey{account.Source, region})
				if _, err := c.List(t.Context(), account, catalog.Query{Region: region}); err != nil {
					t.Fatal(err)
				}
				if after, _ := c.clients.Get(clientKey{account.Source, region}); after.sdk != before.sdk {
					t.Error("the SDK's client was made anew for the same keys")
				}
			}
		}
	}
	if c.clients.Len() != 6 || c.limits.buckets.Len() != 3 {
		t.Errorf("%d clients and %d buckets for 3 sources in 2 regions", c.clients.Len(), c.limits.buckets.Len())
	}
}

// The client is not notified when a query or a Secret is deleted.
func TestWhatNoQueryUsesAnyMoreGoes(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(3)...)
	c := connect(t, s)
	c.clients.Idle, c.limits.buckets.Idle = 50*time.Millisecond, 50*time.Millisecond
	for source := range 3 {
		account := account
		account.Source = fmt.Sprintf("secret/%d", source)
		if _, err := c.List(t.Context(), account, everything); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); c.clients.Len()+c.limits.buckets.Len() > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d clients with keys and %d buckets are still there", c.clients.Len(), c.limits.buckets.Len())
		}
		<-time.After(5 * time.Millisecond)
	}
	mustList(t, c, everything)
}

// A bucket that is dropped and recreated must not grant more tokens than one that stayed.
func TestABucketStaysUntilItIsFullAgain(t *testing.T) {
	for qps, want := range map[float64]time.Duration{10: expiring.Idle, 0.001: 10_000 * time.Second, 1e-12: maxRefill} {
		c, err := New(Options{QPS: qps, Burst: 10})
		if err != nil || c.limits.buckets.Idle != want {
			t.Errorf("with %v requests a second it stays for %v, want %v (%v)", qps, c.limits.buckets.Idle, want, err)
		}
	}
}

func TestATokenIsSentAndARotatedOneTakesEffect(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(1)...)
	c := connect(t, s)
	credential := cvmtest.Credential{SecretID: "AKIDtemporary", SecretKey: "k", Token: "token-1", UIN: cvmtest.DefaultCredential.UIN}
	for _, token := range []string{"token-1", "token-2"} {
		old := accountOf(credential)
		credential.Token = token
		s.SetCredential(credential)
		if token == "token-2" {
			if failure := mustFail(t, c, old, everything); failure.Code != "AuthFailure.TokenFailure" {
				t.Errorf("with the old token: %v", failure)
			}
		}
		if _, err := c.List(t.Context(), accountOf(credential), everything); err != nil {
			t.Errorf("with %s: %v", token, err)
		}
	}
}

func TestListIsSafeForConcurrentUse(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(150)...)
	s.Put("ap-beijing", private(5)...)
	other := cvmtest.Credential{SecretID: "AKIDother", SecretKey: "o", UIN: "100000000002"}
	s.SetCredential(other)
	c := connect(t, s)
	var group sync.WaitGroup
	for i := range 24 {
		group.Go(func() {
			account, region, want := account, region, 150
			if i%2 == 1 {
				region, want = "ap-beijing", 5
			}
			if i%3 == 2 {
				account, want = accountOf(other), 0
			}
			listing, err := c.List(t.Context(), account, catalog.Query{Region: region})
			if err != nil || len(listing.Images) != want {
				t.Errorf("%s in %s: %d images, %v, want %d", account.Source, region, len(listing.Images), err, want)
			}
		})
	}
	group.Wait()
}

func TestEveryRequestHasADeadlineOfItsOwn(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(150)...)
	c := connect(t, s)
	var mu sync.Mutex
	requests := 0
	c.transport = tap{next: c.transport, before: func(r *http.Request, _ []byte) {
		mu.Lock()
		defer mu.Unlock()
		requests++
		deadline, ok := r.Context().Deadline()
		if left := time.Until(deadline); !ok || left > 20*time.Second || left < 10*time.Second {
			t.Errorf("a request has %v, deadline set %t; want about 20s", left, ok)
		}
	}}
	mustList(t, c, everything)
	if requests != 2 {
		t.Errorf("%d requests, want 2", requests)
	}
}

func TestAListingEndsWithItsContext(t *testing.T) {
	for name, fault := range map[string]cvmtest.Fault{
		"while nothing comes":         {Blackhole: true},
		"while the body drips":        {Drip: time.Hour},
		"while page 2 drips":          {Page: 2, Drip: time.Hour},
		"while one page is held back": {Page: 2, Delay: time.Hour},
	} {
		for ending, want := range map[string]error{"deadline": context.DeadlineExceeded, "cancelled": context.Canceled} {
			t.Run(name+", "+ending, func(t *testing.T) {
				t.Parallel()
				s := start(t, cvmtest.Options{}, private(150)...)
				s.Inject(fault)
				c := connect(t, s)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if ending == "deadline" {
					ctx, cancel = context.WithTimeout(ctx, 500*time.Millisecond)
					defer cancel()
				} else {
					s.OnRequest(func(r cvmtest.Request) {
						if fault.Page == 0 || r.Page == fault.Page {
							cancel()
						}
					})
				}
				listing, err := c.List(ctx, account, everything)
				failure := (*catalog.Error)(nil)
				if !errors.As(err, &failure) || failure.Kind != catalog.Unavailable || failure.Code != "ClientError.Timeout" || !errors.Is(err, want) {
					t.Errorf("List() = %d images, %#v, want Unavailable, ClientError.Timeout by %v", len(listing.Images), err, want)
				}
				wantConfidential(t, s, account, err)
			})
		}
	}
}

func TestNewRefusesABudgetBelowZero(t *testing.T) {
	for name, o := range map[string]Options{"QPS": {QPS: -1}, "burst": {Burst: -1}} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), "must be positive") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewHasTheDocumentedDefaults(t *testing.T) {
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (endpoint{"HTTPS", "cvm.tencentcloudapi.com"}); c.endpoint != want || c.limits.qps != 10 || c.limits.burst != 10 {
		t.Errorf("endpoint %v, %v requests per second, burst %d", c.endpoint, c.limits.qps, c.limits.burst)
	}
}

// The SDK's automatic behaviour must stay disabled; see newProfile.
func TestTheSDKActsOnNothingOfItsOwn(t *testing.T) {
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := newProfile(c.endpoint)
	if p.NetworkFailureMaxRetries != 0 || p.RateLimitExceededMaxRetries != 0 || !p.DisableRegionBreaker || p.Debug || p.Language != "en-US" ||
		p.HttpProfile.Scheme != "HTTPS" {
		t.Errorf("%+v", p)
	}
	s := start(t, cvmtest.Options{})
	s.Inject(cvmtest.Fault{Code: "InternalError"})
	for range 10 { // a breaker would open
		if failure := mustFail(t, connect(t, s), account, everything); failure.Code != "InternalError" {
			t.Errorf("%v, want InternalError", failure)
		}
	}
	if n := len(s.Requests()); n != 10 {
		t.Errorf("%d requests for 10 listings", n)
	}
}
