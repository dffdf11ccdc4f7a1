// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// recording is a real request with its real answer. docs/simulator-fidelity.md describes the format.
type recording struct {
	Source  string `json:"source"`
	Request struct {
		Language string          `json:"language"`
		Region   string          `json:"region"`
		Body     json.RawMessage `json:"body"`
	} `json:"request"`
	// Inventory is the simulator's inventory: "response" (the recorded images), or the function with that name.
	Inventory string `json:"inventory"`
	// Owner is the account of the recorded images, or "" for public ones.
	Owner    string `json:"owner"`
	Response struct {
		TotalCount int64             `json:"TotalCount"`
		ImageSet   []json.RawMessage `json:"ImageSet"`
		RequestID  string            `json:"RequestId"`
	} `json:"response"`
	// More is set if ImageSet continues after the recorded part.
	More bool `json:"more"`
	// Ignore are members of images that the source doesn't show.
	Ignore []string `json:"ignore"`
	// Inferred documents what the source doesn't show.
	Inferred []string `json:"inferred"`
}

func (r *recording) images(t *testing.T) []cvmtest.Image {
	t.Helper()
	switch r.Inventory {
	case "PageExample":
		return cvmtest.PageExample()
	case "PageExample1":
		return []cvmtest.Image{cvmtest.PageExample1()}
	case "PublicImages":
		return cvmtest.PublicImages()
	case "response":
		var out []cvmtest.Image
		for _, b := range r.Response.ImageSet {
			img, err := cvmtest.ImageFromWire(b, r.Owner)
			if err != nil {
				t.Fatal(err)
			}
			img.DedicatedClusterIDs = []string{"cluster-12345678"}
			out = append(out, img)
		}
		return out
	}
	t.Fatalf("unknown inventory %q", r.Inventory)
	return nil
}

func TestRecordedAnswersAreReplayed(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r recording
			if err := json.Unmarshal(b, &r); err != nil {
				t.Fatal(err)
			}
			if r.Source == "" || len(r.Inferred) == 0 {
				t.Error("a recording names its source and says what is inferred")
			}
			s := start(t, cvmtest.Options{})
			s.Put(r.Request.Region, r.images(t)...)
			s.Put(r.Request.Region, cvmtest.Image{ImageID: "img-0foreign", Owner: "1"})
			c := cvmtest.Credential{SecretID: "AKIDrecorded", SecretKey: "k", UIN: r.Owner}
			if c.UIN == "" {
				c.UIN = cvmtest.DefaultCredential.UIN
			}
			s.SetCredential(c)
			got := call{server: s, credential: c, body: string(r.Request.Body), header: map[string]string{
				"X-TC-Language": r.Request.Language, "X-TC-Region": r.Request.Region,
			}}.do(t)
			if got.code() != "" || got.TotalCount != r.Response.TotalCount {
				t.Errorf("code %q, TotalCount %d, want %d", got.code(), got.TotalCount, r.Response.TotalCount)
			}
			if r.More && len(got.ImageSet) > len(r.Response.ImageSet) {
				got.ImageSet = got.ImageSet[:len(r.Response.ImageSet)]
			}
			var want []map[string]any
			for _, b := range r.Response.ImageSet {
				var img map[string]any
				if err := json.Unmarshal(b, &img); err != nil {
					t.Fatal(err)
				}
				want = append(want, img)
			}
			for _, img := range got.ImageSet {
				for _, name := range r.Ignore {
					delete(img, name)
				}
			}
			if diff := cmp.Diff(want, got.ImageSet); diff != "" {
				t.Errorf("ImageSet (-recorded +simulated):\n%s", diff)
			}
		})
	}
}

// The recording's second image, written by hand without Raw.
func TestUndocumentedMembersAreTheRecordedOnes(t *testing.T) {
	const tag = "测试人员"
	img := cvmtest.Image{
		ImageID: "img-1iirbwoe", OSName: "TencentOS Server 3.1 (TK4)", ImageSize: 50, CreatedTime: new("2022-09-19T07:05:06Z"),
		ImageDescription: "just for testing", ImageSource: "CREATE_IMAGE", ImageName: "img-ritch", ImageCreator: new("100000750436"),
		ImageState: "NORMAL", SnapshotSet: []cvmtest.Snapshot{{SnapshotID: "snap-qll2cji7", DiskUsage: "SYSTEM_DISK", DiskSize: 50}},
		Architecture: "x86_64", Platform: "TencentOS", IsSupportCloudinit: new(true), LicenseType: "TencentCloud",
		Tags: []cvmtest.Tag{{Key: tag, Value: "ritchiecai"}}, Undocumented: true, Owner: mine,
	}
	b, err := os.ReadFile("testdata/recording-2022-private.json")
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Response struct{ ImageSet []map[string]any } `json:"response"`
	}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	s := start(t, cvmtest.Options{})
	s.Put(region, img)
	got := call{server: s, body: filters("tag:" + tag + "=ritchiecai")}.do(t).ImageSet
	if diff := cmp.Diff(r.Response.ImageSet[1:2], got); diff != "" {
		t.Errorf("image (-recorded +simulated):\n%s", diff)
	}
}
