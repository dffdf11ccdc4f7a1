// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// imageIDPattern matches ids that may become part of an object's name. The cloud's are img- and eight characters; the bound is
// that of CloudImage.
var imageIDPattern = regexp.MustCompile(`^img-[0-9a-z]{1,32}$`)

// Bounds in characters, as in CloudImage's schema. The cloud's limits are 60 for names and 256 for descriptions (API pages
// CreateImage and ModifyImageAttribute), but may not apply to shared images.
const (
	maxWord        = 64
	maxPlatform    = 128
	maxName        = 255
	maxDescription = 512
	maxItems       = 64
)

// architectures maps the API's values to those of Kubernetes: x86_64, arm and i386 are on the page DescribeImages, arm_64 is
// on ImportImage's, and the others are usual synonyms.
var architectures = map[string]string{
	"x86_64": "amd64", "amd64": "amd64", "arm": "arm64", "arm_64": "arm64", "arm64": "arm64", "aarch64": "arm64", "i386": "386",
}

// convertImage converts an image. Every field may be null or absent, contrary to the API's page: public images have no
// CreatedTime, creator or tags, and some private ones no SnapshotSet.
func convertImage(i *imageAnswer) catalog.Image {
	architecture := normalise(i.Architecture, maxWord)
	if known, ok := architectures[strings.ToLower(architecture)]; ok {
		architecture = known
	}
	return catalog.Image{
		ID:           i.ImageId,
		Name:         normalise(i.ImageName, maxName),
		Description:  normalise(i.ImageDescription, maxDescription),
		Type:         normalise(i.ImageType, maxWord),
		Source:       normalise(i.ImageSource, maxWord),
		Creator:      normalise(i.ImageCreator, maxWord),
		State:        normalise(i.ImageState, maxWord),
		OSName:       normalise(i.OsName, maxName),
		Platform:     normalise(i.Platform, maxPlatform),
		Architecture: architecture,
		SizeGiB:      i.ImageSize,
		CloudInit:    i.IsSupportCloudinit,
		LicenseType:  normalise(i.LicenseType, maxWord),
		Family:       normalise(i.ImageFamily, maxPlatform),
		Deprecated:   i.ImageDeprecated,
		CreatedTime:  parseTime(i.CreatedTime),
		Tags:         convertTags(i.Tags),
		Snapshots:    convertSnapshots(i.SnapshotSet),
	}
}

func convertTags(in []*tagAnswer) []catalog.Tag {
	var out []catalog.Tag
	for _, t := range in {
		if t != nil {
			out = append(out, catalog.Tag{Key: normalise(t.Key, maxName), Value: normalise(t.Value, maxName)})
		}
	}
	slices.SortFunc(out, func(a, b catalog.Tag) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value))
	})
	return out[:min(len(out), maxItems)]
}

func convertSnapshots(in []*snapshotAnswer) []catalog.Snapshot {
	var out []catalog.Snapshot
	for _, s := range in {
		if s != nil {
			out = append(out, catalog.Snapshot{
				ID:          normalise(s.SnapshotId, maxWord),
				DiskUsage:   normalise(s.DiskUsage, maxWord),
				DiskSizeGiB: s.DiskSize,
			})
		}
	}
	slices.SortFunc(out, func(a, b catalog.Snapshot) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.DiskUsage, b.DiskUsage), cmp.Compare(a.DiskSizeGiB, b.DiskSizeGiB))
	})
	return out[:min(len(out), maxItems)]
}

// parseTime parses a time of the API, "2022-09-22T15:10:55Z" or "2020-09-22T00:00:00+00:00". Old images have the start of Unix
// time for none. Invalid times count as none too, and so do times after the year 9999 in UTC, which can be written but not
// read again.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if t = t.UTC(); err != nil || t.Unix() <= 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t.Truncate(time.Second)
}

// normalise makes untrusted text safe to store and show: valid UTF-8 of at most limit characters, without characters that
// control a terminal or change the text direction (Unicode classes Cc, Cf, Zl and Zp).
func normalise(s string, limit int) string {
	if !plain(s) {
		s = strings.Map(func(r rune) rune {
			if r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				return -1
			}
			return r
		}, s)
	}
	if len(s) > limit && utf8.RuneCountInString(s) > limit {
		s = string([]rune(s)[:limit])
	}
	return strings.TrimSpace(s)
}

// plain reports whether text is printable ASCII, as nearly all text is. The check avoids Unicode table lookups, which would
// dominate the cost of a page after decoding.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
