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
		// refused is why, within the sentence.
		refused string
	}{
		"cvm.tencentcloudapi.com":                                  {want: endpoint{"HTTPS", "cvm.tencentcloudapi.com"}},
		"https://cvm.tencentcloudapi.com":                          {want: endpoint{"HTTPS", "cvm.tencentcloudapi.com"}},
		"https://cvm.tencentcloudapi.com/":                         {want: endpoint{"HTTPS", "cvm.tencentcloudapi.com"}},
		"HTTPS://cvm.tencentcloudapi.com":                          {want: endpoint{"HTTPS", "cvm.tencentcloudapi.com"}},
		"cvm.ap-shanghai-fsi.tencentcloudapi.com:8443":             {want: endpoint{"HTTPS", "cvm.ap-shanghai-fsi.tencentcloudapi.com:8443"}},
		"cvm.internal.tencentcloudapi.com":                         {want: endpoint{"HTTPS", "cvm.internal.tencentcloudapi.com"}},
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
			for _, want := range []string{" " + tc.refused + "; ", "write a host such as cvm.tencentcloudapi.com", "http:// only before a loopback address"} {
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
