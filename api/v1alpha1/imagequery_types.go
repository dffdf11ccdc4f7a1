// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ImageQuery declares which Tencent Cloud CVM images someone cares about. The operator asks the cloud's DescribeImages
// periodically and writes the images that match into status.images and into CloudImage objects.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=imgq,categories=imagecatalog
// +kubebuilder:selectablefield:JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Images",type=integer,JSONPath=`.status.imageCount`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Synced",type=date,JSONPath=`.status.lastSyncTime`
// +kubebuilder:printcolumn:name="Changed",type=date,JSONPath=`.status.lastChangeTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Credentials",type=string,priority=1,JSONPath=`.spec.credentialsRef.name`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name must have at most 63 characters: it becomes the label query.imagecatalog.dev/<name> of the query's CloudImages"
type ImageQuery struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. Labels and annotations of an ImageQuery never reach its CloudImages.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec says which images, asked how often and with whose credentials.
	// +required
	Spec ImageQuerySpec `json:"spec,omitzero"`

	// status is what the operator last saw in the cloud. A failed poll changes its conditions, never its images.
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status ImageQueryStatus `json:"status,omitempty,omitzero"`
}

// ImageQuerySpec says which images, asked how often and with whose credentials.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.filters) && has(self.imageIDs))",message="filters and imageIDs exclude each other in DescribeImages: keep one of them (to narrow a list of ids further, use match)"
type ImageQuerySpec struct {
	// region is the cloud region that is asked, for example ap-guangzhou. A public image has the same id in every
	// region; a private one exists in one region only.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]+(-[a-z0-9]+)+$')",message="region must be a region's id in lower case, such as ap-guangzhou or ap-shanghai-fsi; a zone (ap-guangzhou-3) is written without its number"
	Region string `json:"region,omitempty"`

	// filters is what DescribeImages is asked: every filter must hold, and of a filter any one value. Filters and
	// imageIDs exclude each other; with neither, every image the account can see in the region is asked for.
	// Example: name image-type with values [PRIVATE_IMAGE].
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	Filters []Filter `json:"filters,omitempty"`

	// imageIDs asks for these images only, for example [img-487zeit5]. An id that the account can't see is no member.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	ImageIDs []ImageID `json:"imageIDs,omitempty"`

	// instanceType asks only for images that this instance type can boot, for example SA5.MEDIUM2. It goes with
	// filters as well as with imageIDs.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][A-Za-z0-9.-]*$')",message="instanceType must be an instance type's name, such as SA5.MEDIUM2"
	InstanceType string `json:"instanceType,omitempty"`

	// interval is the time between two polls of the cloud, from 1m to 168h; up to a fifth of it is added so that
	// queries spread. Default 10m.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="interval must be between 1m and 168h, such as 10m or 1h30m"
	Interval metav1.Duration `json:"interval,omitempty,omitzero"`

	// suspend stops polling, writing and deleting until it is false again; what is known stays. Default false.
	// +optional
	// +kubebuilder:default=false
	Suspend bool `json:"suspend,omitempty"`

	// credentialsRef names the Secret with the cloud account's keys, in the operator's credentials namespace.
	// Default: the operator's default credentials. Example: {name: acct2}.
	// +optional
	CredentialsRef *CredentialsReference `json:"credentialsRef,omitempty"`

	// minImages is the smallest number of members that is believed. When the cloud lists fewer, nothing of that
	// listing is published and Ready says TooFewImages. 0 means that an empty catalogue is an answer. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=20000
	MinImages *int32 `json:"minImages,omitempty"`

	// match decides, among the images the cloud listed, which are members: what the API can't filter. A field that
	// is absent admits every image. Default {}.
	// +optional
	// +kubebuilder:default={}
	Match ImageMatch `json:"match,omitempty,omitzero"`
}

// ImageID is the id of an image, such as img-487zeit5.
//
// +kubebuilder:validation:MinLength=5
// +kubebuilder:validation:MaxLength=36
// +kubebuilder:validation:XValidation:rule="self.matches('^img-[0-9a-z]{1,32}$')",message="an image id must be img- and up to 32 lower-case letters and digits, such as img-487zeit5"
type ImageID string

// Filter is one filter of DescribeImages.
//
// +kubebuilder:validation:XValidation:rule="self.name != 'image-type' || self.values.all(v, v in ['PRIVATE_IMAGE', 'PUBLIC_IMAGE', 'SHARED_IMAGE'])",message="values of the filter image-type must be PRIVATE_IMAGE (your own), PUBLIC_IMAGE (Tencent's) or SHARED_IMAGE (other accounts')"
// +kubebuilder:validation:XValidation:rule="self.name != 'image-id' || self.values.all(v, v.matches('^img-[0-9a-z]{1,32}$'))",message="values of the filter image-id must be image ids, such as img-487zeit5; for more than 5 ids use imageIDs"
// +kubebuilder:validation:XValidation:rule="self.name != 'cdc-cache-status' || self.values.all(v, v in ['CACHED_ALL', 'CACHING', 'CACHED', 'CACHE_INVALID', 'CACHE_FAILED'])",message="values of the filter cdc-cache-status must be CACHED_ALL, CACHING, CACHED, CACHE_INVALID or CACHE_FAILED"
type Filter struct {
	// name is one of image-id, image-type, image-name (the name contains the value), platform (contains, too),
	// tag-key, tag-value, tag:<key>, dedicated-cluster-id and cdc-cache-status. Example: tag:role.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131
	// +kubebuilder:validation:XValidation:rule="self in ['image-id', 'image-type', 'image-name', 'platform', 'tag-key', 'tag-value', 'dedicated-cluster-id', 'cdc-cache-status'] || self.startsWith('tag:') && size(self) > 4",message="a filter's name must be one of image-id, image-type, image-name, platform, tag-key, tag-value, tag:<key>, dedicated-cluster-id, cdc-cache-status; what DescribeImages can't filter (state, architecture, creator, a regular expression) goes into match"
	Name string `json:"name,omitempty"`

	// values are the values of which an image must have one: 1 to 5, none of them empty. Example: [PRIVATE_IMAGE].
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Values []string `json:"values,omitempty"`
}

