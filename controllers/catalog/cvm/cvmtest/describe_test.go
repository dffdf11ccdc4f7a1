// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

const (
	mine   = "100000000001"
	theirs = "100000000002"
)

// small adds an inventory in which each image has a purpose.
func small(s *cvmtest.Server) {
	s.Put(region,
		cvmtest.Image{
			ImageID: "img-00000pub", ImageName: "Ubuntu Server 22.04 LTS 64bit", NameZH: "Ubuntu Server 22.04 LTS 64位", Platform: "Ubuntu",
			InstanceTypes: []string{"S5.MEDIUM2"},
		},
		cvmtest.Image{ImageID: "img-000hiden", ImageName: "hidden", Platform: "Ubuntu", HiddenFrom: []string{mine}},
		cvmtest.Image{
			ImageID: "img-000mine1", Owner: mine, ImageName: "web-1", Platform: "CentOS",
			Tags:                []cvmtest.Tag{{Key: "team", Value: "web"}, {Key: "负责人", Value: "张三"}},
			DedicatedClusterIDs: []string{"cluster-12345678"}, CdcCacheStatus: "CACHED",
		},
		cvmtest.Image{
			ImageID: "img-000mine2", Owner: mine, ImageName: "Web-2", Platform: "CentOS Stream", Tags: []cvmtest.Tag{{Key: "team", Value: "db"}},
			DedicatedClusterIDs: []string{"cluster-12345678"}, CdcCacheStatus: "CACHING",
		},
		cvmtest.Image{
			ImageID: "img-00shared", Owner: theirs, SharedWith: []string{mine}, ImageName: "theirs", Platform: "Debian",
			InstanceTypes: []string{"SR1.MEDIUM2"},
		},
		cvmtest.Image{
			ImageID: "img-0foreign", Owner: theirs, ImageName: "secret", Platform: "Debian",
			Tags: []cvmtest.Tag{{Key: "secret", Value: "x"}},
		},
	)
	s.SetInstanceType(cvmtest.InstanceType{Name: "GN7.2XLARGE32", SoldOut: true})
}

func filters(f ...string) string {
	var out []string
	for _, f := range f {
		name, values, _ := strings.Cut(f, "=")
		b, _ := json.Marshal(map[string]any{"Name": name, "Values": strings.Split(values, "|")})
		out = append(out, string(b))
	}
	return `{"Filters":[` + strings.Join(out, ",") + `]}`
}

