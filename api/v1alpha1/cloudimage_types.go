// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CloudImage is one image as the cloud reports it to one account in one region. It is a record without spec and
// status: one write is one complete object, so no watcher ever sees half an image. Only the operator writes it;
// every ImageQuery that has the image as a member is one of its owners, up to 64 of them.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=cimg,categories=imagecatalog
// +kubebuilder:selectablefield:JSONPath=`.image.id`
// +kubebuilder:selectablefield:JSONPath=`.image.region`
// +kubebuilder:selectablefield:JSONPath=`.image.type`
// +kubebuilder:selectablefield:JSONPath=`.image.state`
// +kubebuilder:selectablefield:JSONPath=`.image.architecture`
// +kubebuilder:selectablefield:JSONPath=`.image.family`
// +kubebuilder:selectablefield:JSONPath=`.image.deprecated`
// +kubebuilder:selectablefield:JSONPath=`.lifecycle.presence`
// +kubebuilder:printcolumn:name="Title",type=string,JSONPath=`.image.name`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.image.type`
// +kubebuilder:printcolumn:name="Arch",type=string,JSONPath=`.image.architecture`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.image.state`
// +kubebuilder:printcolumn:name="Presence",type=string,JSONPath=`.lifecycle.presence`
// +kubebuilder:printcolumn:name="Created",type=date,JSONPath=`.image.createdTime`
// +kubebuilder:printcolumn:name="Platform",type=string,priority=1,JSONPath=`.image.platform`
// +kubebuilder:printcolumn:name="Size",type=integer,priority=1,JSONPath=`.image.sizeGiB`
// +kubebuilder:printcolumn:name="Deprecated",type=boolean,priority=1,JSONPath=`.image.deprecated`
// +kubebuilder:printcolumn:name="Credentials",type=string,priority=1,JSONPath=`.image.credentials`
// +kubebuilder:printcolumn:name="Age",type=date,priority=1,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == (has(self.image.credentials) ? self.image.credentials + '.' + self.image.region : self.image.region) + '-' + self.image.id",message="metadata.name must be [<image.credentials>.]<image.region>-<image.id>, such as ap-guangzhou-img-487zeit5"
type CloudImage struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. Its labels repeat facts of the image for selectors; the label
	// query.imagecatalog.dev/<name> marks the members of that ImageQuery.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// image has the facts that the cloud reports.
	// +required
	// +structType=atomic
	Image Image `json:"image,omitzero"`

	// lifecycle has what the operator knows: whether the image is there, since when, and until when its object stays.
	// +required
	// +structType=atomic
	Lifecycle ImageLifecycle `json:"lifecycle,omitzero"`
}

// Image has the facts that the cloud reports of an image (DescribeImages' response type Image). Observed values are bounded but
// never refused for being unknown: the cloud may add a state or a platform at any time.
//
// +kubebuilder:validation:XValidation:rule="self.id == oldSelf.id && self.region == oldSelf.region && has(self.credentials) == has(oldSelf.credentials) && (!has(self.credentials) || self.credentials == oldSelf.credentials)",message="image.id, image.region and image.credentials can't change: they are the image's identity; another image is another CloudImage"
type Image struct {
	// id is the image's id, the one to boot from. Example: img-487zeit5.
	// +required
	// +kubebuilder:validation:MinLength=5
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self.matches('^img-[0-9a-z]{1,32}$')",message="image.id must be img- and up to 32 lower-case letters and digits, such as img-487zeit5"
	ID string `json:"id,omitempty"`

	// region is the region in which the image was listed. Example: ap-guangzhou.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]+(-[a-z0-9]+)+$')",message="image.region must be a region's id in lower case, such as ap-guangzhou"
	Region string `json:"region,omitempty"`

	// credentials is the name of the Secret whose account listed the image; absent for the default credentials.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="image.credentials must be the name of a Secret that is a DNS label, such as acct2"
	Credentials string `json:"credentials,omitempty"`

	// name is the image's name, in English for public images. Example: Ubuntu Server 22.04 LTS 64bit.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Name string `json:"name,omitempty"`

	// description is the image's description.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Description string `json:"description,omitempty"`

	// type is the kind of owner: PRIVATE_IMAGE (the account's own), PUBLIC_IMAGE (Tencent's) or SHARED_IMAGE
	// (another account's, shared with this one).
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Type string `json:"type,omitempty"`

	// source is how the image was made: OFFICIAL, CREATE_IMAGE or EXTERNAL_IMPORT.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Source string `json:"source,omitempty"`

	// creator is the account (uin) that created the image; public images name none. Example: 3205597606.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Creator string `json:"creator,omitempty"`

	// state is the image's state: only a NORMAL image can be booted. Others are CREATING, CREATEFAILED, SYNCING,
	// IMPORTING and IMPORTFAILED.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	State string `json:"state,omitempty"`

	// osName is the operating system's full name. Example: TencentOS Server 3.1 (TK4).
	// +optional
	// +kubebuilder:validation:MaxLength=255
	OSName string `json:"osName,omitempty"`

	// platform is the operating system's family. Example: TencentOS.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Platform string `json:"platform,omitempty"`

	// architecture is amd64, arm64 or 386, by the Kubernetes name (the cloud says x86_64, arm, i386); any other
	// word of the cloud is kept as it is.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Architecture string `json:"architecture,omitempty"`

	// sizeGiB is the size of the system disk that the image needs, in GiB. Example: 50.
	// +required
	SizeGiB int64 `json:"sizeGiB"`

	// cloudInit is whether the image runs cloud-init.
	// +required
	CloudInit bool `json:"cloudInit"`

	// licenseType is who licenses the operating system: TencentCloud or BYOL.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LicenseType string `json:"licenseType,omitempty"`

	// family is the image family the image belongs to, if any.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Family string `json:"family,omitempty"`

	// deprecated is true when the image's owner advises against it; it can still be booted.
	// +required
	Deprecated bool `json:"deprecated"`

	// createdTime is when the image was created, by the cloud's clock; public images have none.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="createdTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	CreatedTime *metav1.Time `json:"createdTime,omitempty"`

	// tags are the image's tags in the cloud, sorted by key and value.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Tags []Tag `json:"tags,omitempty"`

	// snapshots are the disk snapshots the image consists of, sorted by id.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Snapshots []Snapshot `json:"snapshots,omitempty"`
}

