// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

var idPattern = regexp.MustCompile(`^img-[0-9a-z]{8}$`)

func TestGeneratedImagesDependOnTheSeedAlone(t *testing.T) {
	if diff := cmp.Diff(cvmtest.PrivateImages(7, 300, mine), cvmtest.PrivateImages(7, 300, mine)); diff != "" {
		t.Errorf("the same seed gives other images:\n%s", diff)
	}
	if diff := cmp.Diff(cvmtest.PrivateImages(7, 300, mine)[:10], cvmtest.PrivateImages(7, 10, mine)); diff != "" {
		t.Errorf("fewer images are not the first ones of more:\n%s", diff)
	}
	if cvmtest.PrivateImages(7, 1, mine)[0].ImageID == cvmtest.PrivateImages(8, 1, mine)[0].ImageID {
		t.Error("another seed gives the same id")
	}
}

func TestGeneratedPrivateImagesAreOnesTheServiceCouldHave(t *testing.T) {
	images := cvmtest.PrivateImages(1, 2000, mine)
	ids, names := map[string]bool{}, map[string]bool{}
	seen := map[string]int{}
	var before time.Time
	for i, img := range images {
		if !idPattern.MatchString(img.ImageID) || ids[img.ImageID] {
			t.Errorf("id %q is malformed or not unique", img.ImageID)
		}
		if utf8.RuneCountInString(img.ImageName) > 60 || img.ImageName == "" || names[img.ImageName] {
			t.Errorf("name %q is too long, empty or not unique", img.ImageName)
		}
		ids[img.ImageID], names[img.ImageName] = true, true
		created, err := time.Parse(time.RFC3339, *img.CreatedTime)
		if err != nil || (i > 0 && !created.Before(before)) {
			t.Errorf("%d was created %s, not before the image listed before it", i, *img.CreatedTime)
		}
		before = created
		count(seen, img)
	}
	for _, what := range []string{
		"NORMAL", "CREATING", "CREATEFAILED", "SYNCING", "IMPORTING", "IMPORTFAILED", "x86_64", "arm", "i386", "BYOL", "EXTERNAL_IMPORT",
		"time with Z", "time with +00:00", "non-ASCII name", "snapshots null", "snapshots empty", "snapshots absent", "data disk",
		"tags null", "tags empty", "tags absent", "several tags", "cloudinit null", "family absent", "family empty", "deprecated absent",
		"deprecated",
		"sync percent", "undocumented members", "no licence",
	} {
		if seen[what] == 0 {
			t.Errorf("no image with: %s", what)
		}
	}
	if seen["NORMAL"] < len(images)*85/100 || images[0].ImageState != "NORMAL" {
		t.Errorf("%d of %d images are NORMAL, the first is %s", seen["NORMAL"], len(images), images[0].ImageState)
	}
}

func count(seen map[string]int, img cvmtest.Image) {
	seen[img.ImageState]++
	seen[img.Architecture]++
	seen[img.LicenseType]++
	seen[img.ImageSource]++
	for what, is := range map[string]bool{
		"time with Z":      strings.HasSuffix(*img.CreatedTime, "Z"),
		"time with +00:00": strings.HasSuffix(*img.CreatedTime, "+00:00"),
		"non-ASCII name":   len(img.ImageName) > utf8.RuneCountInString(img.ImageName),
		"snapshots null":   img.SnapshotSet == nil && !slices.Contains(img.Absent, "SnapshotSet"),
		"snapshots empty":  img.SnapshotSet != nil && len(img.SnapshotSet) == 0,
		"snapshots absent": slices.Contains(img.Absent, "SnapshotSet"), "data disk": len(img.SnapshotSet) == 2,
		"tags null": img.Tags == nil && !slices.Contains(img.Absent, "Tags"), "tags empty": img.Tags != nil && len(img.Tags) == 0,
		"tags absent": slices.Contains(img.Absent, "Tags"), "several tags": len(img.Tags) > 1,
		"cloudinit null": img.IsSupportCloudinit == nil, "family absent": img.ImageFamily == nil,
		"family empty": img.ImageFamily != nil && *img.ImageFamily == "", "deprecated absent": img.ImageDeprecated == nil,
		"deprecated": img.ImageDeprecated != nil && *img.ImageDeprecated, "sync percent": img.SyncPercent != nil,
		"undocumented members": img.Undocumented, "no licence": img.LicenseType == "",
	} {
		if is {
			seen[what]++
		}
	}
}

