// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"encoding/json"
	"slices"
	"strconv"
)

// Image is one image of a region. Exported fields with wire names are answered as on the wire. The field comments
// define nil and zero, because the real service answers some fields as null and omits others.
type Image struct {
	// ImageID is "img-" and eight characters of [0-9a-z] in every recording. It isn't validated, so that invalid ids
	// can be served.
	ImageID string `json:"ImageId"`
	// OSName is localised for public images; see OSNameZH.
	OSName string `json:"OsName"`
	// ImageType is PRIVATE_IMAGE, PUBLIC_IMAGE or SHARED_IMAGE from the caller's point of view. Any other value is
	// answered unchanged. Put sets a missing Owner of a private image to the DefaultCredential's account, and missing
	// Owner and SharedWith of a shared image.
	ImageType string `json:"ImageType"`
	// CreatedTime is nil (null) for public images. Private ones have "2022-09-22T15:10:55Z" or
	// "2020-09-22T00:00:00+00:00".
	CreatedTime *string `json:"CreatedTime"`
	// ImageName has at most 60 characters of any Unicode in the real service. It is localised for public images; see
	// NameZH.
	ImageName string `json:"ImageName"`
	// ImageDescription has at most 256 characters in the real service. It is localised for public images; see
	// DescriptionZH.
	ImageDescription string `json:"ImageDescription"`
	// ImageSize is in GiB.
	ImageSize int64 `json:"ImageSize"`
	// Architecture is x86_64, arm or i386 (not arm64).
	Architecture string `json:"Architecture"`
	// ImageState is NORMAL, CREATING, CREATEFAILED, SYNCING, IMPORTING, IMPORTFAILED or something newer.
	ImageState string `json:"ImageState"`
	// Platform is CentOS, Ubuntu, TencentOS, Windows, "Rocky Linux" and so on.
	Platform string `json:"Platform"`
	// ImageCreator is the uin of the creator, or nil (null) for public images.
	ImageCreator *string `json:"ImageCreator"`
	// ImageSource is OFFICIAL, CREATE_IMAGE or EXTERNAL_IMPORT.
	ImageSource string `json:"ImageSource"`
	// SyncPercent is nil (null) unless the image is being copied.
	SyncPercent *int64 `json:"SyncPercent"`
	// IsSupportCloudinit is nil (null) if unknown.
	IsSupportCloudinit *bool `json:"IsSupportCloudinit"`
	// SnapshotSet is null if nil, [] if empty.
	SnapshotSet []Snapshot `json:"SnapshotSet"`
	// Tags is null if nil, [] if empty.
	Tags []Tag `json:"Tags"`
	// LicenseType is TencentCloud or BYOL. It is omitted if "", as on the API page.
	LicenseType string `json:"LicenseType,omitempty"`
	// ImageFamily is omitted if nil, as before September 2024.
	ImageFamily *string `json:"ImageFamily,omitempty"`
	// ImageDeprecated is omitted if nil, as before September 2024.
	ImageDeprecated *bool `json:"ImageDeprecated,omitempty"`
	// CdcCacheStatus is answered only to requests with CDC filters, and omitted if "".
	CdcCacheStatus string `json:"CdcCacheStatus,omitempty"`

	// Owner is the uin of the owning account. "" means a public image.
	Owner string `json:"Owner,omitempty"`
	// SharedWith are the uins of accounts that see the image as SHARED_IMAGE.
	SharedWith []string `json:"SharedWith,omitempty"`
	// HiddenFrom are the uins of accounts that don't see this public image. Which images are public depends on the
	// account (terraform-provider-tencentcloud issue 809).
	HiddenFrom []string `json:"HiddenFrom,omitempty"`
	// NameZH is ImageName in answers to X-TC-Language zh-CN; "" means the same.
	NameZH string `json:"NameZH,omitempty"`
	// OSNameZH is OSName in answers to X-TC-Language zh-CN; "" means the same.
	OSNameZH string `json:"OSNameZH,omitempty"`
	// DescriptionZH is ImageDescription in answers to X-TC-Language zh-CN; "" means the same.
	DescriptionZH string `json:"DescriptionZH,omitempty"`
	// InstanceTypes are the instance types that can use the image. nil means all.
	InstanceTypes []string `json:"InstanceTypes,omitempty"`
	// DedicatedClusterIDs are the CDC clusters matched by the filter dedicated-cluster-id.
	DedicatedClusterIDs []string `json:"DedicatedClusterIds,omitempty"`
	// Undocumented adds the undocumented members of a recording of 2022 (CreatePercent, GPUDriverList,
	// isSupportCloudinit and so on, and tagKey and tagValue beside each tag's Key and Value).
	Undocumented bool `json:"Undocumented,omitempty"`
	// Absent are wire names of fields to omit.
	Absent []string `json:"Absent,omitempty"`
	// Raw has verbatim bytes for wire fields: wrong types, null, further fields ("GPUDriverList"), even invalid UTF-8.
	Raw map[string]json.RawMessage `json:"Raw,omitempty"`
}

