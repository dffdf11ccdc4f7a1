// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"encoding/json"
	"slices"
	"strconv"
)

// Image is one image of a region. Exported fields with wire names are answered as on the wire; nil and zero mean what the comment
// says, because the real service answers some fields as null and leaves others out.
type Image struct {
	// ImageID is "img-" and eight characters of [0-9a-z] in every recording; nothing here enforces it, so that bad ids can be served.
	ImageID string `json:"ImageId"`
	// OSName is localised for public images; see OSNameZH.
	OSName string `json:"OsName"`
	// ImageType is answered verbatim if it is not one of PRIVATE_IMAGE, PUBLIC_IMAGE and SHARED_IMAGE; those three are answered
	// from the caller's point of view instead. Put fills Owner (the DefaultCredential's account) for an image said to be
	// private without one, and Owner and SharedWith for one said to be shared without.
	ImageType string `json:"ImageType"`
	// CreatedTime is nil (null) for public images; private ones have "2022-09-22T15:10:55Z" or "2020-09-22T00:00:00+00:00".
	CreatedTime *string `json:"CreatedTime"`
	// ImageName is at most 60 characters of any Unicode at the real service; localised for public images, see NameZH.
	ImageName string `json:"ImageName"`
	// ImageDescription is at most 256 characters at the real service; localised for public images, see DescriptionZH.
	ImageDescription string `json:"ImageDescription"`
	// ImageSize is in GiB.
	ImageSize int64 `json:"ImageSize"`
	// Architecture is x86_64, arm or i386 (not arm64).
	Architecture string `json:"Architecture"`
	// ImageState is NORMAL, CREATING, CREATEFAILED, SYNCING, IMPORTING, IMPORTFAILED or something newer.
	ImageState string `json:"ImageState"`
	// Platform is CentOS, Ubuntu, TencentOS, Windows, "Rocky Linux" and so on.
	Platform string `json:"Platform"`
	// ImageCreator is the uin of the creator, nil (null) for public images.
	ImageCreator *string `json:"ImageCreator"`
	// ImageSource is OFFICIAL, CREATE_IMAGE or EXTERNAL_IMPORT.
	ImageSource string `json:"ImageSource"`
	// SyncPercent is nil (null) but while an image is copied.
	SyncPercent *int64 `json:"SyncPercent"`
	// IsSupportCloudinit is nil (null) where unknown.
	IsSupportCloudinit *bool `json:"IsSupportCloudinit"`
	// SnapshotSet is null when nil, [] when empty.
	SnapshotSet []Snapshot `json:"SnapshotSet"`
	// Tags is null when nil, [] when empty.
	Tags []Tag `json:"Tags"`
	// LicenseType is TencentCloud or BYOL; "" leaves it out of the answer, as on the API page.
	LicenseType string `json:"LicenseType,omitempty"`
	// ImageFamily is left out of the answer when nil, as before September 2024.
	ImageFamily *string `json:"ImageFamily,omitempty"`
	// ImageDeprecated is left out of the answer when nil, as before September 2024.
	ImageDeprecated *bool `json:"ImageDeprecated,omitempty"`
	// CdcCacheStatus is answered only to requests with CDC filters, and left out when "".
	CdcCacheStatus string `json:"CdcCacheStatus,omitempty"`

	// Owner is the uin of the account it belongs to; "" means a public image.
	Owner string `json:"Owner,omitempty"`
	// SharedWith are the uins it is shared with; they see it as SHARED_IMAGE.
	SharedWith []string `json:"SharedWith,omitempty"`
	// HiddenFrom are the uins that don't see this public image: what is public depends on the account (terraform-provider-tencentcloud
	// issue 809).
	HiddenFrom []string `json:"HiddenFrom,omitempty"`
	// NameZH is ImageName in answers to X-TC-Language zh-CN; "" means the same.
	NameZH string `json:"NameZH,omitempty"`
	// OSNameZH is OSName in answers to X-TC-Language zh-CN; "" means the same.
	OSNameZH string `json:"OSNameZH,omitempty"`
	// DescriptionZH is ImageDescription in answers to X-TC-Language zh-CN; "" means the same.
	DescriptionZH string `json:"DescriptionZH,omitempty"`
	// InstanceTypes are the types it can be used with; nil means all.
	InstanceTypes []string `json:"InstanceTypes,omitempty"`
	// DedicatedClusterIDs are the CDC clusters the dedicated-cluster-id filter finds it by.
	DedicatedClusterIDs []string `json:"DedicatedClusterIds,omitempty"`
	// Undocumented adds the members that a recording of 2022 has and no documentation mentions (CreatePercent, GPUDriverList,
	// isSupportCloudinit and so on, and tagKey and tagValue beside each tag's Key and Value).
	Undocumented bool `json:"Undocumented,omitempty"`
	// Absent are wire names of fields to leave out of the answer.
	Absent []string `json:"Absent,omitempty"`
	// Raw are wire fields to answer with exactly these bytes: wrong types, null, further fields ("GPUDriverList"), even invalid UTF-8.
	Raw map[string]json.RawMessage `json:"Raw,omitempty"`
}

// Snapshot is a snapshot behind an image.
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

// Image types as the API names them (API page, filter image-type).
const (
	TypePrivate = "PRIVATE_IMAGE"
	TypePublic  = "PUBLIC_IMAGE"
	TypeShared  = "SHARED_IMAGE"
)

// language is an X-TC-Language that the simulator knows.
type language int

const (
	chinese language = iota // zh-CN, the default of the API ("common request headers" documentation)
	english                 // en-US
	languages
)

// relation is how a caller sees an image.
type relation int

const (
	public relation = iota
	own
	shared
	relations
	invisible
)

var relationTypes = [relations]string{public: TypePublic, own: TypePrivate, shared: TypeShared}

// relationTo returns how the account sees the image: its own are private, official ones public, those shared with it shared;
// others' are not visible (API page, filter image-type).
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

// typeFor is the ImageType the caller sees.
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

// clone is a deep copy.
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

// imageEncoder writes an image's members.
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

// undocumented members with the values that all images of the recording have (cloud-custodian test_tc_ami).
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
