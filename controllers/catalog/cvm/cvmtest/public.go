// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import "strings"

// publicTable has ids and English names of real public images: id|name|platform|architecture|GiB. Empty architecture
// and size mean x86_64 and 20 (inferred). Sources: a public terraform state of February 2024 (Ubuntu),
// terraform-provider-tencentcloud's data_source_tc_images_test.txt of July 2022 (TencentOS, one Windows), and ids in
// other public code and documentation. The order of the families is inferred from a recording that begins with
// TencentOS and OpenCloudOS.
const publicTable = `
img-jle9w5at|TencentOS Server 3.2 (ARM64)|TencentOS|arm|50
img-9qrfy1xt|TencentOS Server 3.2 (Final)|TencentOS||50
img-4oj3jcoh|TencentOS Server 2.6 for ARM64(TK4)|TencentOS|arm|50
img-fjxtfi0n|TencentOS Server 2.6 (TK4)|TencentOS||50
img-2lr9q49h|TencentOS Server 2.2 (tkernel3)|TencentOS||50
img-bh86p0sv|TencentOS Server 2.2 (Final)|TencentOS||50
img-r5igp4bv|TencentOS Server 1.2 (tkernel2)|TencentOS||50
img-9a0eg8mt|TencentOS Server 3.1 for ARM64 (TK4)|TencentOS|arm|50
img-eb30mz89|TencentOS Server 3.1 (TK4)|TencentOS||
img-7rqxtnh9|TencentOS Server 3.3 (TK4)|TencentOS||
img-6n21msk1|TencentOS Server 4 for x86_64|TencentOS||
img-hdt9xxkt|Tencent Linux release 2.4 (Final)|TencentOS||
img-9axl1k53|TencentOS Server 2.4 (TK4)|TencentOS||
img-j5e5hadz|OpenCloudOS Server 9|OpenCloudOS||
img-028qly2h|OpenCloudOS Server 8|OpenCloudOS||
img-mmytdhbn|Ubuntu Server 24.04 LTS 64bit|Ubuntu||20
img-487zeit5|Ubuntu Server 22.04 LTS 64bit|Ubuntu||20
img-7rotv4ux|Ubuntu Server 22.04 LTS 64bit UEFI|Ubuntu||20
img-fipweiwz|Ubuntu Server 22.04 LTS 64bit GRID16.2|Ubuntu||20
img-22trbn9x|Ubuntu Server 20.04 LTS 64bit|Ubuntu||20
img-j10l2cnz|Ubuntu Server 20.04 LTS 64bit GRID11.1|Ubuntu||20
img-rx55p5nv|Ubuntu Server 20.04 LTS 64bit GRID16.2|Ubuntu||20
img-2eokmhf5|Ubuntu 20.04(arm64)|Ubuntu|arm|20
img-9eh8c1p1|Ubuntu 18.04(arm64)|Ubuntu|arm|20
img-pi0ii46r|Ubuntu Server 18.04 LTS 64bit|Ubuntu||20
img-pyqx34y1|Ubuntu Server 16.04 LTS 64bit|Ubuntu||20
img-8u6dn6p1|Ubuntu Server 16.04 LTS 32bit|Ubuntu|i386|20
img-3wnd9xpl|Ubuntu Server 14.04 LTS 64bit|Ubuntu||20
img-qpxvpujt|Ubuntu Server 14.04 LTS 32bit|Ubuntu|i386|50
img-l8og963d|CentOS 7.9|CentOS||
img-3la7wgnt|CentOS 7.8|CentOS||
img-9qabwvbn|CentOS 7.6 64bit|CentOS||50
img-oikl1tzv|CentOS 7.5 64bit|CentOS||50
img-8toqc6s3|CentOS 7.4 64bit|CentOS||50
img-dkwyg6sr|CentOS 7.3|CentOS||50
img-31tjrtph|CentOS 7.2|CentOS||
img-25szkc8t|CentOS 8.0|CentOS||
img-50mr2ow7|CentOS 6.2|CentOS||50
img-no575grb|Rocky Linux 8.6|Rocky Linux||
img-no59bf11|Rocky Linux 9.2|Rocky Linux||
img-39ei7bw5|Rocky Linux 9.4 64bit|Rocky Linux||
img-kp3mv36j|RHEL 8|Red Hat||
img-02j8jprl|RHEL 9|Red Hat||
img-29guuzjp|RHEL 10|Red Hat||
img-7ag0z2jt|Debian 12|Debian||
img-541bm08j|debian12.8|Debian||
img-mn4o8ymp|debian11.11|Debian||
img-6rrx0ymd|Debian 9.0 64bit|Debian||
img-hi93l4ht|Debian 8.2 64bit|Debian||
img-ez7jwngr|Debian 8.2 32bit|Debian|i386|50
img-c1y1axb9|FreeBSD 11.1 64bit|FreeBSD||
img-0ytr67o7|openSUSE 42.3 64bit|openSUSE||
img-0hvei5hp|CoreOS 1745.5.0 64bit|CoreOS||
img-6jb5wacd|Windows Server 2025 Datacenter 64bit CN|Windows||50
img-eb87lxi3|Windows Server 2025 Datacenter 64bit EN|Windows||50
img-m07ny34j|Windows Server 2022 Datacenter 64bit CN|Windows||50
img-9tzezztj|Windows Server 2022 Datacenter 64bit EN|Windows||50
img-mmy6qctz|Windows Server 2019 Datacenter 64bit CN|Windows||50
img-bhvhr6pr|Windows Server 2019 Datacenter 64bit EN|Windows||50
img-9id7emv7|Windows Server 2016 Datacenter 64bit CN|Windows||50
img-1eckhm4t|Windows Server 2016 Datacenter 64bit EN|Windows||50
img-29hl923v|Windows Server 2012 R2 Datacenter 64bit CN|Windows||50
img-2tddq003|Windows Server 2012 R2 Datacenter 64bit EN|Windows||50
img-kmzf9bvp|Windows Server 2012 R2 For Tencent|Windows||50
`

