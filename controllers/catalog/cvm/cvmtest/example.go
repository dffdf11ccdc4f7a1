// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

// absentOnPage are the fields missing in the API page's examples.
var absentOnPage = []string{"LicenseType", "ImageFamily", "ImageDeprecated"}

// PageExample1 is the image of the API page's first example, img-9qabwvbn. Unlike PublicImages' entry for that id,
// which follows the real service, it has the page's CreatedTime and tag.
func PageExample1() Image {
	return Image{
		ImageID: "img-9qabwvbn", OSName: "CentOS 7.6 64bit", OSNameZH: "CentOS 7.6 64位", ImageSize: 50, ImageType: TypePublic,
		CreatedTime: new("2020-09-22T00:00:00+00:00"), ImageState: "NORMAL", ImageSource: "OFFICIAL",
		ImageName: "CentOS 7.6 64bit", NameZH: "CentOS 7.6 64位", ImageDescription: "CentOS 7.6 64bit", DescriptionZH: "CentOS 7.6 64位",
		IsSupportCloudinit: new(true), Platform: "CentOS", Architecture: "x86_64",
		SnapshotSet: []Snapshot{}, Tags: []Tag{{Key: "xx", Value: "xx"}}, Absent: append([]string(nil), absentOnPage...),
	}
}

// PageExample returns the 408 private images of the API page's second example, for the DefaultCredential's account. The
// first one is the image on the page, img-qlzp4oea; the others are generated.
func PageExample() []Image {
	first := Image{
		OSName: "CentOS 7.4 64bit", OSNameZH: "CentOS 7.4 64位", ImageSize: 20, ImageType: TypePrivate, Owner: DefaultCredential.UIN,
		CreatedTime: new("2020-09-22T00:00:00+00:00"), ImageDescription: "test-image", ImageSource: "CREATE_IMAGE",
		ImageID: "img-qlzp4oea", ImageName: "test-image", ImageCreator: new("3205597606"), ImageState: "NORMAL",
		SnapshotSet: []Snapshot{{SnapshotID: "snap-gqa37j2p", DiskUsage: "SYSTEM_DISK", DiskSize: 20}},
		Tags:        []Tag{{Key: "xx", Value: "xx"}}, Architecture: "x86_64", Platform: "CentOS", IsSupportCloudinit: new(true),
		Absent: append([]string(nil), absentOnPage...),
	}
	return append([]Image{first}, PrivateImages(408, 407, DefaultCredential.UIN)...)
}
