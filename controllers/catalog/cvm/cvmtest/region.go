// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import "regexp"

// edgeRegion is the form of edge regions (ap-xian-ec and so on).
var edgeRegion = regexp.MustCompile(`^ap-[a-z]+-ec$`)

// knownRegions are those seen in documentation and in other clients. The answer to any other is UnsupportedRegion (common error code).
var knownRegions = map[string]bool{
	"ap-guangzhou": true, "ap-shanghai": true, "ap-beijing": true, "ap-nanjing": true, "ap-chengdu": true, "ap-chongqing": true,
	"ap-hongkong": true, "ap-singapore": true, "ap-bangkok": true, "ap-jakarta": true, "ap-seoul": true, "ap-tokyo": true,
	"eu-frankfurt": true, "na-ashburn": true, "na-siliconvalley": true, "sa-saopaulo": true, "me-saudi-arabia": true,
	// Finance regions; the real ones answer at their own endpoints only, which a simulator with one address can't show.
	"ap-shanghai-fsi": true, "ap-shenzhen-fsi": true, "ap-beijing-fsi": true,
	// Limited or legacy.
	"ap-taipei": true, "ap-shenzhen": true, "ap-qingyuan": true, "ap-tianjin": true, "ap-guiyang": true, "ap-guangzhou-open": true,
	"ap-mumbai": true, "na-toronto": true, "eu-moscow": true,
}

func isRegion(name string) bool { return knownRegions[name] || edgeRegion.MatchString(name) }
