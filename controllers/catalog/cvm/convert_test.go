// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// full returns an image with a value in every field of the API.
func full() cvmtest.Image {
	return cvmtest.Image{
		ImageID: "img-fullfull", OSName: "TencentOS Server 3.1 (TK4)", ImageType: cvmtest.TypePrivate, CreatedTime: new("2022-09-22T15:10:55Z"),
		ImageName: "国际站filetruck镜像", ImageDescription: "a description", ImageSize: 50, Architecture: "arm", ImageState: "SYNCING",
		Platform: "TencentOS", ImageCreator: new("100000750436"), ImageSource: "EXTERNAL_IMPORT", SyncPercent: new(int64(42)),
		IsSupportCloudinit: new(true), LicenseType: "BYOL", ImageFamily: new("base"), ImageDeprecated: new(true),
		SnapshotSet: []cvmtest.Snapshot{
			{SnapshotID: "snap-b", DiskUsage: "DATA_DISK", DiskSize: 100},
			{SnapshotID: "snap-a", DiskUsage: "SYSTEM_DISK", DiskSize: 50},
		},
		Tags: []cvmtest.Tag{{Key: "role", Value: "k8s-node"}, {Key: "负责人", Value: "张三"}, {Key: "role", Value: "db"}},
	}
}

// converted returns the expected conversion of full.
func converted() catalog.Image {
	return catalog.Image{
		ID: "img-fullfull", OSName: "TencentOS Server 3.1 (TK4)", Type: "PRIVATE_IMAGE",
		CreatedTime: time.Date(2022, 9, 22, 15, 10, 55, 0, time.UTC),
		Name:        "国际站filetruck镜像", Description: "a description", SizeGiB: 50, Architecture: "arm64", State: "SYNCING",
		Platform: "TencentOS", Creator: "100000750436", Source: "EXTERNAL_IMPORT", CloudInit: true, LicenseType: "BYOL", Family: "base",
		Deprecated: true,
		Snapshots: []catalog.Snapshot{
			{ID: "snap-a", DiskUsage: "SYSTEM_DISK", DiskSizeGiB: 50},
			{ID: "snap-b", DiskUsage: "DATA_DISK", DiskSizeGiB: 100},
		},
		Tags: []catalog.Tag{{Key: "role", Value: "db"}, {Key: "role", Value: "k8s-node"}, {Key: "负责人", Value: "张三"}},
	}
}

// wireFields are the fields of the API's type Image, with the effect of their absence on a catalog.Image.
var wireFields = map[string]func(*catalog.Image){
	"OsName":             func(i *catalog.Image) { i.OSName = "" },
	"ImageType":          func(i *catalog.Image) { i.Type = "" },
	"CreatedTime":        func(i *catalog.Image) { i.CreatedTime = time.Time{} },
	"ImageName":          func(i *catalog.Image) { i.Name = "" },
	"ImageDescription":   func(i *catalog.Image) { i.Description = "" },
	"ImageSize":          func(i *catalog.Image) { i.SizeGiB = 0 },
	"Architecture":       func(i *catalog.Image) { i.Architecture = "" },
	"ImageState":         func(i *catalog.Image) { i.State = "" },
	"Platform":           func(i *catalog.Image) { i.Platform = "" },
	"ImageCreator":       func(i *catalog.Image) { i.Creator = "" },
	"ImageSource":        func(i *catalog.Image) { i.Source = "" },
	"IsSupportCloudinit": func(i *catalog.Image) { i.CloudInit = false },
	"SnapshotSet":        func(i *catalog.Image) { i.Snapshots = nil },
	"Tags":               func(i *catalog.Image) { i.Tags = nil },
	"LicenseType":        func(i *catalog.Image) { i.LicenseType = "" },
	"ImageFamily":        func(i *catalog.Image) { i.Family = "" },
	"ImageDeprecated":    func(i *catalog.Image) { i.Deprecated = false },
	// These two change while an image is copied, and are not stored.
	"SyncPercent":    func(*catalog.Image) {},
	"CdcCacheStatus": func(*catalog.Image) {},
}

func TestEveryFieldOfTheAPIsImageIsKnown(t *testing.T) {
	got := []string{}
	for field := range reflect.TypeFor[sdk.Image]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		got = append(got, name)
	}
	want := []string{"ImageId"} // an image without it is skipped
	for name := range wireFields {
		want = append(want, name)
	}
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("fields of the SDK's Image (-known +there):\n%s", diff)
	}
}