func TestDescribeImages(t *testing.T) {
	zh := map[string]string{"X-TC-Language": "zh-CN"}
	many := func(n int, format string) string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf(format, i))
		}
		return strings.Join(out, ",")
	}
	for name, tc := range map[string]struct {
		call
		wantCode  string
		wantIDs   []string
		wantTotal int64 // 0 = len(wantIDs)
		options   cvmtest.Options
	}{
		"no parameters: own, public and shared with me, in listing order": {
			wantIDs: []string{"img-000mine1", "img-000mine2", "img-00shared", "img-00000pub"},
		},
		"a page in the middle": {
			call: call{body: `{"Offset":1,"Limit":2}`}, wantIDs: []string{"img-000mine2", "img-00shared"}, wantTotal: 4,
		},
		"a page over the end":              {call: call{body: `{"Offset":3,"Limit":100}`}, wantIDs: []string{"img-00000pub"}, wantTotal: 4},
		"a page past the end":              {call: call{body: `{"Offset":400}`}, wantIDs: []string{}, wantTotal: 4},
		"another region":                   {call: call{header: map[string]string{"X-TC-Region": "ap-tokyo"}}, wantIDs: []string{}},
		"an offset near the largest int64": {call: call{body: `{"Offset":9223372036854775807,"Limit":100}`}, wantIDs: []string{}, wantTotal: 4},

		"ids": {
			call:    call{body: `{"ImageIds":["img-00000pub","img-000mine1"]}`},
			wantIDs: []string{"img-000mine1", "img-00000pub"},
		},
		"an id that doesn't exist": {
			call: call{body: `{"ImageIds":["img-000mine1","img-zzzzzzzz"]}`}, wantIDs: []string{"img-000mine1"},
		},
		"only ids that don't exist":         {call: call{body: `{"ImageIds":["img-zzzzzzzz"]}`}, wantIDs: []string{}},
		"the id of another account's image": {call: call{body: `{"ImageIds":["img-0foreign","img-000hiden"]}`}, wantIDs: []string{}},
		"Limit applies to ids": {
			call:    call{body: `{"ImageIds":["img-00000pub","img-000mine1"],"Limit":1}`},
			wantIDs: []string{"img-000mine1"}, wantTotal: 2,
		},
		"ids with an instance type": {
			call:    call{body: `{"ImageIds":["img-00000pub","img-00shared"],"InstanceType":"S5.MEDIUM2"}`},
			wantIDs: []string{"img-00000pub"},
		},
		"a malformed id":    {call: call{body: `{"ImageIds":["img-1"]}`}, wantCode: "InvalidImageId.Malformed"},
		"an id in capitals": {call: call{body: `{"ImageIds":["IMG-00000PUB"]}`}, wantCode: "InvalidImageId.Malformed"},
		"101 ids": {
			call:     call{body: `{"ImageIds":[` + many(101, `"img-%08d"`) + `]}`},
			wantCode: "InvalidParameterValue.LimitExceeded",
		},
		"100 ids": {
			call: call{body: `{"ImageIds":[` + many(100, `"img-%08d"`) + `],"Limit":100}`}, wantIDs: []string{},
		},
		"ids and filters": {
			call:     call{body: `{"ImageIds":["img-00000pub"],` + filters("platform=Ubuntu")[1:]},
			wantCode: "InvalidParameter.InvalidParameterCoexistImageIdsFilters",
		},
		"Limit 101": {call: call{body: `{"Limit":101}`}, wantCode: "InvalidParameterValue.InvalidParameterValueLimit"},
		"Limit -1":  {call: call{body: `{"Limit":-1}`}, wantCode: "InvalidParameterValue.InvalidParameterValueLimit"},
		"11 filters": {
			call:     call{body: `{"Filters":[` + many(11, `{"Name":"tag:k%d","Values":["v"]}`) + `]}`},
			wantCode: "InvalidParameterValue.LimitExceeded",
		},
		"6 values":                    {call: call{body: filters("platform=a|b|c|d|e|f")}, wantCode: "InvalidFilterValue.LimitExceeded"},
		"5 values":                    {call: call{body: filters("platform=1|2|3|4|Ubuntu")}, wantIDs: []string{"img-00000pub"}},
		"a filter that doesn't exist": {call: call{body: filters("image-family=x")}, wantCode: "InvalidFilter"},
		"different filters: all must agree": {
			call:    call{body: filters("image-type=PRIVATE_IMAGE", "tag-key=team", "tag-value=db")},
			wantIDs: []string{"img-000mine2"},
		},
		"values of one filter: one suffices": {
			call:    call{body: filters("image-type=PUBLIC_IMAGE|SHARED_IMAGE")},
			wantIDs: []string{"img-00shared", "img-00000pub"},
		},

		"image-type private": {
			call: call{body: filters("image-type=PRIVATE_IMAGE")}, wantIDs: []string{"img-000mine1", "img-000mine2"},
		},
		"image-type public":     {call: call{body: filters("image-type=PUBLIC_IMAGE")}, wantIDs: []string{"img-00000pub"}},
		"image-type market":     {call: call{body: filters("image-type=MARKET_IMAGE")}, wantIDs: []string{}},
		"image-id":              {call: call{body: filters("image-id=img-00000pub|img-zzzzzzzz")}, wantIDs: []string{"img-00000pub"}},
		"image-id malformed":    {call: call{body: filters("image-id=ubuntu")}, wantCode: "InvalidImageId.Malformed"},
		"image-name is fuzzy":   {call: call{body: filters("image-name=eb-")}, wantIDs: []string{"img-000mine1", "img-000mine2"}},
		"image-name minds case": {call: call{body: filters("image-name=web")}, wantIDs: []string{"img-000mine1"}},
		"… unless told otherwise": {
			call: call{body: filters("image-name=WEB")}, options: cvmtest.Options{IgnoreCase: true},
			wantIDs: []string{"img-000mine1", "img-000mine2"},
		},
		"platform is fuzzy":                 {call: call{body: filters("platform=CentOS")}, wantIDs: []string{"img-000mine1", "img-000mine2"}},
		"the English name asked in English": {call: call{body: filters("image-name=LTS 64bit")}, wantIDs: []string{"img-00000pub"}},
		"the Chinese name asked in English": {call: call{body: filters("image-name=64位")}, wantIDs: []string{}},
		"the Chinese name asked in Chinese": {call: call{body: filters("image-name=64位"), header: zh}, wantIDs: []string{"img-00000pub"}},

		"tag-key":                      {call: call{body: filters("tag-key=team")}, wantIDs: []string{"img-000mine1", "img-000mine2"}},
		"tag-value":                    {call: call{body: filters("tag-value=张三|db")}, wantIDs: []string{"img-000mine1", "img-000mine2"}},
		"a tag's key and value":        {call: call{body: filters("tag:team=web")}, wantIDs: []string{"img-000mine1"}},
		"a tag with another value":     {call: call{body: filters("tag:team=张三")}, wantIDs: []string{}},
		"a tag key that nobody has":    {call: call{body: filters("tag-key=team|nobody")}, wantCode: "InvalidParameterValue.TagKeyNotFound"},
		"… in the other notation":      {call: call{body: filters("tag:nobody=x")}, wantCode: "InvalidParameterValue.TagKeyNotFound"},
		"a tag key of another account": {call: call{body: filters("tag-key=secret")}, wantCode: "InvalidParameterValue.TagKeyNotFound"},
		"a tag key known elsewhere": {
			call:    call{body: filters("tag-key=team"), header: map[string]string{"X-TC-Region": "ap-tokyo"}},
			wantIDs: []string{},
		},
		"an illegal tag key":              {call: call{body: filters("tag-key=a*")}, wantCode: "FailedOperation.IllegalTagKey"},
		"… in the other notation, spaced": {call: call{body: filters("tag: a=x")}, wantCode: "FailedOperation.IllegalTagKey"},

		"a dedicated cluster": {
			call:    call{body: filters("dedicated-cluster-id=cluster-12345678")},
			wantIDs: []string{"img-000mine1", "img-000mine2"},
		},
		"a dedicated cluster and any status": {
			call:    call{body: filters("dedicated-cluster-id=cluster-12345678", "cdc-cache-status=CACHED_ALL")},
			wantIDs: []string{"img-000mine1", "img-000mine2"},
		},
		"a dedicated cluster and one status": {
			call:    call{body: filters("dedicated-cluster-id=cluster-12345678", "cdc-cache-status=CACHING")},
			wantIDs: []string{"img-000mine2"},
		},
		"a cache status without cluster": {call: call{body: filters("cdc-cache-status=CACHED")}, wantCode: cvmtest.CodeUnknown},
		"a cache status that nobody documents": {
			call:     call{body: filters("dedicated-cluster-id=cluster-12345678", "cdc-cache-status=HOT")},
			wantCode: cvmtest.CodeUnknown,
		},

		"an instance type": {
			call:    call{body: `{"InstanceType":"SR1.MEDIUM2"}`},
			wantIDs: []string{"img-000mine1", "img-000mine2", "img-00shared"},
		},
		"an instance type with filters": {
			call:    call{body: `{"InstanceType":"SR1.MEDIUM2",` + filters("image-type=SHARED_IMAGE")[1:]},
			wantIDs: []string{"img-00shared"},
		},
		"a malformed instance type": {call: call{body: `{"InstanceType":"medium"}`}, wantCode: "InvalidInstanceType.Malformed"},
		"an instance type that nobody sells": {
			call: call{body: `{"InstanceType":"S99.HUGE1"}`}, wantCode: "InvalidParameterValue.InstanceTypeNotFound",
		},
		"an instance type that is sold out": {
			call: call{body: `{"InstanceType":"GN7.2XLARGE32"}`}, wantCode: "ResourcesSoldOut.SpecifiedInstanceType",
		},

		"an unknown key":              {call: call{body: `{"NextToken":"x"}`}, wantCode: "UnknownParameter"},
		"a known key in another case": {call: call{body: `{"limit":1}`}, wantCode: "UnknownParameter"},
		"an unknown key in a filter": {
			call:     call{body: `{"Filters":[{"Name":"platform","Values":["x"],"Exact":true}]}`},
			wantCode: "UnknownParameter",
		},
		"a filter without name":               {call: call{body: `{"Filters":[{"Values":["x"]}]}`}, wantCode: "MissingParameter"},
		"a filter without values":             {call: call{body: `{"Filters":[{"Name":"platform"}]}`}, wantCode: "MissingParameter"},
		"a string for a number":               {call: call{body: `{"Limit":"20"}`}, wantCode: "InvalidParameter"},
		"a fraction":                          {call: call{body: `{"Offset":1.5}`}, wantCode: "InvalidParameter"},
		"an object for a list":                {call: call{body: `{"ImageIds":{"0":"img-00000pub"}}`}, wantCode: "InvalidParameter"},
		"numbers for strings":                 {call: call{body: `{"ImageIds":[1]}`}, wantCode: "InvalidParameter"},
		"a list for the body":                 {call: call{body: `[]`}, wantCode: "InvalidParameter"},
		"no JSON":                             {call: call{body: `Limit=1`}, wantCode: "InvalidParameter"},
		"Limit 0":                             {call: call{body: `{"Limit":0}`}, wantCode: cvmtest.CodeUnknown},
		"a negative offset":                   {call: call{body: `{"Offset":-1}`}, wantCode: cvmtest.CodeUnknown},
		"empty ids":                           {call: call{body: `{"ImageIds":[]}`}, wantCode: cvmtest.CodeUnknown},
		"empty filters":                       {call: call{body: `{"Filters":[]}`}, wantCode: cvmtest.CodeUnknown},
		"empty values":                        {call: call{body: `{"Filters":[{"Name":"platform","Values":[]}]}`}, wantCode: cvmtest.CodeUnknown},
		"an empty value":                      {call: call{body: filters("platform=")}, wantCode: cvmtest.CodeUnknown},
		"a null parameter":                    {call: call{body: `{"Limit":null}`}, wantCode: cvmtest.CodeUnknown},
		"a null id":                           {call: call{body: `{"ImageIds":[null]}`}, wantCode: cvmtest.CodeUnknown},
		"the same id twice":                   {call: call{body: `{"ImageIds":["img-00000pub","img-00000pub"]}`}, wantCode: cvmtest.CodeUnknown},
		"the same filter twice":               {call: call{body: filters("platform=a", "platform=b")}, wantCode: cvmtest.CodeUnknown},
		"an image type nobody documents":      {call: call{body: filters("image-type=ANY")}, wantCode: cvmtest.CodeUnknown},
		"the formerly documented image-state": {call: call{body: filters("image-state=NORMAL")}, wantCode: cvmtest.CodeUnknown},
		"an empty tag key":                    {call: call{body: filters("tag:=x")}, wantCode: cvmtest.CodeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, tc.options)
			small(s)
			tc.server = s
			a := tc.do(t)
			if a.code() != tc.wantCode {
				t.Fatalf("code %q, want %q: %+v", a.code(), tc.wantCode, a.Error)
			}
			if got := len(s.Unknown()) > 0; got != (tc.wantCode == cvmtest.CodeUnknown) {
				t.Errorf("Unknown() = %q", s.Unknown())
			}
			if tc.wantCode != "" {
				return
			}
			if diff := cmp.Diff(tc.wantIDs, a.ids()); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			if tc.wantTotal == 0 {
				tc.wantTotal = int64(len(tc.wantIDs))
			}
			if a.TotalCount != tc.wantTotal {
				t.Errorf("TotalCount %d, want %d", a.TotalCount, tc.wantTotal)
			}
		})
	}
}

