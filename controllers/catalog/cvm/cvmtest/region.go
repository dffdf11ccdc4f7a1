// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"regexp"
	"slices"
	"strings"
)

// edgeRegion matches edge regions such as ap-xian-ec.
var edgeRegion = regexp.MustCompile(`^ap-[a-z]+-ec$`)

// regionForm matches all regions.
var regionForm = regexp.MustCompile(`^[a-z]{2}-[a-z]+(-[a-z0-9]+)*$`)

// closedRegions exist but aren't available to every account; the answer is UnsupportedRegion (tencentcloud-sdk-php
// issue 46). That this region is one of them is inferred.
var closedRegions = map[string]bool{"ap-shanghai-adc": true}

// knownRegions are the regions in documentation and in other clients. Any other is refused with InvalidParameterValue
// for Region (tencentcloud-sdk-python issue 21) or InvalidParameter for X-TC-Region (terraform-provider-tencentcloud
// issue 1364). When each of them is used is inferred.
var knownRegions = map[string]bool{
	"ap-guangzhou": true, "ap-shanghai": true, "ap-beijing": true, "ap-nanjing": true, "ap-chengdu": true, "ap-chongqing": true,
	"ap-hongkong": true, "ap-singapore": true, "ap-bangkok": true, "ap-jakarta": true, "ap-seoul": true, "ap-tokyo": true,
	"eu-frankfurt": true, "na-ashburn": true, "na-siliconvalley": true, "sa-saopaulo": true, "me-saudi-arabia": true,
	// Finance regions; see isAt.
	"ap-shanghai-fsi": true, "ap-shenzhen-fsi": true, "ap-beijing-fsi": true,
	// Limited or legacy.
	"ap-taipei": true, "ap-shenzhen": true, "ap-qingyuan": true, "ap-tianjin": true, "ap-guiyang": true, "ap-guangzhou-open": true,
	"ap-mumbai": true, "na-toronto": true, "eu-moscow": true,
}

// isAt reports whether a region is served at a host: a finance region only at its own host, such as
// cvm.ap-shanghai-fsi.tencentcloudapi.com, and no other region there (document 1021/34191, "finance regions are
// isolated; the host must be the region's"). That the answer is UnsupportedRegion otherwise is inferred.
func isAt(region, host string) bool {
	for label := range strings.SplitSeq(host, ".") {
		if slices.Contains(financeRegions, label) {
			return label == region
		}
	}
	return !slices.Contains(financeRegions, region)
}

var financeRegions = []string{"ap-shanghai-fsi", "ap-shenzhen-fsi", "ap-beijing-fsi"}

func isRegion(name string) bool {
	return knownRegions[name] || closedRegions[name] || edgeRegion.MatchString(name)
}
