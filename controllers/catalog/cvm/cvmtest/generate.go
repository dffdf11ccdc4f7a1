// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Inventory describes a cloud by counts and a seed. The same Inventory always gives the same images.
type Inventory struct {
	// Seed seeds the generator.
	Seed uint64 `json:"seed"`
	// Regions are the regions to fill. Default: ap-guangzhou.
	Regions []string `json:"regions,omitempty"`
	// Public adds PublicImages to each region.
	Public bool `json:"public,omitempty"`
	// Private and Shared are the numbers of images per region that belong to the DefaultCredential's account and that
	// StrangerUIN shares with it.
	Private int `json:"private,omitempty"`
	Shared  int `json:"shared,omitempty"`
}

// Fill adds the described images.
func (s *Server) Fill(inv Inventory) {
	regions := inv.Regions
	if len(regions) == 0 {
		regions = []string{"ap-guangzhou"}
	}
	for _, region := range regions {
		h := fnv.New64a()
		_, _ = h.Write([]byte(region)) // never fails
		seed := inv.Seed ^ h.Sum64()
		if inv.Public {
			s.Put(region, PublicImages()...)
		}
		s.Put(region, SharedImages(seed+1, inv.Shared, StrangerUIN, DefaultCredential.UIN)...)
		s.Put(region, PrivateImages(seed, inv.Private, DefaultCredential.UIN)...)
	}
}

// newest is the creation time of the first generated image. Each following one is a little older, since private images
// are listed newest first.
var newest = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// recordedNames are names of private images in a recording (cloud-custodian test_tc_ami, October 2022).
var recordedNames = []string{"国际站filetruck镜像", "img-ritch", "arron-mirror", "cos-migration迁移验证", "2019"}

var (
	namePrefixes = []string{"golden-web", "base", "测试镜像", "build_agent", "образ", "イメージ", "nœud", "🐧-kernel", "db primary", "Ⅻ-k8s-node"}
	states       = []string{"CREATING", "CREATEFAILED", "SYNCING", "IMPORTING", "IMPORTFAILED"}
	systems      = []struct{ name, platform, arch string }{
		{"TencentOS Server 2.4", "TencentOS", "x86_64"},
		{"TencentOS Server 3.2 (ARM64)", "TencentOS", "arm"},
		{"CentOS 7.8 64位", "CentOS", "x86_64"},
		{"Ubuntu Server 22.04 LTS 64位", "Ubuntu", "x86_64"},
		{"Ubuntu 20.04(arm64)", "Ubuntu", "arm"},
		{"Ubuntu Server 16.04 LTS 32位", "Ubuntu", "i386"},
		{"Rocky Linux 9.4 64位", "Rocky Linux", "x86_64"},
		{"Windows Server 2016 64bit", "Windows", "x86_64"},
		{"Other Linux", "Other Linux", "x86_64"},
	}
	tagPairs = []Tag{{"team", "web"}, {"team", "data"}, {"env", "prod"}, {"env", "test"}, {"负责人", "张三"}, {"运营部门", "研发"}, {"cost-center", "42"}}
)

// PrivateImages returns n images of an account, newest first. Names are unique and Unicode, the first ones from a
// recording. Fields vary as in recordings: CreatedTime in both notations; SnapshotSet and Tags also null, empty and
// absent; newer fields also absent. About one image in twelve has another state than NORMAL, never the first one.
func PrivateImages(seed uint64, n int, uin string) []Image {
	g := newGenerator(seed, uin)
	out := make([]Image, n)
	for i := range out {
		out[i] = g.image(i)
	}
	return out
}

// SharedImages is like PrivateImages, for images that another account shares. They have no snapshots and tags, since it
// is not known whether the real service shows those to the recipient.
func SharedImages(seed uint64, n int, owner string, with ...string) []Image {
	out := PrivateImages(seed, n, owner)
	for i := range out {
		out[i].ImageType = TypeShared
		out[i].SharedWith = append([]string(nil), with...)
		out[i].SnapshotSet, out[i].Tags, out[i].Absent = []Snapshot{}, []Tag{}, nil
	}
	return out
}

type generator struct {
	*rand.Rand
	uin string
	ids map[string]bool
}