func TestEveryFieldIsConverted(t *testing.T) {
	want := reflect.ValueOf(converted())
	for i := range want.NumField() {
		if want.Field(i).IsZero() {
			t.Errorf("the test has no value for catalog.Image.%s", want.Type().Field(i).Name)
		}
	}
	s := start(t, cvmtest.Options{}, full())
	if diff := cmp.Diff(catalog.Listing{Images: []catalog.Image{converted()}}, mustList(t, connect(t, s), everything)); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
}

func TestEveryFieldMayBeNullOrAbsent(t *testing.T) {
	s := start(t, cvmtest.Options{})
	c := connect(t, s)
	for name, without := range wireFields {
		for how, spoil := range map[string]func(*cvmtest.Image){
			"null":   func(i *cvmtest.Image) { i.Raw = map[string]json.RawMessage{name: json.RawMessage("null")} },
			"absent": func(i *cvmtest.Image) { i.Absent = []string{name} },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				image, want := full(), converted()
				spoil(&image)
				without(&want)
				s.Clear(region)
				s.Put(region, image)
				if diff := cmp.Diff(catalog.Listing{Images: []catalog.Image{want}}, mustList(t, c, everything)); diff != "" {
					t.Errorf("listing (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestWhatTheCloudWritesIsTolerated(t *testing.T) {
	raw := func(name, value string) func(*cvmtest.Image) {
		return func(i *cvmtest.Image) { i.Raw = map[string]json.RawMessage{name: json.RawMessage(value)} }
	}
	for name, tc := range map[string]struct {
		given func(*cvmtest.Image)
		want  func(*catalog.Image)
	}{
		"fields that no documentation has": {given: func(i *cvmtest.Image) { i.Undocumented = true }},
		"a field that comes tomorrow":      {given: raw("Tomorrow", `{"a":[1]}`)},
		"x86_64": {
			given: func(i *cvmtest.Image) { i.Architecture = "x86_64" },
			want:  func(i *catalog.Image) { i.Architecture = "amd64" },
		},
		"i386": {
			given: func(i *cvmtest.Image) { i.Architecture = "i386" },
			want:  func(i *catalog.Image) { i.Architecture = "386" },
		},
		"amd64": {
			given: func(i *cvmtest.Image) { i.Architecture = "amd64" },
			want:  func(i *catalog.Image) { i.Architecture = "amd64" },
		},
		"arm64": {
			given: func(i *cvmtest.Image) { i.Architecture = "arm64" },
			want:  func(i *catalog.Image) { i.Architecture = "arm64" },
		},
		"aarch64": {
			given: func(i *cvmtest.Image) { i.Architecture = "aarch64" },
			want:  func(i *catalog.Image) { i.Architecture = "arm64" },
		},
		"AArch64": {
			given: func(i *cvmtest.Image) { i.Architecture = "AArch64" },
			want:  func(i *catalog.Image) { i.Architecture = "arm64" },
		},
		"ImportImage's word for arm": {
			given: func(i *cvmtest.Image) { i.Architecture = "arm_64" },
			want:  func(i *catalog.Image) { i.Architecture = "arm64" },
		},
		"an unknown architecture": {
			given: func(i *cvmtest.Image) { i.Architecture = "riscv64" },
			want:  func(i *catalog.Image) { i.Architecture = "riscv64" },
		},
		"an unknown state": {
			given: func(i *cvmtest.Image) { i.ImageState = "EXPORTING" },
			want:  func(i *catalog.Image) { i.State = "EXPORTING" },
		},
		"an unknown type": {
			given: func(i *cvmtest.Image) { i.ImageType = "MARKET_IMAGE" },
			want:  func(i *catalog.Image) { i.Type = "MARKET_IMAGE" },
		},
		"a time with an offset": {given: func(i *cvmtest.Image) { i.CreatedTime = new("2022-09-22T23:10:55+08:00") }},
		"a time that is none": {
			given: func(i *cvmtest.Image) { i.CreatedTime = new("yesterday") },
			want:  func(i *catalog.Image) { i.CreatedTime = time.Time{} },
		},
		"the start of Unix time": {
			given: func(i *cvmtest.Image) { i.CreatedTime = new("1970-01-01T00:00:00+00:00") },
			want:  func(i *catalog.Image) { i.CreatedTime = time.Time{} },
		},
		"a time to come": {
			given: func(i *cvmtest.Image) { i.CreatedTime = new("2099-01-01T00:00:00Z") },
			want:  func(i *catalog.Image) { i.CreatedTime = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC) },
		},
		"control characters, bidirectional ones and line ends": {
			given: func(i *cvmtest.Image) {
				i.ImageName, i.ImageDescription = "a\x00b\x1b[31mc\u202ed\r\ne", "\u2028 x\u200b\u2066 "
			},
			want: func(i *catalog.Image) { i.Name, i.Description = "ab[31mcde", "x" },
		},
		"bytes that are no UTF-8": {given: raw("ImageName", "\"a\xff\xfeb\""), want: func(i *catalog.Image) { i.Name = "ab" }},
		"half a surrogate pair":   {given: raw("ImageName", `"a\ud83db"`), want: func(i *catalog.Image) { i.Name = "ab" }},
		"64 KiB of name": {
			given: func(i *cvmtest.Image) { i.ImageName = strings.Repeat("镜", 64<<10/3) },
			want:  func(i *catalog.Image) { i.Name = strings.Repeat("镜", 255) },
		},
		"long words everywhere": {
			given: func(i *cvmtest.Image) {
				long := strings.Repeat("x", 1000)
				i.OSName, i.ImageDescription, i.ImageSource, i.ImageState = long, long, long, long
				i.Platform, i.LicenseType, i.Architecture, i.ImageType = long, long, long, long
				i.ImageCreator, i.ImageFamily = &long, &long
			},
			want: func(i *catalog.Image) {
				x := func(n int) string { return strings.Repeat("x", n) }
				i.OSName, i.Description, i.Source, i.State = x(255), x(512), x(64), x(64)
				i.Platform, i.LicenseType, i.Architecture, i.Type = x(128), x(64), x(64), x(64)
				i.Creator, i.Family = x(64), x(128)
			},
		},
		"null among tags and snapshots": {
			given: func(i *cvmtest.Image) {
				i.Raw = map[string]json.RawMessage{
					"Tags":        json.RawMessage(`[null,{"Key":"k","Value":null},{"Value":"v"},{}]`),
					"SnapshotSet": json.RawMessage(`[null,{"SnapshotId":null,"DiskUsage":"DATA_DISK"},{}]`),
				}
			},
			want: func(i *catalog.Image) {
				i.Tags = []catalog.Tag{{}, {Value: "v"}, {Key: "k"}}
				i.Snapshots = []catalog.Snapshot{{}, {DiskUsage: "DATA_DISK"}}
			},
		},
		"a thousand tags and snapshots": {
			given: func(i *cvmtest.Image) {
				i.Tags, i.SnapshotSet = nil, nil
				for n := range 1000 {
					i.Tags = append(i.Tags, cvmtest.Tag{Key: fmt.Sprintf("k%03d", 999-n)})
					i.SnapshotSet = append(i.SnapshotSet, cvmtest.Snapshot{SnapshotID: fmt.Sprintf("snap-%03d", 999-n)})
				}
			},
			want: func(i *catalog.Image) {
				i.Tags, i.Snapshots = nil, nil
				for n := range 64 {
					i.Tags = append(i.Tags, catalog.Tag{Key: fmt.Sprintf("k%03d", n)})
					i.Snapshots = append(i.Snapshots, catalog.Snapshot{ID: fmt.Sprintf("snap-%03d", n)})
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			image, want := full(), converted()
			tc.given(&image)
			if tc.want != nil {
				tc.want(&want)
			}
			s := start(t, cvmtest.Options{}, image)
			if diff := cmp.Diff(catalog.Listing{Images: []catalog.Image{want}}, mustList(t, connect(t, s), everything)); diff != "" {
				t.Errorf("listing (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEntriesWithoutAUsableIDAreCountedAndSkipped(t *testing.T) {
	for name, id := range map[string]string{
		"null":                      `null`,
		"empty":                     `""`,
		"only the prefix":           `"img-"`,
		"upper case":                `"img-9QABWVBN"`,
		"a path":                    `"../img-9qabwvbn"`,
		"with a slash":              `"img-9qab/wvbn"`,
		"with a dot":                `"img-9qab.wvbn"`,
		"with a line's end":         `"img-9qabwvbn\n"`,
		"after a line's end":        `"x\nimg-9qabwvbn"`,
		"with a space before it":    `" img-9qabwvbn"`,
		"33 characters":             `"img-` + strings.Repeat("x", 33) + `"`,
		"10 KiB":                    `"img-` + strings.Repeat("x", 10<<10) + `"`,
		"letters that look alike":   `"img-９qabwvbn"`,
		"a NUL":                     `"img-9qab\u0000wvbn"`,
		"what stands for no id":     `"#1"`,
		"bytes that are not UTF-8":  "\"img-\xff\"",
		"another kind of object's":  `"ins-9qabwvbn"`,
		"an id with a hyphen in it": `"img-9qab-wvbn"`,
	} {
		t.Run(name, func(t *testing.T) {
			invalid := full()
			invalid.ImageID, invalid.Raw = "img-invalid0", map[string]json.RawMessage{"ImageId": json.RawMessage(id)}
			s := start(t, cvmtest.Options{}, append([]cvmtest.Image{invalid}, private(3)...)...)
			got := mustList(t, connect(t, s), everything)
			if len(got.Images) != 3 || got.Skipped != 1 || got.Inconsistent || len(s.Requests()) != 1 {
				t.Errorf("%d images, %d skipped, inconsistent %t in %d requests, want 3 and 1 in 1", len(got.Images), got.Skipped, got.Inconsistent,
					len(s.Requests()))
			}
			for _, image := range got.Images {
				if !strings.HasPrefix(image.ID, "img-") || strings.Contains(image.ID, "invalid") {
					t.Errorf("listed %q", image.ID)
				}
			}
		})
	}
	t.Run("many, some without any id, on two pages", func(t *testing.T) {
		s := start(t, cvmtest.Options{}, private(150)...)
		for i, image := range s.Images(region) {
			if i%3 == 0 {
				s.Update(region, image.ImageID, func(i *cvmtest.Image) { i.Absent = []string{"ImageId"} })
			}
		}
		got := mustList(t, connect(t, s), everything)
		if len(got.Images) != 100 || got.Skipped != 50 || got.Inconsistent || len(s.Requests()) != 2 {
			t.Errorf("%d images, %d skipped, inconsistent %t in %d requests, want 100 and 50 in 2", len(got.Images), got.Skipped, got.Inconsistent,
				len(s.Requests()))
		}
	})
	t.Run("the shortest and the longest good id", func(t *testing.T) {
		short, long := full(), full()
		short.ImageID, long.ImageID = "img-0", "img-"+strings.Repeat("z", 32)
		s := start(t, cvmtest.Options{}, short, long)
		if got := mustList(t, connect(t, s), everything); len(got.Images) != 2 || got.Skipped != 0 {
			t.Errorf("%d images, %d skipped, want 2 and 0", len(got.Images), got.Skipped)
		}
	})
}

func TestNormalise(t *testing.T) {
	for name, tc := range map[string]struct {
		in    string
		limit int
		want  string
	}{
		"plain":                        {in: "Ubuntu Server 22.04", limit: 64, want: "Ubuntu Server 22.04"},
		"other alphabets":              {in: "国际站 образ ℃ 🐧", limit: 64, want: "国际站 образ ℃ 🐧"},
		"every C0 and C1 control":      {in: "a\x00\x07\t\n\r\x1b\x7f\u0080\u0085\u009fb", limit: 64, want: "ab"},
		"bidirectional controls":       {in: "a\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069b", limit: 64, want: "ab"},
		"invisible ones":               {in: "a\u00ad\u200b\u200d\u2060\ufeffb", limit: 64, want: "ab"},
		"line and paragraph separator": {in: "a\u2028\u2029b", limit: 64, want: "ab"},
		"not UTF-8":                    {in: "a\xc3\x28\xff\xe2\x82b", limit: 64, want: "a(b"},
		"the replacement character":    {in: "a\ufffdb", limit: 64, want: "ab"},
		"cut between characters":       {in: "ééééé", limit: 3, want: "ééé"},
		"cut before a space":           {in: "ab cd", limit: 3, want: "ab"},
		"spaces around":                {in: " \u00a0a b\u3000", limit: 64, want: "a b"},
		"nothing left":                 {in: "\u202e\x00 ", limit: 64, want: ""},
		"limit 0":                      {in: "abc", limit: 0, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := normalise(tc.in, tc.limit); got != tc.want {
				t.Errorf("normalise(%q, %d) = %q, want %q", tc.in, tc.limit, got, tc.want)
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	at := time.Date(2022, 9, 22, 15, 10, 55, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"2022-09-22T15:10:55Z":           at,
		"2022-09-22T15:10:55+00:00":      at,
		"2022-09-22T23:10:55+08:00":      at,
		"2022-09-22T15:10:55.999999999Z": at,
		"9999-12-31T23:59:59Z":           time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		"1970-01-01T00:00:01Z":           time.Unix(1, 0).UTC(),
		// Times that can't be parsed, or that can't be parsed again after conversion to UTC makes them the year 10000.
		"9999-12-31T23:59:59-00:01": {},
		"1970-01-01T00:00:00+00:00": {},
		"1969-12-31T23:59:59Z":      {},
		"0000-01-01T00:00:00Z":      {},
		"10000-01-01T00:00:00Z":     {},
		"2022-09-22 15:10:55":       {},
		"2022-09-22T15:10:55":       {},
		"2022-02-30T00:00:00Z":      {},
		"2022-09-22":                {},
		"null":                      {},
		"":                          {},
	} {
		t.Run(in, func(t *testing.T) {
			if got := parseTime(in); got != want {
				t.Errorf("parseTime() = %v, want %v", got, want)
			}
		})
	}
}

// wantFit checks an image against the bounds of CloudImage's schema.
func wantFit(t testing.TB, image catalog.Image) {
	t.Helper()
	if !imageIDPattern.MatchString(image.ID) || len(image.ID) > 36 {
		t.Errorf("id %q", image.ID)
	}
	texts := map[string]bounded{
		"name": {image.Name, 255}, "description": {image.Description, 512}, "type": {image.Type, 64}, "source": {image.Source, 64},
		"creator": {image.Creator, 64}, "state": {image.State, 64}, "osName": {image.OSName, 255}, "platform": {image.Platform, 128},
		"architecture": {image.Architecture, 64}, "licenseType": {image.LicenseType, 64}, "family": {image.Family, 128},
	}
	for i, tag := range image.Tags {
		texts[fmt.Sprint("key of tag ", i)], texts[fmt.Sprint("value of tag ", i)] = bounded{tag.Key, 255}, bounded{tag.Value, 255}
	}
	for i, s := range image.Snapshots {
		texts[fmt.Sprint("id of snapshot ", i)], texts[fmt.Sprint("usage of snapshot ", i)] = bounded{s.ID, 64}, bounded{s.DiskUsage, 64}
	}
	for name, f := range texts {
		wantClean(t, name, f.text, f.limit)
	}
	if len(image.Tags) > 64 || len(image.Snapshots) > 64 {
		t.Errorf("%d tags and %d snapshots, want at most 64", len(image.Tags), len(image.Snapshots))
	}
	wantReadable(t, image.CreatedTime)
}

// bounded is a text and its bound in the schema.
type bounded struct {
	text  string
	limit int
}

func wantClean(t testing.TB, name, text string, limit int) {
	t.Helper()
	switch {
	case !utf8.ValidString(text):
		t.Errorf("%s is not UTF-8: %q", name, text)
	case utf8.RuneCountInString(text) > limit:
		t.Errorf("%s has %d characters, want at most %d", name, utf8.RuneCountInString(text), limit)
	case strings.TrimSpace(text) != text:
		t.Errorf("%s has spaces around: %q", name, text)
	case slices.ContainsFunc([]rune(text), func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f ||
			r == 0xfeff || r == 0x61c
	}):
		t.Errorf("%s has characters that control: %q", name, text)
	}
}

// wantReadable checks that a time can be written in the form of the schema and read again unchanged.
func wantReadable(t testing.TB, at time.Time) {
	t.Helper()
	if at.IsZero() {
		return
	}
	again, err := time.Parse("2006-01-02T15:04:05Z", at.Format(time.RFC3339))
	if err != nil || !again.Equal(at) || at.Location() != time.UTC || at.Year() < 1970 || at.Year() > 9999 {
		t.Errorf("%v, read again, is %v, %v", at, again, err)
	}
}

func TestTextIsCutByCharacters(t *testing.T) {
	for name, tc := range map[string]struct {
		in, want string
	}{
		"as many characters as fit, of more bytes": {strings.Repeat("镜", 100), strings.Repeat("镜", 100)},
		"one more":                  {strings.Repeat("a", 256), strings.Repeat("a", 255)},
		"one more, of three bytes":  {strings.Repeat("镜", 256), strings.Repeat("镜", 255)},
		"nothing but control codes": {"\x00\x01\x7f", ""},
	} {
		if got := normalise(tc.in, 255); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Entries without a usable id are told apart by it, or by their place in the whole list.
func TestInvalidEntriesOfAPageAreToldApart(t *testing.T) {
	response := &answer{}
	body := `{"Response":{"RequestId":"r","TotalCount":` + strconv.Itoa(maxImages) + `,"ImageSet":[{"ImageId":""},{"ImageId":"bad"},{}]}}`
	if err := response.ParseErrorFromHTTPResponse([]byte(body)); !errors.Is(err, errDecoded) {
		t.Fatal(err)
	}
	p, err := convertPage(response, 100)
	if err != nil {
		t.Fatalf("as many images as there may be: %v", err)
	}
	if diff := cmp.Diff([]string{"#100", "bad", "#102"}, p.invalidIDs); diff != "" {
		t.Errorf("invalid entries (-want +got):\n%s", diff)
	}
}
