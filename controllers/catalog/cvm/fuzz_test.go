// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"encoding/json"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"
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

func FuzzConvertPage(f *testing.F) {
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
		response := sdk.NewDescribeImagesResponse()
		if json.Unmarshal(body, &response) != nil {
			return
		}
		offset = max(0, min(offset, maxImages))
		p, err := convertPage(response, offset)
		if err != nil {
			if kindOf(err) != "Incomplete" || len(p.images) > 0 || strings.Contains(err.Error(), "img-") {
				t.Errorf("page %+v, error %v", p, err)
			}
			return
		}
		if p.total < 0 || p.total > maxImages || len(p.images)+len(p.unfit) != len(response.Response.ImageSet) {
			t.Errorf("TotalCount %d; %d images and %d unfit of %d", p.total, len(p.images), len(p.unfit), len(response.Response.ImageSet))
		}
		for _, image := range p.images {
			wantFit(t, image)
		}
	})
}

func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{
		"cvm.tencentcloudapi.com", "https://cvm.tencentcloudapi.com:443/", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:80", "http://127.0.0.1@evil.example",
		"http://127.0.0.1.evil.example", "https://a/b", "//a", "a:0", "a:", "%41", "http://127.0.0.1%00", "HTTP://LOCALHOST", "http://localhost#@evil.example",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseEndpoint(s, DefaultEndpoint)
		if err != nil {
			return
		}
		// The SDK writes the URL like this; net/http must understand it as we did.
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