func TestSharedImagesAreSeenAsSuchByTheirRecipientsOnly(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Put(region, cvmtest.SharedImages(1, 5, theirs, mine, "3")...)
	s.SetCredential(cvmtest.Credential{SecretID: "AKID4", SecretKey: "k", UIN: "4"})
	a := call{server: s, body: filters("image-type=SHARED_IMAGE")}.do(t)
	other := call{server: s, credential: cvmtest.Credential{SecretID: "AKID4", SecretKey: "k"}}.do(t)
	if a.TotalCount != 5 || other.TotalCount != 0 {
		t.Errorf("the recipient sees %d, another %d", a.TotalCount, other.TotalCount)
	}
	for _, img := range a.ImageSet {
		if img["ImageCreator"] != theirs {
			t.Errorf("ImageCreator %v", img["ImageCreator"])
		}
	}
}

func TestPublicImagesAreAsRecorded(t *testing.T) {
	images := cvmtest.PublicImages()
	ids := map[string]bool{}
	for _, img := range images {
		ids[img.ImageID] = true
		if !idPattern.MatchString(img.ImageID) || img.Owner != "" || img.ImageSource != "OFFICIAL" || img.ImageState != "NORMAL" ||
			img.Platform == "" ||
			img.CreatedTime != nil || img.ImageCreator != nil || img.SyncPercent != nil || img.OSName != img.ImageName ||
			img.ImageDescription != img.ImageName ||
			strings.Contains(img.ImageName, "位") || strings.Contains(img.NameZH, "bit") {
			t.Errorf("not like a public image: %+v", img)
		}
	}
	if len(ids) != len(images) || len(images) < 50 {
		t.Errorf("%d images, %d ids", len(images), len(ids))
	}
	i := slices.IndexFunc(images, func(img cvmtest.Image) bool { return img.ImageID == "img-pi0ii46r" })
	if diff := cmp.Diff([]string{"Ubuntu Server 18.04 LTS 64bit", "Ubuntu Server 18.04.1 LTS 64位"},
		[]string{images[i].ImageName, images[i].NameZH}); diff != "" {
		t.Errorf("the image whose names differ in digits (-want +got):\n%s", diff)
	}
}

func TestFillPutsWhatTheInventorySays(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Fill(cvmtest.Inventory{Seed: 3, Regions: []string{region, "ap-tokyo"}, Public: true, Private: 30, Shared: 4})
	if diff := cmp.Diff([]string{region, "ap-tokyo"}, s.Regions()); diff != "" {
		t.Errorf("regions (-want +got):\n%s", diff)
	}
	got := map[string]int64{}
	for _, imageType := range []string{"PRIVATE_IMAGE", "PUBLIC_IMAGE", "SHARED_IMAGE"} {
		got[imageType] = call{server: s, body: filters("image-type=" + imageType)}.do(t).TotalCount
	}
	want := map[string]int64{"PRIVATE_IMAGE": 30, "PUBLIC_IMAGE": int64(len(cvmtest.PublicImages())), "SHARED_IMAGE": 4}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if s.Images(region)[0].ImageID == s.Images("ap-tokyo")[0].ImageID {
		t.Error("private images have the same id in two regions")
	}
}

func TestTheSDKDecodesEveryGeneratedImage(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Fill(cvmtest.Inventory{Seed: 3, Public: true, Private: 500, Shared: 100})
	client := sdk(t, s, cvmtest.DefaultCredential, "en-US")
	stored := s.Images(region)
	for seen := 0; seen < len(stored); {
		req := cvm.NewDescribeImagesRequest()
		req.Offset, req.Limit = new(uint64(seen)), new(uint64(100))
		resp, err := client.DescribeImages(req)
		if err != nil {
			t.Fatal(err)
		}
		for i, img := range resp.Response.ImageSet {
			if want := stored[seen+i].ImageID; *img.ImageId != want {
				t.Fatalf("image %d is %s, want %s", seen+i, *img.ImageId, want)
			}
		}
		seen += len(resp.Response.ImageSet)
	}
}
