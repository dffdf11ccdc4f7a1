// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	sdkjson "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/json"
	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{
		"", "Ubuntu Server 22.04 LTS 64bit", "国际站filetruck镜像", "a\x00b\x1b[31m\u202ec\r\n", "\xff\xfe", "é\u0301", "🐧\u200d🐧", " \u3000 ",
		strings.Repeat("镜", 300),
	} {
		f.Add(s, 255)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(0, min(limit, 1<<16))
		got := normalise(s, limit)
		wantClean(t, "the result", got, limit)
		if again := normalise(got, limit); again != got {
			t.Errorf("normalised twice it is %q, once %q", again, got)
		}
		if len(got) > len(s) {
			t.Errorf("%d bytes became %d", len(s), len(got))
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{
		"", "2022-09-22T15:10:55Z", "2020-09-22T00:00:00+00:00", "1970-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00Z",
		"2022-09-22T15:10:55.123456789+08:00", "2022-09-22t15:10:55z", "2022-09-22T15:10:60Z", "2022-09-22T24:00:00Z", "2022-02-29T00:00:00Z",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := parseTime(s)
		wantReadable(t, got)
		if got.Nanosecond() != 0 {
			t.Errorf("%v has a fraction of a second", got)
		}
		if !got.IsZero() && parseTime(got.Format(time.RFC3339)) != got {
			t.Errorf("read again, %v is another time", got)
		}
	})
}

// recordedAnswers are the bodies of the simulator's recordings.
func recordedAnswers(f *testing.F) [][]byte {
	f.Helper()
	files, err := filepath.Glob("cvmtest/testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d recordings, %v", len(files), err)
	}
	var bodies [][]byte
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var recording struct {
			Response json.RawMessage `json:"response"`
		}
		var compact bytes.Buffer
		if err := errors.Join(json.Unmarshal(content, &recording), json.Compact(&compact, recording.Response)); err != nil {
			f.Fatal(err)
		}
		bodies = append(bodies, []byte(`{"Response":`+compact.String()+`}`))
	}
	return bodies
}

// canned answers the first requests with the same body. It is bounded, because a TotalCount may promise a thousand
// pages.
type canned struct {
	contentType string
	body        []byte
	left        *atomic.Int64
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	if c.left.Add(-1) < 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {c.contentType}}, ContentLength: int64(len(c.body)),
		Body: io.NopCloser(bytes.NewReader(c.body)),
	}, nil
}

// Any answer results in a valid listing or in an error of ours that quotes nothing.
func FuzzAnswer(f *testing.F) {
	for _, body := range recordedAnswers(f) {
		f.Add("application/json", body)
	}
	for _, s := range []string{
		``, `null`, `{}`, `[]`, `"x"`, `{"Response":null}`, `{"Response":[]}`,
		`{"Response":{"TotalCount":100000,"RequestId":"r","ImageSet":[{"ImageId":"img-0"}]}}`,
		`{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure","Message":"m"},"RequestId":"r"}}`,
		`{"Response":{"Error":{},"RequestId":"r"}}`,
		`{"Response":{"Error":{"Code":"A\u202e\u0000 b","Message":null}}}`, `{"code":4000,"codeDesc":"x","message":"y"}`, `[[[[[[[[`,
		`{"Response":{}}{}`,
	} {
		f.Add("application/json; charset=utf-8", []byte(s))
	}
	f.Add("text/event-stream", []byte("data: {}\n\n"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		if bytes.Contains(body, []byte("RequestLimitExceeded")) {
			return // retried after a pause of a second
		}
		c, err := New(Options{Endpoint: "http://127.0.0.1:1", QPS: 1e6, Burst: 1e6})
		if err != nil {
			t.Fatal(err)
		}
		left := &atomic.Int64{}
		left.Store(4)
		c.transport = guard{next: canned{contentType, body, left}}
		listing, err := c.List(t.Context(), account, everything)
		if err != nil {
			wantOurs(t, err)
			return
		}
		for _, image := range listing.Images {
			wantFit(t, image)
		}
	})
}

func wantOurs(t *testing.T, err error) {
	t.Helper()
	failure := (*catalog.Error)(nil)
	if !errors.As(err, &failure) {
		t.Fatalf("%T, want a *catalog.Error", err)
	}
	if failure.Kind == "" || failure.Message == "" || (failure.Code != codeUnknown && !codePattern.MatchString(failure.Code)) ||
		len(failure.Code) > maxPlatform {
		t.Errorf("%+v", failure)
	}
	wantClean(t, "the message", failure.Message, 200)
	wantClean(t, "the request's id", failure.RequestID, maxPlatform)
}

