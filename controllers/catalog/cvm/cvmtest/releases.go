// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import "time"

const day = 24 * time.Hour

// Releases returns what the image builds of an account have left at a time: node images of three versions for both
// architectures, the newest of them a day old, and one image of a web server. The recipes in the documentation select among
// them.
func Releases(now time.Time, uin string) []Image {
	return []Image{
		WebRelease("img-web00046", "web-2026w46", now.Add(-7*day), uin),
		Release("img-node304x", "node-v1.30.4-x86", "x86_64", now.Add(-60*day), uin),
		Release("img-node304a", "node-v1.30.4-arm", "arm", now.Add(-60*day), uin),
		Release("img-node312x", "node-v1.31.2-x86", "x86_64", now.Add(-20*day), uin, Tag{"stage", "prod"}),
		Release("img-node312a", "node-v1.31.2-arm", "arm", now.Add(-20*day), uin, Tag{"stage", "prod"}),
		Release("img-node313x", "node-v1.31.3-x86", "x86_64", now.Add(-day), uin, Tag{"stage", "candidate"}),
		Release("img-node313a", "node-v1.31.3-arm", "arm", now.Add(-day), uin, Tag{"stage", "candidate"}),
	}
}

// WebRelease returns an image of a web server, with the tag role=web.
func WebRelease(id, name string, created time.Time, uin string) Image {
	web := Release(id, name, "x86_64", created, uin, Tag{"role", "web"})
	web.OSName, web.Platform = "Ubuntu Server 24.04 LTS 64bit", "Ubuntu"
	return web
}

// PlatformAccount is the account that shares images in the recipes.
const PlatformAccount = "100000000009"

// SharedReleases returns node images for both architectures that an account shares with others. It is not known
// whether the service shows tags and snapshots of such images.
func SharedReleases(now time.Time, owner string, with ...string) []Image {
	out := []Image{
		Release("img-share31x", "node-v1.31.3-x86", "x86_64", now.Add(-day), owner),
		Release("img-share31a", "node-v1.31.3-arm", "arm", now.Add(-day), owner),
	}
	for i := range out {
		out[i].ImageType, out[i].SharedWith, out[i].SnapshotSet = TypeShared, with, []Snapshot{}
	}
	return out
}

// Release returns a TencentOS image as CreateImage leaves it.
func Release(id, name, architecture string, created time.Time, uin string, tags ...Tag) Image {
	if tags == nil {
		tags = []Tag{}
	}
	return Image{
		ImageID: id, ImageName: name, ImageType: TypePrivate, ImageState: "NORMAL", ImageSource: "CREATE_IMAGE",
		CreatedTime: new(created.UTC().Format(time.RFC3339)), Owner: uin, ImageCreator: new(uin),
		OSName: "TencentOS Server 4", Platform: "TencentOS", Architecture: architecture, ImageSize: 50,
		IsSupportCloudinit: new(true), LicenseType: "TencentCloud",
		SnapshotSet: []Snapshot{{SnapshotID: "snap-" + id[len("img-"):], DiskUsage: "SYSTEM_DISK", DiskSize: 50}}, Tags: tags,
	}
}
