// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// newTransport returns a transport with connections that end with the test.
func newTransport(t *testing.T) *http.Transport {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// listed is the SDK's result for an answer.
type listed struct {
	Err   string // the SDK's error code, or the beginning of another error
	Total string // TotalCount, "nil" or "" without Response
	IDs   string // the last character of each id, "-" for a nil image
}

// ask lists with the SDK. The cloud has n images named img-00000000 and so on.
func ask(t *testing.T, client *cvm.Client, offset, limit uint64) (l listed) {
	t.Helper()
	req := cvm.NewDescribeImagesRequest()
	req.Offset, req.Limit = &offset, &limit
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			l = listed{Err: "panic"}
		}
	}()
	resp, err := client.DescribeImagesWithContext(ctx, req)
	l.Err = codeOf(err)
	if err != nil || resp.Response == nil {
		return l
	}
	l.Total = "nil"
	if resp.Response.TotalCount != nil {
		l.Total = fmt.Sprint(*resp.Response.TotalCount)
	}
	for _, img := range resp.Response.ImageSet {
		if img == nil {
			l.IDs += "-"
			continue
		}
		l.IDs += (*img.ImageId)[len(*img.ImageId)-1:]
	}
	return l
}

// ten returns the images img-00000000 to img-00000009 in this order.
func ten() (out []cvmtest.Image) {
	for i := range 10 {
		out = append(out, cvmtest.Image{ImageID: fmt.Sprintf("img-%08d", i), Owner: mine})
	}
	return out
}