// Any code, message and id may be in an error of the cloud.
func FuzzClassify(f *testing.F) {
	for code := range verdicts {
		f.Add(code, "message", "id")
	}
	f.Add("A.\u202e", strings.Repeat("x", 1<<16), "\x00\xff")
	f.Fuzz(func(t *testing.T, code, message, id string) {
		failure := classify(tcerrors.NewTencentCloudSDKError(code, message, id))
		wantOurs(t, failure)
		if family, _, _ := strings.Cut(code, "."); verdicts[code].kind == "" && verdicts[family].kind == "" &&
			failure.Kind != catalog.Unavailable {
			t.Errorf("%q is %s: a code that nobody knows must not make anybody edit a query that is right", code, failure.Kind)
		}
		if strings.Contains(failure.Error(), "RequestId=") || len(message) > 20 && strings.Contains(failure.Error(), message) {
			t.Errorf("the error quotes the cloud: %q", failure.Error())
		}
	})
}

func FuzzConvertPage(f *testing.F) {
	for _, body := range recordedAnswers(f) {
		f.Add(body, 0)
	}
	for _, s := range []string{
		`{}`, `null`, `{"Response":null}`, `{"Response":{"RequestId":"r","TotalCount":0,"ImageSet":[]}}`,
		`{"Response":{"RequestId":"r","TotalCount":1,"ImageSet":[{"ImageId":"img-9qabwvbn","OsName":"CentOS 7.6 64bit","ImageSize":50,"ImageType":"PUBLIC_IMAGE",` +
			`"CreatedTime":"2020-09-22T00:00:00+00:00","ImageState":"NORMAL","ImageSource":"OFFICIAL","ImageName":"CentOS 7.6 64bit","ImageDescription":"",` +
			`"ImageCreator":null,"SyncPercent":null,"IsSupportCloudinit":true,"Platform":"CentOS","Architecture":"x86_64",` +
			`"SnapshotSet":[{"SnapshotId":"snap-gqa37j2p","DiskUsage":"SYSTEM_DISK","DiskSize":20}],"Tags":[{"Key":"xx","Value":"xx"}]}]}}`,
		`{"Response":{"RequestId":"r","TotalCount":2,"ImageSet":[null,{"ImageId":"../x"}]}}`,
		`{"Response":{"RequestId":"r","TotalCount":-1}}`,
		`{"Response":{"RequestId":"r","TotalCount":1,"ImageSet":[{"ImageId":"img-0","ImageName":"\u202e\ud83d\u0000","Tags":[null,{}],"SnapshotSet":[null,{}],"CreatedTime":"9999-12-31T23:59:59-23:59"}]}}`,
		`{"Response":{"RequestId":"r","requestid":"s","TotalCount":3,"totalCount":1,"ImageSet":[{"imageId":"img-1"}]}}`,
	} {
		f.Add([]byte(s), 0)
		f.Add([]byte(s), 100)
	}
	f.Fuzz(func(t *testing.T, body []byte, offset int) {
		response, theSDKs := &answer{}, sdk.NewDescribeImagesResponse()
		err := response.ParseErrorFromHTTPResponse(body)
		if refused := theSDKs.ParseErrorFromHTTPResponse(body); refused != nil || sdkjson.Unmarshal(body, theSDKs) != nil {
			return // the SDK also decodes fields that aren't used
		}
		if !errors.Is(err, errDecoded) {
			t.Fatalf("the SDK can decode the answer: %v", err)
		}
		offset = max(0, min(offset, maxImages))
		p, err := convertPage(response, offset)
		if err != nil {
			if kindOf(err) != "Incomplete" || len(p.images) > 0 || strings.Contains(err.Error(), "img-") {
				t.Errorf("page %+v, error %v", p, err)
			}
			return
		}
		if p.total < 0 || p.total > maxImages || len(p.images)+len(p.invalidIDs) != len(theSDKs.Response.ImageSet) {
			t.Errorf("TotalCount %d; %d images and %d invalid of %d", p.total, len(p.images), len(p.invalidIDs), len(theSDKs.Response.ImageSet))
		}
		for _, image := range p.images {
			wantFit(t, image)
		}
	})
}

func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{
		"cvm.tencentcloudapi.com", "https://cvm.tencentcloudapi.com:443/", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:80",
		"http://127.0.0.1@evil.example",
		"cvm.{region}.tencentcloudapi.com", "http://{region}", "http://127.0.0.1.evil.example", "https://a/b", "//a", "a:0", "a:", "%41",
		"http://127.0.0.1%00", "HTTP://LOCALHOST", "http://localhost#@evil.example",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseEndpoint(s, DefaultEndpoint)
		if err != nil {
			return
		}
		got = got.in(region)
		// The SDK builds the URL like this. net/http must parse it in the same way.
		u, err := url.Parse(strings.ToLower(got.scheme) + "://" + got.host + "/")
		if err != nil || u.Host != got.host || u.User != nil || u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%q became %+v, which is %+v, %v", s, got, u, err)
		}
		switch ip := net.ParseIP(u.Hostname()); got.scheme {
		case "HTTPS":
		case "HTTP":
			if u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
				t.Errorf("%q would be asked over plain HTTP", got.host)
			}
		default:
			t.Errorf("%q has the scheme %q", s, got.scheme)
		}
	})
}
