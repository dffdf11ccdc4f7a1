// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// tagPrefix starts filter names that contain a tag key: "tag:<key>".
const tagPrefix = "tag:"

// matchers implement the filters of the current documentation (API page, and SDK cvm v1.1.0 DescribeImagesRequest; the
// two CDC ones: SDK cvm v1.1.48). An image matches a filter if it matches one of the values.
var matchers = map[string]func(v *view, values []string) bool{
	"image-id": func(v *view, values []string) bool { return slices.Contains(values, v.ImageID) },
	"image-type": func(v *view, values []string) bool {
		return slices.Contains(values, v.typeFor(v.rel))
	},
	// Fuzzy by documentation since SDK cvm v1.0.1154. That it matches the name in the request's language is proven for
	// en-US only (packer-plugin-tencentcloud's acceptance test).
	"image-name": func(v *view, values []string) bool { return v.fuzzy(v.name(v.lang), values) },
	"platform":   func(v *view, values []string) bool { return v.fuzzy(v.Platform, values) },
	"tag-key": func(v *view, values []string) bool {
		return slices.ContainsFunc(v.Tags, func(t Tag) bool { return slices.Contains(values, t.Key) })
	},
	"tag-value": func(v *view, values []string) bool {
		return slices.ContainsFunc(v.Tags, func(t Tag) bool { return slices.Contains(values, t.Value) })
	},
	filterCDC: func(v *view, values []string) bool {
		return slices.ContainsFunc(v.DedicatedClusterIDs, func(id string) bool { return slices.Contains(values, id) })
	},
	filterCDCStatus: func(v *view, values []string) bool {
		return slices.Contains(values, cdcAll) || slices.Contains(values, v.CdcCacheStatus)
	},
}

const (
	filterCDC       = "dedicated-cluster-id"
	filterCDCStatus = "cdc-cache-status"
	// cdcAll stands for all statuses (data type's description: "CACHED_ALL: 全部缓存状态").
	cdcAll = "CACHED_ALL"
)

// view is an image as seen by the caller of one request.
type view struct {
	*entry
	rel        relation
	lang       language
	ignoreCase bool
}

// fuzzy reports whether s contains a value literally. Whether the real service supports wildcards is not known, nor
// whether it ignores case; see Options.IgnoreCase.
func (v *view) fuzzy(s string, values []string) bool {
	return slices.ContainsFunc(values, func(value string) bool {
		if v.ignoreCase {
			s, value = strings.ToLower(s), strings.ToLower(value)
		}
		return strings.Contains(s, value)
	})
}

// matches reports whether the image satisfies all filters.
func (v *view) matches(filters []filter) bool {
	for _, f := range filters {
		if key, ok := strings.CutPrefix(f.name, tagPrefix); ok {
			if !v.hasTag(key, f.values) {
				return false
			}
		} else if !matchers[f.name](v, f.values) {
			return false
		}
	}
	return true
}

// checkFilters makes the checks that don't depend on the inventory.
func checkFilters(filters []filter) *refusal {
	names := map[string]bool{}
	for _, f := range filters {
		if names[f.name] {
			return unknown("two Filters named " + f.name)
		}
		names[f.name] = true
		if no := checkFilter(f); no != nil {
			return no
		}
	}
	if names[filterCDCStatus] && !names[filterCDC] {
		// The documentation's example has both. Using only one is not documented.
		return unknown("the filter " + filterCDCStatus + " without " + filterCDC)
	}
	return nil
}

func checkFilter(f filter) *refusal {
	if len(f.values) > maxFilterValues {
		return refuse("InvalidFilterValue.LimitExceeded",
			fmt.Sprintf("The number of values of Filter `%.64s` exceeds the limit %d.", f.name, maxFilterValues))
	}
	if slices.Contains(f.values, "") {
		return unknown("an empty value in the filter " + f.name)
	}
	switch {
	case strings.HasPrefix(f.name, tagPrefix):
		return checkTagKey(strings.TrimPrefix(f.name, tagPrefix))
	case f.name == "tag-key":
		for _, key := range f.values {
			if no := checkTagKey(key); no != nil {
				return no
			}
		}
	case f.name == "image-id":
		return checkIDs(f.values, "the filter image-id")
	case f.name == "image-type":
		return checkValues(f, TypePrivate, TypePublic, TypeShared, "MARKET_IMAGE")
	case f.name == filterCDCStatus:
		return checkValues(f, cdcAll, "CACHING", "CACHED", "CACHE_INVALID", "CACHE_FAILED")
	case f.name == "image-state":
		// Documented in 2018 and still sent by terraform and cloudmux, but no longer documented.
		return unknown("the filter image-state, which is no longer documented")
	case matchers[f.name] == nil:
		return refuse("InvalidFilter", fmt.Sprintf("The filter `%.64s` is invalid.", f.name))
	}
	return nil
}

// checkValues refuses values outside a documented list, since the service's reaction is not known. MARKET_IMAGE,
// documented in 2019, finds nothing today (terraform-provider-tencentcloud issue 334).
func checkValues(f filter, allowed ...string) *refusal {
	for _, v := range f.values {
		if !slices.Contains(allowed, v) {
			return unknown("the value " + v + " of the filter " + f.name)
		}
	}
	return nil
}

// tagPunctuation are the characters that tag keys may have besides letters, digits and inner spaces (document
// 651/13354, "使用限制").
const tagPunctuation = "+-=._:/@()[],;><＋－＝／＠（）【】："

// checkTagKey refuses keys that the tag documentation forbids (651/13354). That DescribeImages uses this code for them
// is inferred from the code's description (标签键存在不合法字符).
func checkTagKey(key string) *refusal {
	if key == "" {
		return unknown("an empty tag key")
	}
	if strings.TrimSpace(key) != key {
		return refuse("FailedOperation.IllegalTagKey", "The tag key starts or ends with a space.")
	}
	for _, r := range key {
		if r != ' ' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune(tagPunctuation, r) {
			return refuse("FailedOperation.IllegalTagKey", fmt.Sprintf("The tag key contains the illegal character %q.", r))
		}
	}
	return nil
}

// tagKeys returns the tag keys in the filters.
func tagKeys(filters []filter) []string {
	var keys []string
	for _, f := range filters {
		if key, ok := strings.CutPrefix(f.name, tagPrefix); ok {
			keys = append(keys, key)
		} else if f.name == "tag-key" {
			keys = append(keys, f.values...)
		}
	}
	return keys
}
