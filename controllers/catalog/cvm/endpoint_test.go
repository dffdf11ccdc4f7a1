// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"strings"
	"testing"
)

func TestParseEndpoint(t *testing.T) {
	for value, tc := range map[string]struct {
		want endpoint
		// refused is a part of the error.
		refused string
	}{
		"cvm.tencentcloudapi.com":                                  {want: endpoint{"HTTPS", "cvm.tencentcloudapi.com"}},
		"https://cvm.tencentcloudapi.com":                          {want: endpoint{"HTTPS", "cvm.tencentcloudapi.com"}},
		"https://cvm.tencentcloudapi.com/":                         {want: endpoint{"HTTPS", "cvm.tencentcloudapi.com"}},
		"HTTPS://cvm.tencentcloudapi.com":                          {want: endpoint{"HTTPS", "cvm.tencentcloudapi.com"}},
		"cvm.ap-shanghai-fsi.tencentcloudapi.com:8443":             {want: endpoint{"HTTPS", "cvm.ap-shanghai-fsi.tencentcloudapi.com:8443"}},
		"cvm.internal.tencentcloudapi.com":                         {want: endpoint{"HTTPS", "cvm.internal.tencentcloudapi.com"}},
		"cvm.{region}.tencentcloudapi.com":                         {want: endpoint{"HTTPS", "cvm.{region}.tencentcloudapi.com"}},
		"https://cvm.internal.{region}.tencentcloudapi.com:443/":   {want: endpoint{"HTTPS", "cvm.internal.{region}.tencentcloudapi.com:443"}},
		"cvm.{zone}.tencentcloudapi.com":                           {refused: "can't be read"},
		"cvm.tencentcloudapi.com:{region}":                         {refused: "can't be read"},
		"cvm.tencentcloudapi.com/{region}":                         {refused: "has more than a host and a port"},
		"http://{region}":                                          {refused: "would be asked over plain HTTP"},
		"10.0.0.1":                                                 {want: endpoint{"HTTPS", "10.0.0.1"}},
		"http://127.0.0.1:8080":                                    {want: endpoint{"HTTP", "127.0.0.1:8080"}},
		"http://127.8.9.1":                                         {want: endpoint{"HTTP", "127.8.9.1"}},
		"http://localhost:8080":                                    {want: endpoint{"HTTP", "localhost:8080"}},
		"https://127.0.0.1:8080":                                   {want: endpoint{"HTTPS", "127.0.0.1:8080"}},
		"http://cvm.tencentcloudapi.com":                           {refused: "would be asked over plain HTTP"},
		"http://10.0.0.1:8080":                                     {refused: "would be asked over plain HTTP"},
		"http://localhost.example.com":                             {refused: "would be asked over plain HTTP"},
		"http://127.0.0.1.example.com":                             {refused: "would be asked over plain HTTP"},
		"http://127.1":                                             {refused: "would be asked over plain HTTP"},
		"http://0.0.0.0":                                           {refused: "would be asked over plain HTTP"},
		"http://2130706433":                                        {refused: "would be asked over plain HTTP"},
		"ftp://cvm.tencentcloudapi.com":                            {refused: "has an unknown scheme"},
		"unix:///run/cvm.sock":                                     {refused: "has an unknown scheme"},
		"://cvm.tencentcloudapi.com":                               {refused: "can't be read"},
		"cvm.tencentcloudapi.com:x":                                {refused: "can't be read"},
		"cvm.tencentcloudapi.com ":                                 {refused: "can't be read"},
		"cvm.tencentcloudapi.com\n":                                {refused: "can't be read"},
		"%zz":                                                      {refused: "can't be read"},
		"cvm.tencentcloudapi.com/v3":                               {refused: "has more than a host and a port"},
		"https://cvm.tencentcloudapi.com//":                        {refused: "has more than a host and a port"},
		"cvm.tencentcloudapi.com?x=1":                              {refused: "has more than a host and a port"},
		"cvm.tencentcloudapi.com#x":                                {refused: "has more than a host and a port"},
		"user@cvm.tencentcloudapi.com":                             {refused: "has more than a host and a port"},
		"https://cvm.tencentcloudapi.com@example.com":              {refused: "has more than a host and a port"},
		"http://127.0.0.1@example.com":                             {refused: "has more than a host and a port"},
		"CVM.tencentcloudapi.com":                                  {refused: "has no host in lower case"},
		"https://":                                                 {refused: "has no host in lower case"},
		"https://:443":                                             {refused: "has no host in lower case"},
		"-cvm.tencentcloudapi.com":                                 {refused: "has no host in lower case"},
		"cvm.tencentcloudapi.com.":                                 {refused: "has no host in lower case"},
		"cvm_1.tencentcloudapi.com":                                {refused: "has no host in lower case"},
		"cvm.täncent.com":                                          {refused: "has no host in lower case"},
		"http://[::1]:8080":                                        {refused: "has no host in lower case"},
		"cvm.tencentcloudapi.com:":                                 {refused: "has no port from 1 to 65535"},
		"cvm.tencentcloudapi.com:0":                                {refused: "has no port from 1 to 65535"},
		"http://127.0.0.1:65536":                                   {refused: "has no port from 1 to 65535"},
		"http://127.0.0.1:":                                        {refused: "has no port from 1 to 65535"},
		"cvm.tencentcloudapi.com:99999999999999999999999999999999": {refused: "has no port from 1 to 65535"},
	} {
		t.Run(value, func(t *testing.T) {
			got, err := parseEndpoint(value, DefaultEndpoint)
			if tc.refused == "" {
				if err != nil || got != tc.want {
					t.Errorf("parseEndpoint() = %v, %v, want %v", got, err, tc.want)
				}
				return
			}
			if err == nil {
				t.Fatalf("parseEndpoint() = %v, want an error", got)
			}
			for _, want := range []string{
				" " + tc.refused + "; ", "write a host such as cvm.tencentcloudapi.com",
				"http:// only before a loopback address",
			} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the sentence lacks %q: %s", want, err)
				}
			}
			if _, err := New(Options{Endpoint: value}); err == nil {
				t.Error("New takes it")
			}
		})
	}
}

