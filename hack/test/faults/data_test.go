// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// image returns a private image.
func image(id, name string) cvmtest.Image {
	out := cvmtest.PrivateImages(1, 1, cvmtest.DefaultCredential.UIN)[0]
	out.ImageID, out.ImageName = id, name
	return out
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func TestFault26IDsThatAreNone(t *testing.T) {
	w := synced(t, 26, 3)
	for _, id := range []string{
		"", "../x", "img-ABCDEFGH", "IMG-abcdefgh", "img-" + strings.Repeat("a", 10<<10), "img-a/b", "img-", "ami-12345678",
		"img-\u202eabc",
	} {
		w.cloud.Put(region, image(id, "odd"))
	}
	before := w.catalogue(golden)
	query := w.Poll(golden)
	now := w.catalogue(golden)
	if len(now.objects) != 3 || !slices.Equal(now.images, before.images) {
		t.Errorf("there are %d objects and the images %q", len(now.objects), now.images)
	}
	if message := kit.Ready(query).Message; !strings.Contains(message, "9 entries without a valid image id were skipped") {
		t.Errorf("the message doesn't count them: %s", message)
	}
	w.decent(query)
}

func TestFault27NamesThatAreNoText(t *testing.T) {
	w := begin(t, 27)
	names := map[string]string{
		"nul":     `"a\u0000b"`,
		"lines":   `"a\r\nb: {evil}"`,
		"escape":  `"\u001b[31mred"`,
		"bidi":    `"abc\u202egpj.exe"`,
		"long":    `"` + strings.Repeat("x", 64<<10) + `"`,
		"runes":   `"` + strings.Repeat("镜像🐧", 5000) + `"`,
		"invalid": "\"a\xff\xfeb\"",
		"empty":   `""`,
		"blank":   `"   "`,
		"yaml":    `"- [}{]: &x *y !!binary |"`,
	}
	for key, name := range names {
		odd := image("img-"+key+"00", "")
		odd.Raw = map[string]json.RawMessage{"ImageName": raw(name), "ImageDescription": raw(name), "OsName": raw(name)}
		odd.Tags = []cvmtest.Tag{{Key: key, Value: "v"}}
		w.cloud.Put(region, odd)
	}
	w.start()
	w.query(golden, "cloudImages: {labelTagKeys: [nul, long, bidi]}")
	w.UntilSynced(golden)
	w.agrees(golden)
	for _, object := range w.Images(golden) {
		for _, text := range []string{
			object.Image.Name, object.Image.Description, object.Image.OSName, object.Annotations[imagev1alpha1.AnnotationDisplayName],
		} {
			odd := func(r rune) bool { return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r == utf8.RuneError }
			if !utf8.ValidString(text) || strings.ContainsFunc(text, odd) || utf8.RuneCountInString(text) > 1024 {
				t.Errorf("%s: %d bytes of %.40q", object.Name, len(text), text)
			}
		}
	}
	w.quiet(golden)
}

func TestFault28TimesThatAreNone(t *testing.T) {
	w := begin(t, 28)
	for i, created := range []string{
		`null`, `""`, `"yesterday"`, `"2999-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`,
		`"2026-08-20T08:00:00+08:00"`, `"2026-08-20T08:00:00Z"`, `"2026-08-20T08:00:00Z"`,
	} {
		odd := image(fmt.Sprintf("img-time000%d", i), "same-name")
		odd.Raw = map[string]json.RawMessage{"CreatedTime": raw(created)}
		w.cloud.Put(region, odd)
	}
	w.cloud.Put(region, cvmtest.PublicImages()...) // none has a CreatedTime
	w.start()
	w.query(golden)
	w.UntilSynced(golden)
	w.agrees(golden)
	before := w.catalogue(golden)
	order := shown(w.Query(golden))
	all := w.cloud.Images(region)
	for range 2 { // the cloud's order changes
		slices.Reverse(all)
		w.cloud.Clear(region)
		w.cloud.Put(region, all...)
		w.Poll(golden)
		w.kept(golden, before)
		if now := shown(w.Query(golden)); !slices.Equal(order, now) {
			t.Errorf("status.images was %v and is %v", order, now)
		}
	}
	w.quiet(golden)
}

// shown returns the ids in status.images, in order.
func shown(query *imagev1alpha1.ImageQuery) []string {
	var ids []string
	for _, image := range query.Status.Images {
		ids = append(ids, image.ImageID)
	}
	return ids
}

func TestFault29WordsThatAreNew(t *testing.T) {
	w := synced(t, 29, 3)
	selected := w.catalogue(golden).selected
	odd := image("img-newwords", "new words")
	odd.ImageState, odd.Architecture, odd.Platform, odd.ImageSource = "QUANTUM", "riscv64", "TencentOS "+strings.Repeat("X", 300), "TELEPATHY"
	odd.Raw = map[string]json.RawMessage{
		"ImageType": raw(`"GIFT_IMAGE"`), "LicenseType": raw(`"` + strings.Repeat("L", 300) + `"`), "NewField": raw(`{"a":[1,{"b":null}]}`),
		"SnapshotSet": raw(`[{"SnapshotId":"snap-00000000","DiskUsage":"CACHE_DISK","DiskSize":99999999}]`),
	}
	gift := image("img-newtype", "new type")
	gift.CreatedTime = new(time.Now().UTC().Format(time.RFC3339)) // newer than all others
	gift.Raw = map[string]json.RawMessage{"ImageType": raw(`"GIFT_IMAGE"`)}
	w.cloud.Put(region, odd, gift)
	w.Poll(golden)
	w.UntilSynced(golden)
	w.agrees(golden)
	object := w.Images(golden)[region+"-img-newwords"]
	if object.Image.State != "QUANTUM" || object.Image.Type != "GIFT_IMAGE" {
		t.Errorf("the record has the state %q and the type %q", object.Image.State, object.Image.Type)
	}
	if now := w.catalogue(golden).selected; !slices.Equal(now, selected) {
		t.Errorf("an image in a state or of a type nobody knows is selected: %v", now)
	}
	w.heals(golden)
}

func TestFault55AStatusThatWouldBeTooLarge(t *testing.T) {
	w := begin(t, 55)
	var images []cvmtest.Image
	for i := range 2100 {
		images = append(images, image(fmt.Sprintf("img-%032d", i), strings.Repeat("镜", 250)+fmt.Sprint(i)))
	}
	w.cloud.Put(region, images...)
	w.start("--max-status-images=2000", "--cvm-qps=100", "--cvm-burst=100")
	w.query(golden, "cloudImages: {policy: None}, interval: 1h")
	query := w.UntilSynced(golden)
	encoded, err := json.Marshal(query)
	if err != nil {
		t.Fatal(err)
	}
	if len(encoded) > 1<<20+1<<19 {
		t.Errorf("the object has %d bytes", len(encoded))
	}
	truncated, count := ptr.Deref(query.Status.ImagesTruncated, false), ptr.Deref(query.Status.ImageCount, 0)
	if n := len(query.Status.Images); n < 1000 || n >= 2000 || !truncated || count != 2100 {
		t.Errorf("status shows %d images, truncated %v, count %d", n, truncated, count)
	}
	w.quiet(golden)
}