// Tag is a tag of an image in the cloud.
type Tag struct {
	// key is the tag's key. Example: role.
	// +required
	// +kubebuilder:validation:MaxLength=255
	Key string `json:"key"`

	// value is the tag's value. Example: k8s-node.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Value string `json:"value,omitempty"`
}

// Snapshot is a disk snapshot that an image consists of.
type Snapshot struct {
	// id is the snapshot's id. Example: snap-gqa37j2p.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id,omitempty"`

	// diskUsage is what the disk is for: SYSTEM_DISK or DATA_DISK.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	DiskUsage string `json:"diskUsage,omitempty"`

	// diskSizeGiB is the disk's size, in GiB.
	// +required
	DiskSizeGiB int64 `json:"diskSizeGiB"`
}

// ImagePresence is whether the image is still one that the queries ask for.
//
// +kubebuilder:validation:Enum=Present;NotMatched;Gone
type ImagePresence string

const (
	// PresencePresent: at least one ImageQuery has the image as a member.
	PresencePresent ImagePresence = "Present"
	// PresenceNotMatched: the image exists in the cloud, but no query has it as a member.
	PresenceNotMatched ImagePresence = "NotMatched"
	// PresenceGone: the image is no longer visible to these credentials, not even by its id: it was deleted, is
	// no longer shared, or a narrower policy in CAM hides it.
	PresenceGone ImagePresence = "Gone"
)

// ImageLifecycle has what the operator knows: whether the image is there, since when, and until when its object stays.
type ImageLifecycle struct {
	// presence is Present while any ImageQuery has the image as a member; NotMatched when it exists but none has;
	// Gone when it is no longer visible to these credentials.
	// +required
	Presence ImagePresence `json:"presence,omitempty"`

	// firstSeenTime is when the operator first saw the image.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="firstSeenTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	FirstSeenTime metav1.Time `json:"firstSeenTime,omitempty,omitzero"`

	// lastChangeTime is when a fact in image, or presence, last changed.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="lastChangeTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	LastChangeTime metav1.Time `json:"lastChangeTime,omitempty,omitzero"`

	// deleteAfter is the latest deleteAfter of leaving: once no query has the image as a member, the object is deleted by
	// the first good listing after it. While presence is Present the object stays all the same. An object that no
	// query owns, as kubectl delete --cascade=orphan leaves it, is deleted then unless a query takes it up.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="deleteAfter must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	DeleteAfter *metav1.Time `json:"deleteAfter,omitempty"`

	// leaving are the queries that no longer have the image as a member and keep its object for their grace period.
	// +optional
	// +listType=map
	// +listMapKey=query
	// +kubebuilder:validation:MaxItems=64
	Leaving []LeavingQuery `json:"leaving,omitempty"`
}

// LeavingQuery is a query that keeps the object of an image that is no longer its member.
type LeavingQuery struct {
	// query is the name of the ImageQuery. Example: tke-nodes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Query string `json:"query,omitempty"`

	// since is when the image stopped being a member of the query.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="since must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	Since metav1.Time `json:"since,omitempty,omitzero"`

	// deleteAfter is when the query's grace period ends.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="deleteAfter must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	DeleteAfter metav1.Time `json:"deleteAfter,omitempty,omitzero"`

	// replaced is true when another image replaced this one, of the same creator or public as it was, so that
	// spec.removal.maxRemovedPercent of the query no longer counts its departure.
	// +optional
	Replaced bool `json:"replaced,omitempty"`
}

// CloudImageList is a list of CloudImages.
//
// +kubebuilder:object:root=true
type CloudImageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the images.
	Items []CloudImage `json:"items"`
}