// CredentialsReference names a Secret in the operator's credentials namespace.
type CredentialsReference struct {
	// name is the Secret's name, a DNS label. It becomes part of the names of the query's CloudImages, because two
	// accounts may see the same image differently. Example: acct2.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="credentialsRef.name must be a DNS label: lower-case letters, digits and '-', such as acct2"
	Name string `json:"name,omitempty"`
}

// ImageMatch decides which of the listed images are members. A field that is absent admits every image.
type ImageMatch struct {
	// nameRegex is a regular expression (RE2) that the image's English name must match somewhere; anchor it with ^
	// and $. Example: ^node-v1\.30.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="'x'.matches(self) ? true : true",message="nameRegex must be a regular expression in RE2 syntax (no look-around, no back-references)"
	NameRegex string `json:"nameRegex,omitempty"`

	// states admits images in these states only. Example: [NORMAL].
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=6
	States []ImageState `json:"states,omitempty"`

	// architectures admits images of these architectures only, by their Kubernetes names. Example: [amd64].
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	Architectures []Architecture `json:"architectures,omitempty"`

	// platforms admits images of these platforms only, by exact name (the API's platform filter finds substrings).
	// Example: [TencentOS].
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Platforms []string `json:"platforms,omitempty"`

	// creators admits images that these accounts (uin) created, and no others; public images name no creator.
	// Example: ["3205597606"].
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Creators []string `json:"creators,omitempty"`

	// excludeImageIDs admits every image but these: skip this bad build. Example: [img-bad00001].
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	ExcludeImageIDs []ImageID `json:"excludeImageIDs,omitempty"`
}

// ImageState is the state of an image, in the cloud's words. Only a NORMAL image can be booted.
//
// +kubebuilder:validation:Enum=CREATING;NORMAL;CREATEFAILED;SYNCING;IMPORTING;IMPORTFAILED
type ImageState string

// ImageStateNormal is the state of an image that can be booted.
const ImageStateNormal ImageState = "NORMAL"

// Architecture is a processor architecture by its Kubernetes name.
//
// +kubebuilder:validation:Enum="amd64";"arm64";"386"
type Architecture string

// ImageQueryStatus is what the operator last saw in the cloud.
type ImageQueryStatus struct {
	// observedGeneration is the generation of the spec that the conditions speak of; -1 before the operator has seen
	// the query.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// syncedGeneration is the generation of the spec that images answer.
	// +optional
	SyncedGeneration int64 `json:"syncedGeneration,omitempty"`

	// observedQuery is a hash of what was asked: region, credentialsRef, filters, imageIDs, instanceType and match.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ObservedQuery string `json:"observedQuery,omitempty"`

	// listedCount is the number of images the cloud listed, before match.
	// +optional
	ListedCount *int32 `json:"listedCount,omitempty"`

	// conditions are Ready, always, and Reconciling and Stalled while they are True.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(c, c.lastTransitionTime >= timestamp('1000-01-01T00:00:00Z') && c.lastTransitionTime <= timestamp('9999-12-31T23:59:59Z'))",message="lastTransitionTime must be a time as RFC 3339 writes it, such as 2026-08-20T08:00:00Z"
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// imageCount is the number of members; 0 is written, too.
	// +optional
	ImageCount *int32 `json:"imageCount,omitempty"`

	// imagesTruncated says that images lists only the first members; CloudImages are there for all.
	// +optional
	ImagesTruncated *bool `json:"imagesTruncated,omitempty"`

	// images are the members, newest first; images without a creation time, as public ones are, come last, by name
	// and id. The operator's --max-status-images caps the list (default 500).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2000
	Images []ImageSummary `json:"images,omitempty"`

	// revision is an opaque token that changes whenever a member or one of its facts does. It is published after
	// every write of a CloudImage was tried.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision,omitempty"`

	// lastChangeTime is when revision last changed.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="lastChangeTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	LastChangeTime *metav1.Time `json:"lastChangeTime,omitempty"`

	// lastSyncTime is when a poll last succeeded: exact whenever status is written; when nothing else changes, it is
	// written only once it is older than max(2 x interval, 5m).
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="lastSyncTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	LastSyncTime *metav1.Time `json:"lastSyncTime,omitempty"`

	// lastHandledReconcileAt is the value of the annotation imagecatalog.dev/requestedAt when the last poll began.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`
}

// ImageSummary is one member of a query, in short.
type ImageSummary struct {
	// imageID is the id to boot from. Example: img-9qabwvbn.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=36
	ImageID string `json:"imageID,omitempty"`

	// name is the image's English name. Example: node-v1.30.4.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Name string `json:"name,omitempty"`

	// createdTime is when the image was created, by the cloud's clock; public images have none.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="createdTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	CreatedTime *metav1.Time `json:"createdTime,omitempty"`

	// architecture is amd64, arm64 or 386; another word of the cloud's is passed on as it is.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Architecture string `json:"architecture,omitempty"`
}

// ImageQueryList is a list of ImageQueries.
//
// +kubebuilder:object:root=true
type ImageQueryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the queries.
	Items []ImageQuery `json:"items"`
}