func TestFaultsSeenByTheSDK(t *testing.T) {
	const parse, network = "ClientError.ParseJsonError", "ClientError.NetworkError"
	raw := func(v string) json.RawMessage { return json.RawMessage(v) }
	for name, tc := range map[string]struct {
		fault         cvmtest.Fault
		offset, limit uint64
		want          listed
	}{
		"no fault": {want: listed{Total: "10", IDs: "0123456789"}},
		"a business code": {
			fault: cvmtest.Fault{Code: "UnsupportedOperation"}, want: listed{Err: "UnsupportedOperation"},
		},
		"a business code with a status of 400": {fault: cvmtest.Fault{Code: "InternalError", Status: 400}, want: listed{Err: "InternalError"}},
		"row 1: a gateway's page":              {fault: cvmtest.Fault{Status: 502}, want: listed{Err: parse}},
		"row 1: 300 KiB of HTML": {
			fault: cvmtest.Fault{Status: 502, Body: new("<html>" + strings.Repeat("x", 300<<10))},
			want:  listed{Err: parse},
		},
		"row 1: a 503 with a good body": {
			fault: cvmtest.Fault{Status: 503, KeepBody: true}, want: listed{Err: "ClientError.HttpStatusCodeError"},
		},
		"row 3: one byte at a time":            {fault: cvmtest.Fault{Drip: time.Microsecond}, limit: 1, want: listed{Total: "10", IDs: "0"}},
		"row 4: cut in mid-body":               {fault: cvmtest.Fault{CutAfter: 100}, want: listed{Err: parse}},
		"row 4: reset in mid-body":             {fault: cvmtest.Fault{CutAfter: 100, Reset: true}, want: listed{Err: parse}},
		"row 4: reset without an answer":       {fault: cvmtest.Fault{Reset: true}, want: listed{Err: network}},
		"row 4: closed without an answer":      {fault: cvmtest.Fault{Hangup: true}, want: listed{Err: network}},
		"row 4: truncated JSON of full length": {fault: cvmtest.Fault{Body: new(`{"Response":{"TotalCount":1`)}, want: listed{Err: parse}},
		"row 8: clock skew": {
			fault: cvmtest.Fault{Code: "AuthFailure.SignatureExpire"}, want: listed{Err: "AuthFailure.SignatureExpire"},
		},
		"row 9: throttled": {
			fault: cvmtest.Fault{Code: "RequestLimitExceeded.UinLimitExceeded"},
			want:  listed{Err: "RequestLimitExceeded.UinLimitExceeded"},
		},
		"row 11: {}":              {fault: cvmtest.Fault{Body: new(`{}`)}, want: listed{}},
		"row 11: a null response": {fault: cvmtest.Fault{Body: new(`{"Response":null}`)}, want: listed{}},
		"row 11: an empty response": {
			fault: cvmtest.Fault{Unset: []string{"TotalCount", "ImageSet", "RequestId"}}, want: listed{Total: "nil"},
		},
		"row 12: null": {fault: cvmtest.Fault{Body: new(`null`)}, want: listed{Err: "panic"}},
		"row 13: a wrong type": {
			fault: cvmtest.Fault{Set: map[string]json.RawMessage{"TotalCount": raw(`"10"`)}}, want: listed{Err: parse},
		},
		"row 13: 200 000 brackets": {fault: cvmtest.Fault{Body: new(strings.Repeat("[", 200_000))}, want: listed{Err: parse}},
		"row 13: duplicate keys": {
			fault: cvmtest.Fault{Body: new(`{"Response":{"TotalCount":1,"TotalCount":2,"ImageSet":[],"RequestId":"r"}}`)},
			want:  listed{Total: "2"},
		},
		"row 14: a big body": {fault: cvmtest.Fault{BigBody: 1 << 20}, limit: 1, want: listed{Total: "10", IDs: "0"}},
		"row 14: deflate":    {fault: cvmtest.Fault{DeflateBomb: 1 << 20}, limit: 1, want: listed{Total: "10", IDs: "0"}},
		"row 14: gzip":       {fault: cvmtest.Fault{GzipBomb: 1 << 20}, limit: 1, want: listed{Total: "10", IDs: "0"}},
		"row 15: an odd Content-Encoding": {
			fault: cvmtest.Fault{Header: map[string]string{"Content-Encoding": "br"}},
			want:  listed{Err: "Content-Encoding not support: br"},
		},
		"row 15: a redirect to nowhere": {fault: cvmtest.Fault{Redirect: "http://127.0.0.1:1/"}, want: listed{Err: network}},
		"row 17: another TotalCount": {
			fault: cvmtest.Fault{TotalCount: new(int64(11))}, limit: 1, want: listed{Total: "11", IDs: "0"},
		},
		"row 17: a drift": {fault: cvmtest.Fault{TotalDelta: -2}, limit: 1, want: listed{Total: "8", IDs: "0"}},
		"row 18: duplicates from the page before": {
			fault: cvmtest.Fault{DuplicateImages: 2}, offset: 3, limit: 3, want: listed{Total: "10", IDs: "123"},
		},
		"row 18: duplicates on page 1": {fault: cvmtest.Fault{DuplicateImages: 1}, limit: 3, want: listed{Total: "10", IDs: "010"}},
		"row 19: hidden images": {
			fault: cvmtest.Fault{HideImages: []string{"img-00000000", "img-00000002"}}, offset: 1, limit: 2, want: listed{Total: "8", IDs: "34"},
		},
		"row 19: dropped images":        {fault: cvmtest.Fault{DropImages: 2}, limit: 3, want: listed{Total: "10", IDs: "2"}},
		"row 20: a short page":          {fault: cvmtest.Fault{Short: 2}, limit: 5, want: listed{Total: "10", IDs: "01"}},
		"row 20: … and what follows it": {fault: cvmtest.Fault{Short: 2}, offset: 2, limit: 5, want: listed{Total: "10", IDs: "23"}},
		"row 21: an ignored Offset":     {fault: cvmtest.Fault{IgnoreOffset: true}, offset: 6, limit: 3, want: listed{Total: "10", IDs: "012"}},
		"row 22: TotalCount null": {
			fault: cvmtest.Fault{Set: map[string]json.RawMessage{"TotalCount": raw(`null`)}}, limit: 1,
			want: listed{Total: "nil", IDs: "0"},
		},
		"row 22: TotalCount negative": {fault: cvmtest.Fault{TotalCount: new(int64(-1))}, limit: 1, want: listed{Total: "-1", IDs: "0"}},
		"row 22: TotalCount 1e12": {
			fault: cvmtest.Fault{TotalCount: new(int64(1e12))}, limit: 1,
			want: listed{Total: "1000000000000", IDs: "0"},
		},
		"row 22: ImageSet null": {fault: cvmtest.Fault{Set: map[string]json.RawMessage{"ImageSet": raw(`null`)}}, want: listed{Total: "10"}},
		"row 22: a null image":  {fault: cvmtest.Fault{NullImages: 1}, limit: 2, want: listed{Total: "10", IDs: "-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{})
			s.Put(region, ten()...)
			if name != "no fault" {
				s.Inject(tc.fault)
			}
			if tc.limit == 0 {
				tc.limit = 100
			}
			client := sdk(t, s, cvmtest.DefaultCredential, "en-US")
			if diff := cmp.Diff(tc.want, ask(t, client, tc.offset, tc.limit)); diff != "" {
				t.Errorf("what the SDK sees (-want +got):\n%s", diff)
			}
			s.Heal()
			if diff := cmp.Diff(listed{Total: "10", IDs: "0123456789"}, ask(t, client, 0, 100)); diff != "" {
				t.Errorf("after Heal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRow15AnEventStreamIsOne(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Inject(cvmtest.Fault{EventStream: true})
	resp, err := newTransport(t).RoundTrip(call{server: s}.request(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Content-Type") != "text/event-stream" || !strings.HasPrefix(string(b), `data: {"Response":`) ||
		!strings.HasSuffix(string(b), "\n\n") {
		t.Errorf("%s: %q", resp.Header.Get("Content-Type"), b)
	}
}

func TestACutBodyIsShorterThanPromised(t *testing.T) {
	for name, tc := range map[string]struct {
		fault cvmtest.Fault
		want  error
	}{
		"closed": {cvmtest.Fault{CutAfter: 100}, io.ErrUnexpectedEOF},
		"reset":  {cvmtest.Fault{CutAfter: 100, Reset: true}, syscall.ECONNRESET},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{})
			s.Put(region, ten()...)
			s.Inject(tc.fault)
			resp, err := newTransport(t).RoundTrip(call{server: s}.request(t))
			if err == nil {
				var b []byte
				b, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if len(b) > 100 || resp.ContentLength < 1000 {
					t.Errorf("%d bytes of %d promised", len(b), resp.ContentLength)
				}
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("err = %v, want %v", err, tc.want)
			}
		})
	}
}

// Rows 26 to 29 come from the inventory: the SDK passes odd images on unchanged.
func TestOddImagesSeenByTheSDK(t *testing.T) {
	odd := []cvmtest.Image{
		{ImageID: ""},
		{ImageID: "../../etc/passwd", ImageState: "EXPLODED", ImageType: "MARKET_IMAGE", Architecture: "riscv64"},
		{ImageID: strings.Repeat("x", 10<<10), CreatedTime: new("yesterday")},
		{ImageID: "img-00000001", ImageName: "nul\x00 esc\x1b[31m bidi\u202e crlf\r\n", CreatedTime: new("2999-01-01T00:00:00Z")},
		{ImageID: "img-00000002", ImageName: strings.Repeat("名", 64<<10)},
		{ImageID: "img-00000003", Raw: map[string]json.RawMessage{"ImageName": json.RawMessage("\"\xff\xfe\"")}},
	}
	for i := range odd {
		odd[i].Owner = mine
	}
	s := start(t, cvmtest.Options{})
	s.Put(region, odd...)
	req := cvm.NewDescribeImagesRequest()
	resp, err := sdk(t, s, cvmtest.DefaultCredential, "en-US").DescribeImages(req)
	if err != nil {
		t.Fatal(err)
	}
	var ids, names []string
	for _, img := range resp.Response.ImageSet {
		ids = append(ids, *img.ImageId)
		names = append(names, *img.ImageName)
	}
	var wantIDs, wantNames []string
	for _, img := range odd {
		wantIDs = append(wantIDs, img.ImageID)
		wantNames = append(wantNames, img.ImageName)
	}
	wantNames[5] = "\ufffd\ufffd" // encoding/json's replacement of invalid UTF-8
	if diff := cmp.Diff([][]string{wantIDs, wantNames}, [][]string{ids, names}); diff != "" {
		t.Errorf("ids and names (-want +got):\n%s", diff)
	}
	if img := resp.Response.ImageSet[1]; *img.ImageState != "EXPLODED" || *img.ImageType != "MARKET_IMAGE" || *img.Architecture != "riscv64" {
		t.Errorf("enums: %s %s %s", *img.ImageState, *img.ImageType, *img.Architecture)
	}
}

func TestAFaultFiresOnlyForWhatItMatches(t *testing.T) {
	other := cvmtest.Credential{SecretID: "AKIDother", SecretKey: "k", UIN: mine}
	page := func(n int) call { return call{body: fmt.Sprintf(`{"Limit":2,"Offset":%d}`, 2*(n-1))} }
	byID := call{body: `{"ImageIds":["img-00000001"]}`}
	for name, tc := range map[string]struct {
		fault cvmtest.Fault
		calls []call
		want  string // a mark per call: x for the fault
	}{
		"everything": {fault: cvmtest.Fault{}, calls: []call{page(1), byID}, want: "xx"},
		"a region": {
			fault: cvmtest.Fault{Region: "ap-tokyo"},
			calls: []call{page(1), {header: map[string]string{"X-TC-Region": "ap-tokyo"}}}, want: ".x",
		},
		"a credential":      {fault: cvmtest.Fault{SecretID: "AKIDother"}, calls: []call{{}, {credential: other}}, want: ".x"},
		"a page":            {fault: cvmtest.Fault{Page: 2}, calls: []call{page(1), page(2), page(3)}, want: ".x."},
		"pages from one on": {fault: cvmtest.Fault{FromPage: 2}, calls: []call{page(1), page(2), page(3)}, want: ".xx"},
		"a call":            {fault: cvmtest.Fault{Call: 2}, calls: []call{page(1), page(1), page(1)}, want: ".x."},
		"the second call of a page": {
			fault: cvmtest.Fault{Call: 2, Page: 2}, calls: []call{page(1), page(2), page(1), page(2), page(2)},
			want: "...x.",
		},
		"requests by id": {fault: cvmtest.Fault{ByID: true}, calls: []call{page(1), byID}, want: ".x"},
		"listings":       {fault: cvmtest.Fault{Listing: true}, calls: []call{page(1), byID}, want: "x."},
		"the first two":  {fault: cvmtest.Fault{Times: 2}, calls: []call{page(1), page(1), page(1)}, want: "xx."},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{})
			s.SetCredential(other)
			s.Put(region, ten()...)
			tc.fault.Code = "InternalError"
			s.Inject(tc.fault)
			s.Inject(cvmtest.Fault{Code: "Never", Region: "ap-seoul"})
			got := ""
			for _, c := range tc.calls {
				c.server = s
				got += map[string]string{"": ".", "InternalError": "x"}[c.do(t).code()]
			}
			if got != tc.want {
				t.Errorf("fired %q, want %q", got, tc.want)
			}
		})
	}
}

func TestTheFirstMatchingFaultWinsAndCanBeRemoved(t *testing.T) {
	s := start(t, cvmtest.Options{})
	once := s.Inject(cvmtest.Fault{Code: "First", Message: "said", Times: 1})
	remove := s.Inject(cvmtest.Fault{Code: "Second"})
	s.Inject(cvmtest.Fault{Code: "Third"})
	var got []string
	a := call{server: s}.do(t)
	got = append(got, a.code()+" "+a.Error.Message, call{server: s}.do(t).code())
	remove()
	got = append(got, call{server: s}.do(t).code())
	s.Heal()
	once()
	got = append(got, call{server: s}.do(t).code())
	if diff := cmp.Diff([]string{"First said", "Second", "Third", ""}, got); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

func TestAFaultDoesNotHideAWrongSignature(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Inject(cvmtest.Fault{Code: "InternalError"})
	if got := (call{server: s, authorization: func(string) string { return "" }}).do(t).code(); got != "AuthFailure.InvalidAuthorization" {
		t.Errorf("code %q", got)
	}
}

func TestAFaultSurvivesJSON(t *testing.T) {
	want := cvmtest.Fault{
		Region: "r", SecretID: "s", Page: 1, FromPage: 2, Call: 3, ByID: true, Listing: true, ImageID: "i", Times: 4, Code: "c", Message: "m",
		Status: 500, KeepBody: true,
		Delay: time.Second, Blackhole: true, Drip: 5 * time.Millisecond, Body: new(""), BigBody: 5, Header: map[string]string{"A": "b"},
		CutAfter: 6,
		Hangup:   true, Reset: true, Redirect: "u", EventStream: true, DeflateBomb: 7, GzipBomb: 8, TotalCount: new(int64(0)), TotalDelta: 9,
		DropImages: 10, DuplicateImages: 11, NullImages: 12, IgnoreOffset: true, Short: 13,
		HideImages: []string{"j"},
		Set:        map[string]json.RawMessage{"x": json.RawMessage(`null`)}, Unset: []string{"y"},
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got cvmtest.Fault
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after %s (-want +got):\n%s", b, diff)
	}
	if !strings.Contains(string(b), `"delay":"1s"`) || !strings.Contains(string(b), `"drip":"5ms"`) {
		t.Errorf("durations are not readable: %s", b)
	}
	for name, bad := range map[string]string{
		"an unknown member": `{"cod":"x"}`, "a duration without unit": `{"delay":5}`,
		"a bad duration": `{"drip":"5 s"}`,
	} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// Each code of the API page can be produced, as seen by the real SDK.
func TestTheBusinessCodesOfTheAPIPage(t *testing.T) {
	natural := map[string]string{
		"FailedOperation.IllegalTagKey":                           filters("tag-key=a*"),
		"InvalidFilter":                                           filters("nonsense=x"),
		"InvalidFilterValue.LimitExceeded":                        filters("platform=a|b|c|d|e|f"),
		"InvalidImageId.Malformed":                                `{"ImageIds":["x"]}`,
		"InvalidInstanceType.Malformed":                           `{"InstanceType":"x"}`,
		"InvalidParameter.InvalidParameterCoexistImageIdsFilters": `{"ImageIds":["img-00000001"],` + filters("platform=a")[1:],
		"InvalidParameterValue.InstanceTypeNotFound":              `{"InstanceType":"S99.HUGE1"}`,
		"InvalidParameterValue.InvalidParameterValueLimit":        `{"Limit":101}`,
		"InvalidParameterValue.LimitExceeded": `{"Filters":[` + strings.Repeat(`{"Name":"tag:a","Values":["x"]},`, 10) +
			`{"Name":"tag:a","Values":["x"]}]}`,
		"InvalidParameterValue.TagKeyNotFound":   filters("tag-key=nobody"),
		"ResourcesSoldOut.SpecifiedInstanceType": `{"InstanceType":"S1.SMALL1"}`,
	}
	codes := cvmtest.BusinessCodes()
	if len(codes) != 18 {
		t.Errorf("%d codes, want the page's 18", len(codes))
	}
	for _, code := range codes {
		t.Run(code, func(t *testing.T) {
			s := start(t, cvmtest.Options{})
			s.SetInstanceType(cvmtest.InstanceType{Name: "S1.SMALL1", SoldOut: true})
			req := cvm.NewDescribeImagesRequest()
			if body, ok := natural[code]; ok {
				if err := json.Unmarshal([]byte(body), req); err != nil {
					t.Fatal(err)
				}
			} else {
				s.Inject(cvmtest.Fault{Code: code})
			}
			_, err := sdk(t, s, cvmtest.DefaultCredential, "zh-CN").DescribeImages(req)
			if codeOf(err) != code {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestABlackholeEndsWithTheClient(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Inject(cvmtest.Fault{Blackhole: true, Times: 1})
	ctx, cancel := context.WithCancel(t.Context())
	s.OnRequest(func(cvmtest.Request) { cancel() })
	resp, err := newTransport(t).RoundTrip(call{server: s}.request(t).WithContext(ctx))
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	s.OnRequest(nil)
	if got := (call{server: s}).do(t).code(); got != "" {
		t.Errorf("the next request gets %q", got)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	s := cvmtest.NewServer(cvmtest.Options{RateLimit: -1})
	s.Put(region, ten()...)
	hanging := []cvmtest.Fault{{Blackhole: true}, {Delay: time.Hour}, {Drip: time.Hour}}
	for i, f := range hanging {
		f.Call = 1
		f.FromPage = i + 1
		s.Inject(f)
	}
	arrived := make(chan struct{}, len(hanging))
	s.OnRequest(func(cvmtest.Request) { arrived <- struct{}{} })
	tr := newTransport(t)
	done := make(chan error, len(hanging))
	for i := range hanging {
		r := call{server: s, body: fmt.Sprintf(`{"Limit":1,"Offset":%d}`, i)}.request(t)
		go func() {
			resp, err := tr.RoundTrip(r)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			done <- err
		}()
		<-arrived
	}
	s.Close()
	s.Close()
	for range hanging {
		if err := <-done; err == nil {
			t.Error("a hanging request ended without an error")
		}
	}
	tr.CloseIdleConnections()
	waitFor(t, func() string {
		buf := make([]byte, 1<<20)
		all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
		for _, g := range all[1:] {
			if strings.Contains(g, "cvmtest.(*") || strings.Contains(g, "net/http.(*conn)") {
				return g
			}
		}
		return ""
	})
}

// A client that keeps sending after its request prevents net/http from noticing the end of the connection.
func TestCloseEndsABlackholeWhoseClientGoesOnSending(t *testing.T) {
	s := cvmtest.NewServer(cvmtest.Options{})
	s.Inject(cvmtest.Fault{Blackhole: true})
	arrived := make(chan struct{})
	s.OnRequest(func(cvmtest.Request) { close(arrived) })
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Host())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := (call{server: s}).request(t).Write(conn); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if _, err := conn.Write([]byte("more")); err != nil {
		t.Fatal(err)
	}
	for range 10_000 { // so that the server has most likely read it; without that the test shows nothing, but doesn't fail
		runtime.Gosched()
	}
	s.Close()
}

func TestCloseWaitsForWhatIsGoingOn(t *testing.T) {
	s := cvmtest.NewServer(cvmtest.Options{})
	arrived, release := make(chan struct{}), make(chan struct{})
	s.OnRequest(func(cvmtest.Request) { close(arrived); <-release })
	gone := make(chan struct{})
	r := call{server: s}.request(t)
	tr := newTransport(t)
	go func() {
		defer close(gone)
		if resp, err := tr.RoundTrip(r); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-arrived
	closed := make(chan struct{})
	go func() { defer close(closed); s.Close() }()
	<-gone // Close has ended the connection
	for range 10_000 {
		select {
		case <-closed:
			t.Fatal("Close returned while a request was being handled")
		default:
			runtime.Gosched()
		}
	}
	close(release)
	<-closed
}

// waitFor waits until left returns "".
func waitFor(t *testing.T, left func() string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		what := left()
		if what == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there:\n%s", what)
		}
	}
}