func TestTheDefaultLimitIs20(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Put(region, cvmtest.PrivateImages(1, 30, mine)...)
	var ids []string
	for _, img := range s.Images(region)[:25] {
		ids = append(ids, `"`+img.ImageID+`"`)
	}
	for name, body := range map[string]string{
		"a listing":            `{}`,
		"a filtered listing":   filters("image-type=PRIVATE_IMAGE"),
		"a request for 25 ids": `{"ImageIds":[` + strings.Join(ids, ",") + `]}`,
	} {
		if got := len(call{server: s, body: body}.do(t).ImageSet); got != 20 {
			t.Errorf("%s returns %d images, want 20", name, got)
		}
	}
}

func TestOneImageLooksDifferentToEachAccount(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Put(region, cvmtest.Image{ImageID: "img-00000001", Owner: theirs, SharedWith: []string{mine}})
	owner := cvmtest.Credential{SecretID: "AKIDowner", SecretKey: "k", UIN: theirs}
	stranger := cvmtest.Credential{SecretID: "AKIDstranger", SecretKey: "k", UIN: "3"}
	s.SetCredential(owner)
	s.SetCredential(stranger)
	got := map[string][]string{}
	for _, c := range []cvmtest.Credential{cvmtest.DefaultCredential, owner, stranger} {
		for _, imageType := range []string{"PRIVATE_IMAGE", "SHARED_IMAGE", "PUBLIC_IMAGE"} {
			for _, img := range (call{server: s, credential: c, body: filters("image-type=" + imageType)}).do(t).ImageSet {
				got[c.UIN] = append(got[c.UIN], imageType, img["ImageType"].(string))
			}
		}
	}
	want := map[string][]string{mine: {"SHARED_IMAGE", "SHARED_IMAGE"}, theirs: {"PRIVATE_IMAGE", "PRIVATE_IMAGE"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("asked type and answered type by account (-want +got):\n%s", diff)
	}
}

func TestNamesOfPublicImagesFollowTheLanguage(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Put(region, cvmtest.PublicImages()...)
	got := map[string]string{}
	for _, language := range []string{"", "zh-CN", "en-US"} {
		a := call{server: s, body: `{"ImageIds":["img-487zeit5"]}`, header: map[string]string{"X-TC-Language": language}}.do(t)
		for _, field := range []string{"ImageName", "OsName", "ImageDescription"} {
			got[language] = a.ImageSet[0][field].(string)
		}
	}
	want := map[string]string{
		"": "Ubuntu Server 22.04 LTS 64位", "zh-CN": "Ubuntu Server 22.04 LTS 64位", "en-US": "Ubuntu Server 22.04 LTS 64bit",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names by language (-want +got):\n%s", diff)
	}
}

func TestEveryFieldOfAnImageIsAnswered(t *testing.T) {
	full := cvmtest.Image{
		ImageID: "img-00000001", OSName: "os", ImageName: `quote " \ tab` + "\t", ImageDescription: "d", ImageSize: 50, Architecture: "arm",
		ImageState: "SYNCING", Platform: "p", ImageSource: "CREATE_IMAGE", Owner: mine, CreatedTime: new("2022-09-22T15:10:55Z"),
		ImageCreator: new(mine), SyncPercent: new(int64(7)), IsSupportCloudinit: new(false),
		SnapshotSet: []cvmtest.Snapshot{{SnapshotID: "snap-1", DiskUsage: "DATA_DISK", DiskSize: 3}}, Tags: []cvmtest.Tag{{Key: "k", Value: "值"}},
		LicenseType: "BYOL", ImageFamily: new("f"), ImageDeprecated: new(true), CdcCacheStatus: "CACHED",
		Raw: map[string]json.RawMessage{"GPUDriverList": json.RawMessage(`[]`)},
	}
	odd := cvmtest.Image{
		ImageID: "img-00000002", Owner: mine, ImageType: "MARKET_IMAGE", Absent: []string{"Platform"}, SnapshotSet: []cvmtest.Snapshot{},
		Raw: map[string]json.RawMessage{"ImageSize": json.RawMessage(`"50"`)}, Undocumented: true, Tags: []cvmtest.Tag{{Key: "k", Value: "v"}},
	}
	s := start(t, cvmtest.Options{})
	s.Put(region, full, odd)
	want := []map[string]any{
		{
			"ImageId": "img-00000001", "OsName": "os", "ImageType": "PRIVATE_IMAGE", "ImageName": `quote " \ tab` + "\t", "ImageDescription": "d",
			"ImageSize": 50.0, "Architecture": "arm", "ImageState": "SYNCING", "Platform": "p", "ImageSource": "CREATE_IMAGE",
			"CreatedTime": "2022-09-22T15:10:55Z", "ImageCreator": mine, "SyncPercent": 7.0, "IsSupportCloudinit": false,
			"SnapshotSet": []any{map[string]any{"SnapshotId": "snap-1", "DiskUsage": "DATA_DISK", "DiskSize": 3.0}},
			"Tags":        []any{map[string]any{"Key": "k", "Value": "值"}}, "LicenseType": "BYOL", "ImageFamily": "f", "ImageDeprecated": true,
			"GPUDriverList": []any{},
		},
		{
			"ImageId": "img-00000002", "OsName": "", "ImageType": "MARKET_IMAGE", "ImageName": "", "ImageDescription": "", "ImageSize": "50",
			"Architecture": "", "ImageState": "", "ImageSource": "", "CreatedTime": nil, "ImageCreator": nil, "SyncPercent": nil,
			"IsSupportCloudinit": nil, "SnapshotSet": []any{},
			"Tags":          []any{map[string]any{"Key": "k", "Value": "v", "tagKey": "k", "tagValue": "v"}},
			"CreatePercent": nil, "IsSupportAutoInstallGPUDriver": false, "GPUDriverList": []any{}, "ImageFormat": "RAW",
			"_ImageClass": "SystemImage", "isSupportCloudinit": nil,
		},
	}
	for range 2 { // the second time from the cached encoding
		if diff := cmp.Diff(want, call{server: s}.do(t).ImageSet); diff != "" {
			t.Errorf("ImageSet (-want +got):\n%s", diff)
		}
	}
	s.Update(region, "img-00000001", func(i *cvmtest.Image) { i.DedicatedClusterIDs = []string{"cluster-1"} })
	withCDC := call{server: s, body: filters("dedicated-cluster-id=cluster-1")}.do(t).ImageSet
	if len(withCDC) != 1 || withCDC[0]["CdcCacheStatus"] != "CACHED" {
		t.Errorf("CdcCacheStatus is not answered to a CDC filter: %v", withCDC)
	}
}

func TestTheResponseHeadersAreTheRecordedOnes(t *testing.T) {
	s := start(t, cvmtest.Options{})
	resp, err := newTransport(t).RoundTrip(call{server: s}.request(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got := map[string]string{}
	for k, v := range resp.Header {
		got[k] = strings.Join(v, ",")
	}
	delete(got, "Date")
	want := map[string]string{
		"Server": "nginx", "Content-Type": "application/json", "Connection": "keep-alive",
		"Content-Length": got["Content-Length"],
	}
	if diff := cmp.Diff(want, got); diff != "" || got["Content-Length"] == "" || resp.Header.Get("Date") == "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestTheInventoryCanChangeBetweenPages(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Put(region, cvmtest.PrivateImages(1, 6, mine)...)
	all := call{server: s}.do(t).ids()
	added := cvmtest.Image{ImageID: "img-0000000a", Owner: mine}
	s.OnRequest(func(r cvmtest.Request) {
		if r.Page == 2 {
			s.Put(region, added) // is listed first
			s.Delete(region, all[5])
		}
	})
	first := call{server: s, body: `{"Limit":3}`}.do(t)
	second := call{server: s, body: `{"Limit":3,"Offset":3}`}.do(t)
	s.OnRequest(nil)
	if diff := cmp.Diff([][]string{all[:3], {all[2], all[3], all[4]}}, [][]string{first.ids(), second.ids()}); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	s.Update(region, all[0], func(i *cvmtest.Image) { i.ImageName = "renamed" })
	s.Put(region, cvmtest.Image{ImageID: all[1], Owner: mine, ImageName: "replaced"})
	renamed := call{server: s, body: `{"Limit":3}`}.do(t)
	var names []any
	for _, img := range renamed.ImageSet {
		names = append(names, img["ImageName"])
	}
	if diff := cmp.Diff([]any{"", "renamed", "replaced"}, names); diff != "" {
		t.Errorf("names in place (-want +got):\n%s", diff)
	}
	s.Clear(region)
	if a := (call{server: s}).do(t); a.TotalCount != 0 || len(a.ImageSet) != 0 {
		t.Errorf("a cleared region answers %+v", a)
	}
}

func TestATagKeyIsKnownAsLongAsAnImageHasIt(t *testing.T) {
	s := start(t, cvmtest.Options{})
	ask := func() string { return call{server: s, body: filters("tag-key=new")}.do(t).code() }
	got := []string{ask()}
	s.Put("ap-tokyo", cvmtest.Image{ImageID: "img-00000001", Owner: mine, Tags: []cvmtest.Tag{{Key: "new"}}})
	got = append(got, ask())
	s.Delete("ap-tokyo", "img-00000001")
	got = append(got, ask())
	const unknown = "InvalidParameterValue.TagKeyNotFound"
	if diff := cmp.Diff([]string{unknown, "", unknown}, got); diff != "" {
		t.Errorf("codes before, while and after an image has the key (-want +got):\n%s", diff)
	}
}

func TestUpdateOfAnAbsentImagePanics(t *testing.T) {
	s := start(t, cvmtest.Options{})
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	s.Update(region, "img-00000000", func(*cvmtest.Image) {})
}

func TestImagesIsADeepCopy(t *testing.T) {
	s := start(t, cvmtest.Options{})
	img := cvmtest.PageExample()[0]
	s.Put(region, img)
	want := cvmtest.PageExample()[:1]
	img.Tags[0].Value, *img.CreatedTime = "changed", "changed"
	got := s.Images(region)
	got[0].SnapshotSet[0].DiskSize, *got[0].IsSupportCloudinit, got[0].Absent[0] = 1, false, "x"
	if diff := cmp.Diff(want, s.Images(region)); diff != "" {
		t.Errorf("the stored image changed (-want +got):\n%s", diff)
	}
}

func TestAnImageSaidToBePrivateOrSharedGetsAccounts(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Put(region, cvmtest.Image{ImageID: "img-00000001", ImageType: "PRIVATE_IMAGE"},
		cvmtest.Image{ImageID: "img-00000002", ImageType: "SHARED_IMAGE"})
	var got []any
	for _, img := range (call{server: s}).do(t).ImageSet {
		got = append(got, img["ImageType"])
	}
	if diff := cmp.Diff([]any{"PRIVATE_IMAGE", "SHARED_IMAGE"}, got); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
}