func newGenerator(seed uint64, uin string) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 0x2017_03_12)), uin: uin, ids: map[string]bool{}}
}

func (g *generator) image(i int) Image {
	sys := systems[g.IntN(len(systems))]
	img := Image{
		ImageID: g.id("img-"), ImageType: TypePrivate, Owner: g.uin, ImageCreator: new(g.uin),
		ImageName: g.name(i), ImageDescription: g.oneOf("", "", "nightly build", "由 CI 构建"),
		OSName: sys.name, Platform: sys.platform, Architecture: sys.arch, ImageSize: g.oneOfInt(20, 50, 50, 100, 500),
		ImageState: "NORMAL", ImageSource: g.oneOf("CREATE_IMAGE", "CREATE_IMAGE", "CREATE_IMAGE", "EXTERNAL_IMPORT"),
		CreatedTime: g.createdTime(i), LicenseType: g.oneOf("TencentCloud", "TencentCloud", "TencentCloud", "BYOL", ""),
	}
	if i > 0 && g.IntN(12) == 0 {
		img.ImageState = states[g.IntN(len(states))]
	}
	if img.ImageState == "SYNCING" {
		img.SyncPercent = new(int64(1 + g.IntN(99)))
	}
	if g.IntN(20) > 0 {
		img.IsSupportCloudinit = new(g.IntN(8) > 0)
	}
	img.Undocumented = g.IntN(2) == 0
	g.newFields(&img)
	g.snapshots(&img)
	g.tags(&img)
	return img
}

func (g *generator) id(prefix string) string {
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
	for {
		b := []byte(prefix)
		for range 8 {
			b = append(b, alphabet[g.IntN(len(alphabet))])
		}
		if id := string(b); !g.ids[id] {
			g.ids[id] = true
			return id
		}
	}
}

// name returns a name that is unique in the account, as the real service requires.
func (g *generator) name(i int) string {
	if i < len(recordedNames) {
		return recordedNames[i]
	}
	return fmt.Sprintf("%s-%d", namePrefixes[g.IntN(len(namePrefixes))], i)
}

// createdTime uses both notations, that of recordings and that of the API page's examples.
func (g *generator) createdTime(i int) *string {
	t := newest.Add(-time.Duration(i) * 37 * time.Minute)
	if g.IntN(2) == 0 {
		return new(t.Format("2006-01-02T15:04:05Z"))
	}
	return new(t.Format("2006-01-02T15:04:05+00:00"))
}

// newFields sets the fields that exist since September 2024 and may be absent.
func (g *generator) newFields(img *Image) {
	switch g.IntN(4) {
	case 0:
	case 1:
		img.ImageFamily = new("")
	default:
		img.ImageFamily = new(g.oneOf("base", "web", "db"))
	}
	if g.IntN(3) > 0 {
		img.ImageDeprecated = new(g.IntN(10) == 0)
	}
}

func (g *generator) snapshots(img *Image) {
	system := Snapshot{SnapshotID: g.id("snap-"), DiskUsage: "SYSTEM_DISK", DiskSize: img.ImageSize}
	switch g.IntN(10) {
	case 0:
		img.SnapshotSet = []Snapshot{}
	case 1:
		img.SnapshotSet = nil
	case 2:
		img.Absent = append(img.Absent, "SnapshotSet")
	case 3, 4:
		data := Snapshot{SnapshotID: g.id("snap-"), DiskUsage: "DATA_DISK", DiskSize: 100}
		img.SnapshotSet = []Snapshot{system, data}
	default:
		img.SnapshotSet = []Snapshot{system}
	}
}

func (g *generator) tags(img *Image) {
	switch g.IntN(10) {
	case 0:
		img.Tags = nil
	case 1:
		img.Absent = append(img.Absent, "Tags")
	case 2, 3, 4:
		img.Tags = []Tag{}
	default:
		keys := map[string]bool{}
		for range 1 + g.IntN(3) {
			if t := tagPairs[g.IntN(len(tagPairs))]; !keys[t.Key] {
				keys[t.Key] = true
				img.Tags = append(img.Tags, t)
			}
		}
	}
}

func (g *generator) oneOf(s ...string) string { return s[g.IntN(len(s))] }

func (g *generator) oneOfInt(n ...int64) int64 { return n[g.IntN(len(n))] }
