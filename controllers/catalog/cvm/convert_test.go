// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

func TestNormalise(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"plain text stays":                      {"Ubuntu Server 22.04 LTS 64bit", "Ubuntu Server 22.04 LTS 64bit"},
		"letters of every script stay":          {"国际站filetruck镜像", "国际站filetruck镜像"},
		"control characters go":                 {"a\x00b\x1b[31mc\r\nd", "ab[31mcd"},
		"what turns the direction of text goes": {"safe\u202egpj.exe\u2066", "safegpj.exe"},
		"line separators go":                    {"a\u2028b\u2029c", "abc"},
		"bytes that are no UTF-8 go":            {"a\xff\xfeb", "ab"},
		"space around goes":                     {"  a b ", "a b"},
		"too long is cut between characters":    {strings.Repeat("镜", 300), strings.Repeat("镜", 255)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := normalise(tc.in, maxName); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"", "a\x00\xff", "国际站filetruck镜像", "\u202e\u2066", strings.Repeat(" a", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := normalise(in, maxWord)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxWord || strings.ContainsAny(got, "\x00\x1b\r\n\u202e\u2066") {
			t.Errorf("%q became %q", in, got)
		}
		if again := normalise(got, maxWord); again != got {
			t.Errorf("%q became %q and then %q", in, got, again)
		}
	})
}

func TestParseTime(t *testing.T) {
	day := time.Date(2020, 9, 22, 0, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"2020-09-22T00:00:00+00:00":  day,
		"2020-09-22T00:00:00Z":       day,
		"2020-09-22T08:00:00+08:00":  day,
		"2020-09-22T00:00:00.999Z":   day,
		"1970-01-01T00:00:00+00:00":  {},
		"":                           {},
		"0001-01-01T00:00:00Z":       {},
		"yesterday":                  {},
		"2020-09-22 00:00:00":        {},
		"99999-09-22T00:00:00+00:00": {},
	} {
		if got := parseTime(in); !got.Equal(want) {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

func TestEveryFieldOfTheResponseIsRead(t *testing.T) {
	raw := `{"ImageId":"img-00000001","OsName":"os","ImageType":"PRIVATE_IMAGE","CreatedTime":"2022-09-22T15:10:55Z","ImageName":"name",
		"ImageDescription":"text","ImageSize":50,"Architecture":"arm","ImageState":"NORMAL","Platform":"TencentOS","ImageCreator":"1",
		"ImageSource":"CREATE_IMAGE","SyncPercent":40,"IsSupportCloudinit":true,
		"SnapshotSet":[{"SnapshotId":"snap-2","DiskUsage":"DATA_DISK","DiskSize":100},null,{"SnapshotId":"snap-1","DiskUsage":"SYSTEM_DISK","DiskSize":50}],
		"Tags":[{"Key":"b","Value":"2"},null,{"Key":"a","Value":"1"}],"LicenseType":"BYOL","ImageFamily":"family","ImageDeprecated":true,"CdcCacheStatus":"CACHED"}`
	image := &sdk.Image{}
	if err := json.Unmarshal([]byte(raw), image); err != nil {
		t.Fatal(err)
	}
	want := catalog.Image{
		ID: "img-00000001", OSName: "os", Type: "PRIVATE_IMAGE", CreatedTime: time.Date(2022, 9, 22, 15, 10, 55, 0, time.UTC), Name: "name",
		Description: "text", SizeGiB: 50, Architecture: "arm64", State: "NORMAL", Platform: "TencentOS", Creator: "1", Source: "CREATE_IMAGE", CloudInit: true,
		Snapshots: []catalog.Snapshot{{ID: "snap-1", DiskUsage: "SYSTEM_DISK", DiskSizeGiB: 50}, {ID: "snap-2", DiskUsage: "DATA_DISK", DiskSizeGiB: 100}},
		Tags:      []catalog.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}, LicenseType: "BYOL", Family: "family", Deprecated: true,
	}
	if diff := cmp.Diff(want, convertImage(image)); diff != "" {
		t.Errorf("image (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(catalog.Image{}, convertImage(&sdk.Image{})); diff != "" {
		t.Errorf("an image with every field absent (-want +got):\n%s", diff)
	}
}

func FuzzConvertPage(f *testing.F) {
	for _, seed := range []string{
		`{"Response":{"TotalCount":1,"ImageSet":[{"ImageId":"img-00000001","ImageName":"n"}],"RequestId":"r"}}`,
		`{}`, `null`, `{"Response":{"TotalCount":-1,"ImageSet":[null],"RequestId":"r"}}`, `{"Response":{"TotalCount":2,"ImageSet":[{},{"Tags":[null]}],"RequestId":"r"}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		response := &sdk.DescribeImagesResponse{}
		if json.Unmarshal([]byte(body), response) != nil {
			return
		}
		p, err := convertPage(response, 0)
		if err != nil {
			return
		}
		for _, image := range p.images {
			if !imageIDPattern.MatchString(image.ID) || len(image.Tags) > maxItems || utf8.RuneCountInString(image.Description) > maxDescription {
				t.Errorf("%q became %+v", body, image)
			}
		}
	})
}

func BenchmarkConvertPage(b *testing.B) {
	name := "n"
	response := &sdk.DescribeImagesResponse{Response: &sdk.DescribeImagesResponseParams{RequestId: &name, TotalCount: new(int64(100))}}
	for range pageSize {
		response.Response.ImageSet = append(response.Response.ImageSet, &sdk.Image{ImageId: new("img-00000001"), ImageName: new("Ubuntu Server 22.04 LTS 64bit"), Platform: new("Ubuntu")})
	}
	for b.Loop() {
		if _, err := convertPage(response, 0); err != nil {
			b.Fatal(err)
		}
	}
}