// Snapshot is a disk snapshot of an image.
type Snapshot struct {
	// SnapshotID is "snap-" and eight characters.
	SnapshotID string `json:"SnapshotId"`
	// DiskUsage is SYSTEM_DISK or DATA_DISK.
	DiskUsage string `json:"DiskUsage"`
	// DiskSize is in GiB.
	DiskSize int64 `json:"DiskSize"`
}

// Tag is a tag of an image.
type Tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

// Image types of the API (API page, filter image-type).
const (
	TypePrivate = "PRIVATE_IMAGE"
	TypePublic  = "PUBLIC_IMAGE"
	TypeShared  = "SHARED_IMAGE"
)

// language is a value of X-TC-Language.
type language int

const (
	chinese language = iota // zh-CN, the default of the API ("common request headers" documentation)
	english                 // en-US
	languages
)

// relation is the relation of a caller to an image.
type relation int

const (
	public relation = iota
	own
	shared
	relations
	invisible
)

var relationTypes = [relations]string{public: TypePublic, own: TypePrivate, shared: TypeShared}

// relationTo returns how the account sees the image: its own images are private, official ones public, those shared
// with it shared. Other accounts' images are invisible (API page, filter image-type).
func (i *Image) relationTo(uin string) relation {
	switch {
	case i.Owner == "" && slices.Contains(i.HiddenFrom, uin):
		return invisible
	case i.Owner == "":
		return public
	case i.Owner == uin:
		return own
	case slices.Contains(i.SharedWith, uin):
		return shared
	}
	return invisible
}

// typeFor returns the ImageType that the caller sees.
func (i *Image) typeFor(rel relation) string {
	switch i.ImageType {
	case "", TypePrivate, TypePublic, TypeShared:
		return relationTypes[rel]
	}
	return i.ImageType
}

func (i *Image) name(lang language) string { return localised(lang, i.NameZH, i.ImageName) }

func localised(lang language, zh, en string) string {
	if lang == chinese && zh != "" {
		return zh
	}
	return en
}

// hasTag reports whether the image has a tag with the key and, when values are given, one of these values.
func (i *Image) hasTag(key string, values []string) bool {
	return slices.ContainsFunc(i.Tags, func(t Tag) bool {
		return t.Key == key && (len(values) == 0 || slices.Contains(values, t.Value))
	})
}

// clone returns a deep copy.
func (i *Image) clone() Image {
	c := *i
	c.CreatedTime, c.ImageCreator = copyPtr(i.CreatedTime), copyPtr(i.ImageCreator)
	c.SyncPercent, c.IsSupportCloudinit = copyPtr(i.SyncPercent), copyPtr(i.IsSupportCloudinit)
	c.ImageFamily, c.ImageDeprecated = copyPtr(i.ImageFamily), copyPtr(i.ImageDeprecated)
	c.SnapshotSet, c.Tags = slices.Clone(i.SnapshotSet), slices.Clone(i.Tags)
	c.SharedWith, c.HiddenFrom = slices.Clone(i.SharedWith), slices.Clone(i.HiddenFrom)
	c.InstanceTypes, c.Absent = slices.Clone(i.InstanceTypes), slices.Clone(i.Absent)
	c.DedicatedClusterIDs = slices.Clone(i.DedicatedClusterIDs)
	if i.Raw != nil {
		c.Raw = make(map[string]json.RawMessage, len(i.Raw))
		for k, v := range i.Raw {
			c.Raw[k] = slices.Clone(v)
		}
	}
	return c
}

func copyPtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// encode writes the image as the caller sees it.
func (i *Image) encode(lang language, rel relation, cdc bool) []byte {
	e := imageEncoder{image: i, members: members{buf: append(make([]byte, 0, 768), '{'), set: i.Raw, unset: i.Absent}}
	e.text("ImageId", i.ImageID)
	e.text("OsName", localised(lang, i.OSNameZH, i.OSName))
	e.number("ImageSize", &i.ImageSize)
	e.text("ImageType", i.typeFor(rel))
	e.textOrNull("CreatedTime", i.CreatedTime)
	e.text("ImageState", i.ImageState)
	e.text("ImageSource", i.ImageSource)
	e.text("ImageName", i.name(lang))
	e.text("ImageDescription", localised(lang, i.DescriptionZH, i.ImageDescription))
	e.textOrNull("ImageCreator", i.ImageCreator)
	e.number("SyncPercent", i.SyncPercent)
	e.boolean("IsSupportCloudinit", i.IsSupportCloudinit)
	e.text("Platform", i.Platform)
	e.text("Architecture", i.Architecture)
	e.snapshots()
	e.tags()
	if i.LicenseType != "" {
		e.text("LicenseType", i.LicenseType)
	}
	if i.ImageFamily != nil {
		e.text("ImageFamily", *i.ImageFamily)
	}
	if i.ImageDeprecated != nil {
		e.boolean("ImageDeprecated", i.ImageDeprecated)
	}
	if cdc && i.CdcCacheStatus != "" {
		e.text("CdcCacheStatus", i.CdcCacheStatus)
	}
	if i.Undocumented {
		e.undocumented()
	}
	for _, k := range sortedKeys(i.Raw) {
		e.key(k)
		e.buf = append(e.buf, i.Raw[k]...)
	}
	return append(e.buf, '}')
}

// imageEncoder encodes an image.
type imageEncoder struct {
	members
	image *Image
}

func (e *imageEncoder) text(name, v string) {
	if e.member(name) {
		e.buf = appendString(e.buf, v)
	}
}

func (e *imageEncoder) textOrNull(name string, v *string) {
	switch {
	case !e.member(name):
	case v == nil:
		e.buf = append(e.buf, "null"...)
	default:
		e.buf = appendString(e.buf, *v)
	}
}

func (e *imageEncoder) number(name string, v *int64) {
	switch {
	case !e.member(name):
	case v == nil:
		e.buf = append(e.buf, "null"...)
	default:
		e.buf = strconv.AppendInt(e.buf, *v, 10)
	}
}

func (e *imageEncoder) boolean(name string, v *bool) {
	switch {
	case !e.member(name):
	case v == nil:
		e.buf = append(e.buf, "null"...)
	default:
		e.buf = strconv.AppendBool(e.buf, *v)
	}
}

func (e *imageEncoder) snapshots() {
	if !e.member("SnapshotSet") {
		return
	}
	e.buf = appendList(e.buf, e.image.SnapshotSet, func(b []byte, s Snapshot) []byte {
		b = appendString(append(b, `{"SnapshotId":`...), s.SnapshotID)
		b = appendString(append(b, `,"DiskUsage":`...), s.DiskUsage)
		return append(strconv.AppendInt(append(b, `,"DiskSize":`...), s.DiskSize, 10), '}')
	})
}

func (e *imageEncoder) tags() {
	if !e.member("Tags") {
		return
	}
	e.buf = appendList(e.buf, e.image.Tags, func(b []byte, t Tag) []byte {
		b = append(b, '{')
		if e.image.Undocumented {
			b = appendString(append(b, `"tagKey":`...), t.Key)
			b = append(appendString(append(b, `,"tagValue":`...), t.Value), ',')
		}
		b = appendString(append(b, `"Key":`...), t.Key)
		return append(appendString(append(b, `,"Value":`...), t.Value), '}')
	})
}

// undocumented adds members with the values that all images of the recording have (cloud-custodian test_tc_ami).
func (e *imageEncoder) undocumented() {
	for _, m := range [...][2]string{
		{"CreatePercent", "null"}, {"IsSupportAutoInstallGPUDriver", "false"}, {"GPUDriverList", "[]"}, {"ImageFormat", `"RAW"`},
		{"_ImageClass", `"SystemImage"`},
	} {
		if e.member(m[0]) {
			e.buf = append(e.buf, m[1]...)
		}
	}
	e.boolean("isSupportCloudinit", e.image.IsSupportCloudinit)
}