func TestEndpointIn(t *testing.T) {
	const common, finance, zone = "ap-guangzhou", "ap-shanghai-fsi", "cvm.{region}.tencentcloudapi.com"
	for name, tc := range map[string]struct {
		host, region, want string
		elsewhere          bool
	}{
		"the common host":                       {host: DefaultEndpoint, region: common, want: DefaultEndpoint},
		"the common host, for a finance region": {host: DefaultEndpoint, region: finance, want: "cvm.ap-shanghai-fsi.tencentcloudapi.com"},
		"STS, for a finance region":             {host: DefaultSTS, region: finance, want: "sts.ap-shanghai-fsi.tencentcloudapi.com"},
		"the region's own host":                 {host: zone, region: common, want: "cvm.ap-guangzhou.tencentcloudapi.com"},
		"a finance region's own host":           {host: zone, region: finance, want: "cvm.ap-shanghai-fsi.tencentcloudapi.com"},
		"a finance region's only host": {
			host: "cvm.ap-shanghai-fsi.tencentcloudapi.com", region: finance,
			want: "cvm.ap-shanghai-fsi.tencentcloudapi.com",
		},
		"a finance region at another's host": {
			host: "cvm.ap-shenzhen-fsi.tencentcloudapi.com", region: finance,
			want: "cvm.ap-shenzhen-fsi.tencentcloudapi.com", elsewhere: true,
		},
		"a finance region at the internal host": {
			host: "cvm.internal.tencentcloudapi.com", region: finance, want: "cvm.internal.tencentcloudapi.com",
			elsewhere: true,
		},
		"a region at a finance region's host": {
			host: "cvm.ap-shanghai-fsi.tencentcloudapi.com", region: common,
			want: "cvm.ap-shanghai-fsi.tencentcloudapi.com", elsewhere: true,
		},
		"a region by another's gateway": {
			host: "cvm.ap-beijing.tencentcloudapi.com", region: common, want: "cvm.ap-beijing.tencentcloudapi.com",
		},
		"a host that only looks like a region's": {host: "my-proxy.example.com", region: common, want: "my-proxy.example.com"},
	} {
		e := endpoint{"HTTPS", tc.host}
		if got := e.in(tc.region); got.host != tc.want || got.scheme != e.scheme {
			t.Errorf("%s: %v, want the host %s", name, got, tc.want)
		}
		if got := e.serves(tc.region); got == tc.elsewhere {
			t.Errorf("%s: the region is there: %t", name, got)
		}
	}
}