// chineseNames translates English names to Chinese: seen for "64bit" and for the one that differs in its digits. The
// English names of the Windows images are inferred from their Chinese ones.
var chineseNames = strings.NewReplacer(
	"Ubuntu Server 18.04 LTS 64bit", "Ubuntu Server 18.04.1 LTS 64位",
	"Datacenter 64bit CN", "数据中心版 64位中文版",
	"Datacenter 64bit EN", "数据中心版 64位英文版",
	"64bit", "64位", "32bit", "32位",
)

// Instance types that can use images of an architecture. That an Arm type accepts only Arm images is inferred.
var (
	armTypes = []string{"SR1.MEDIUM2", "SR1.LARGE8"}
	x86Types = []string{
		"S1.SMALL1", "S2.SMALL1", "S3.MEDIUM2", "S5.MEDIUM2", "S5.MEDIUM4", "S6.MEDIUM4", "SA2.MEDIUM2", "SA2.MEDIUM4", "SA5.MEDIUM2",
		"GN7.2XLARGE32",
	}
)

// PublicImages returns public images with real ids and names. As in recordings, and contrary to the documentation, they
// have no CreatedTime, ImageCreator and SyncPercent. OsName, ImageName and ImageDescription are equal and localised.
func PublicImages() []Image {
	var out []Image
	for line := range strings.Lines(strings.TrimPrefix(publicTable, "\n")) {
		out = append(out, publicImage(strings.Split(strings.TrimSuffix(line, "\n"), "|")))
	}
	return out
}

func publicImage(f []string) Image {
	id, name, platform, arch, size := f[0], f[1], f[2], f[3], f[4]
	zh := chineseNames.Replace(name)
	img := Image{
		ImageID: id, ImageType: TypePublic, ImageState: "NORMAL", ImageSource: "OFFICIAL", LicenseType: "TencentCloud",
		OSName: name, ImageName: name, ImageDescription: name, OSNameZH: zh, NameZH: zh, DescriptionZH: zh,
		Platform: platform, Architecture: "x86_64", ImageSize: 20, InstanceTypes: x86Types,
		IsSupportCloudinit: new(id != "img-qpxvpujt"), SnapshotSet: []Snapshot{}, Tags: []Tag{},
	}
	if arch != "" {
		img.Architecture = arch
	}
	if arch == "arm" {
		img.InstanceTypes = armTypes
	}
	if size == "50" {
		img.ImageSize = 50
	}
	return img.clone()
}
