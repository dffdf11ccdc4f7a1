// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ImageQuery declares which Tencent Cloud CVM images are of interest. The operator asks the cloud's DescribeImages
// periodically and writes the images that match into status.images and into CloudImage objects.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=imgq,categories=imagecatalog
// +kubebuilder:selectablefield:JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Images",type=integer,JSONPath=`.status.imageCount`
// +kubebuilder:printcolumn:name="Selected",type=string,JSONPath=`.status.selectedSummary`
// +kubebuilder:printcolumn:name="Changed",type=date,JSONPath=`.status.lastChangeTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Image-ID",type=string,priority=1,JSONPath=`.status.selected[0].imageID`
// +kubebuilder:printcolumn:name="Credentials",type=string,priority=1,JSONPath=`.spec.credentialsRef.name`
// +kubebuilder:printcolumn:name="Last-Written",type=date,priority=1,JSONPath=`.status.lastSyncTime`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name must have at most 63 characters: it becomes the label query.imagecatalog.dev/<name> of the query's CloudImages"
type ImageQuery struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. Labels and annotations of an ImageQuery never reach its CloudImages.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec declares the images, how often the cloud is asked, and with which credentials.
	// +required
	Spec ImageQuerySpec `json:"spec,omitzero"`

	// status is what the operator last saw in the cloud. A failed poll changes its conditions, never its images.
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status ImageQueryStatus `json:"status,omitempty,omitzero"`
}

// ImageQuerySpec declares the images, how often the cloud is asked, and with which credentials.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.filters) && has(self.imageIDs))",message="filters and imageIDs exclude each other in DescribeImages: keep one of them (to narrow a list of ids further, use match)"
type ImageQuerySpec struct {
	// region is the cloud region that is asked, for example ap-guangzhou. A public image has the same id in every
	// region; a private one exists in one region only.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]+(-[a-z0-9]+)+$')",message="region must be a region's id in lower case, such as ap-guangzhou or ap-shanghai-fsi"
	// +kubebuilder:validation:XValidation:optionalOldSelf=true,rule="!self.matches('-[0-9]+$') || oldSelf.hasValue() && oldSelf.value() == self",message="region must be a region, and this is a zone of one: write it without the number at its end, such as ap-guangzhou for ap-guangzhou-3"
	Region string `json:"region,omitempty"`

	// filters is what DescribeImages is asked: every filter must hold, and of a filter any one value. Filters and
	// imageIDs exclude each other; with neither, every image the account can see in the region is asked for.
	// Example: name image-type with values [PRIVATE_IMAGE].
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:XValidation:rule="self.all(x, self.filter(y, y.name == x.name).size() == 1)",message="filters must have different names: write all values of one name into one filter, of which an image needs any one"
	Filters []Filter `json:"filters,omitempty"`

	// imageIDs asks for these images only, for example [img-487zeit5]. An id that the account can't see is not a member.
	// +optional
	// +listType=atomic
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

	// interval is the time between two polls of the cloud, from 1m to 168h. Queries that ask for the same thing are
	// polled at the same time, so the first interval after an edit is between 0.2 and 1.2 of it. Default 10m.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$')",message="interval must be written in h, m, s or ms, such as 10m or 1h30m; days and weeks aren't known: write 24h for 1d"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || self.matches('^(0*([0-9]{1,5}([.][0-9]+)?h|[0-9]{1,7}([.][0-9]+)?m|[0-9]{1,9}([.][0-9]+)?s|[0-9]{1,12}([.][0-9]+)?ms))+$') && duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="interval must be between 1m and 168h, such as 10m or 1h30m"
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
	// listing is published, and Ready has the reason TooFewImages. 0 means that an empty catalogue is an answer. Default 1.
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

	// selection decides which members become status.selected, the images that a consumer should use. Only images in
	// the state NORMAL are selected, and deprecated ones only after all others. An image that is neither the account's own
	// (PRIVATE_IMAGE) nor Tencent's (PUBLIC_IMAGE), such as one that another account shares, is selected only if
	// selection.trustedCreators or match.creators names its creator or imageIDs its id: its name is its owner's to choose.
	// Default {}: the newest image of each architecture.
	// +optional
	// +kubebuilder:default={}
	Selection ImageSelection `json:"selection,omitempty,omitzero"`

	// removal decides what becomes of images that are no longer members. Default {}: their CloudImages stay for a
	// day, and many at once wait for an approval.
	// +optional
	// +kubebuilder:default={}
	Removal RemovalPolicy `json:"removal,omitempty,omitzero"`

	// cloudImages decides which members have CloudImage objects, and what labels those have. Default
	// {maxImages: 1000, policy: All}.
	// +optional
	// +kubebuilder:default={policy: "All", maxImages: 1000}
	CloudImages CloudImagePolicy `json:"cloudImages,omitempty,omitzero"`
}

// ImageSelection decides which members a consumer should use.
//
// +kubebuilder:validation:XValidation:rule="!has(self.range) || self.orderBy == 'SemVer'",message="selection.range can't be used with this order: it compares versions, so set selection.orderBy to SemVer, or remove the range"
// +kubebuilder:validation:XValidation:rule="!has(self.extract) || self.orderBy != 'CreatedTime'",message="selection.extract can't be used with orderBy CreatedTime: it takes a part of the name, so set selection.orderBy to SemVer or Name, or remove it"
type ImageSelection struct {
	// pin selects these images in their groups before all others, in order of preference, if they are members, NORMAL and
	// trusted: a rollback in one line. They count in limit; order, skip, range, extract and minAge don't hold for them. One
	// that is not selected is named in Ready's message. Example: [img-9qabwvbn].
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Pin []ImageID `json:"pin,omitempty"`

	// trustedCreators are accounts (uin) whose images may be selected although their type is neither PRIVATE_IMAGE nor
	// PUBLIC_IMAGE, such as those that they share. It is no filter: images of other accounts are members all the same. What
	// match.creators and imageIDs name is trusted, too. Example: ["3205597606"].
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^[0-9]+$`
	// +kubebuilder:validation:items:Type=""
	// +kubebuilder:validation:items:XIntOrString
	// +kubebuilder:validation:XValidation:optionalOldSelf=true,rule="self.all(c, type(c) == string && c >= '0' && c < ':') || oldSelf.hasValue() && self == oldSelf.value()",message=`each of trustedCreators must be an account's id (uin) in quotes, of digits only, such as "3205597606"`
	TrustedCreators []string `json:"trustedCreators,omitempty"`

	// orderBy decides which image is the newest: CreatedTime (the cloud's clock), Name (alphabetically the last) or SemVer
	// (the highest semantic version in the name, of at least two parts, such as 1.30, unless extract is given). Equal ones are ordered by creation time and then by id. Default
	// CreatedTime.
	// +optional
	// +kubebuilder:default=CreatedTime
	OrderBy SelectionOrder `json:"orderBy,omitempty"`

	// extract is a regular expression (RE2) with a group: what the first group captures in the name is what orderBy
	// SemVer and Name compare. A name in which it captures nothing is not selected (NoVersion). Without it the whole
	// name is compared. Example: v(\d+\.\d+\.\d+)$.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="'x'.matches(self) ? true : true",message="extract must be a regular expression in RE2 syntax (no look-around, no back-references)"
	// +kubebuilder:validation:XValidation:optionalOldSelf=true,rule=`!self.matches(r'[\r\n]') || oldSelf.hasValue() && oldSelf.value() == self`,message="extract must be one line, since no image's name has a line's end: write it in single quotes after the colon, not below | or >"
	// +kubebuilder:validation:XValidation:rule="self.matches('(^|[^\\\\\\\\])([\\\\\\\\][\\\\\\\\])*[(]([^?]|[?]P?<)')",message="extract must have a capturing group, in parentheses: what it captures is compared, such as v(\\d+\\.\\d+\\.\\d+); (?:...) captures nothing"
	Extract string `json:"extract,omitempty"`

	// range admits these versions only, for orderBy SemVer, as npm and Helm write ranges: comparisons joined by a
	// blank or ||, ~1.30 or ^1.30. Versions with a pre-release part, such as 1.30.4-tke.1, are admitted only if the
	// range has one, too: >=1.30.0-0. Example: >=1.30 <1.32.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:optionalOldSelf=true,rule=`self.split('||').all(r, r.matches(r'^((^|[\s,]+|\s+-\s+)([~^]|~>|!?=|[<>]=?|=[<>])?\s*v?[0-9xX*]+([.][0-9xX*]+){0,2}(-[0-9A-Za-z.-]+)?([+][0-9A-Za-z.-]+)?)+\s*$')) || oldSelf.hasValue() && oldSelf.value() == self`,message="range must be comparisons of versions, joined by a blank, a comma or ||, such as >=1.30 <1.32, ~1.30 or ^1.30 || ^1.32"
	Range string `json:"range,omitempty"`

	// groupBy selects in each group of members by itself: images that agree in all of Architecture, Platform, OSName and
	// ImageFamily, as far as they are named here. [None] makes one group of all members. Default [Architecture]: an image of
	// another architecture never replaces one.
	// +optional
	// +kubebuilder:default={Architecture}
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:XValidation:rule="self.size() == 1 || !('None' in self)",message="groupBy must be [None] alone, for one group of all members, or facts without None, such as [Architecture]"
	GroupBy []SelectionGroup `json:"groupBy,omitempty"`

	// limit is how many images are selected in each group, 1 to 50. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	Limit int32 `json:"limit,omitempty"`

	// skip leaves out that many of the newest images of each group, 0 to 20: with 1 the one before the newest is
	// selected. Default 0.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=20
	Skip int32 `json:"skip,omitempty"`

	// minAge is how long an image must exist before it is selected, by the creation time that the cloud gave it, from
	// 0s to 8760h. Images without a creation time, as public ones are, never pass it. Example: 72h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$')",message="minAge must be written in h, m, s or ms, such as 72h; days and weeks aren't known: write 72h for 3d"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || self.matches('^(0*([0-9]{1,5}([.][0-9]+)?h|[0-9]{1,7}([.][0-9]+)?m|[0-9]{1,9}([.][0-9]+)?s|[0-9]{1,12}([.][0-9]+)?ms))+$') && (duration(self) == duration('0s') || duration(self) >= duration('1ms')) && duration(self) <= duration('8760h')",message="minAge must be between 0s and 8760h, such as 72h"
	MinAge metav1.Duration `json:"minAge,omitempty,omitzero"`
}

// SelectionOrder is the fact by which the images of a group are ordered.
//
// +kubebuilder:validation:Enum=CreatedTime;Name;SemVer
type SelectionOrder string

// The orders of a selection.
const (
	OrderByCreatedTime SelectionOrder = "CreatedTime"
	OrderByName        SelectionOrder = "Name"
	OrderBySemVer      SelectionOrder = "SemVer"
)

// SelectionGroup is a fact by which members are grouped, or None.
//
// +kubebuilder:validation:Enum=Architecture;Platform;OSName;ImageFamily;None
type SelectionGroup string

// The facts by which members can be grouped.
const (
	GroupByArchitecture SelectionGroup = "Architecture"
	GroupByPlatform     SelectionGroup = "Platform"
	GroupByOSName       SelectionGroup = "OSName"
	GroupByImageFamily  SelectionGroup = "ImageFamily"

	// GroupByNone, alone, makes one group of all members.
	GroupByNone SelectionGroup = "None"
)

// RemovalPolicy decides what becomes of images that are no longer members. An image leaves only after a second check by
// its id: the cloud has confirmed that it is not visible to these credentials or no longer matches.
type RemovalPolicy struct {
	// gracePeriod is how long the CloudImage of an image stays after the image stopped being a member, from 0s to
	// 8760h. It is not a member meanwhile: only the object is there, with lifecycle.presence NotMatched or Gone.
	// Default 24h.
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$')",message="gracePeriod must be written in h, m, s or ms, such as 24h; days and weeks aren't known: write 168h for 1w"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || self.matches('^(0*([0-9]{1,5}([.][0-9]+)?h|[0-9]{1,7}([.][0-9]+)?m|[0-9]{1,9}([.][0-9]+)?s|[0-9]{1,12}([.][0-9]+)?ms))+$') && (duration(self) == duration('0s') || duration(self) >= duration('1ms')) && duration(self) <= duration('8760h')",message="gracePeriod must be between 0s and 8760h, such as 24h"
	GracePeriod *metav1.Duration `json:"gracePeriod,omitempty"`

	// maxRemovedPercent is the breaker: when more than this share of the members, and at least 5, or all of them would
	// leave and no other images of the same creator replace them, nothing leaves until a person approves it; the message of
	// the condition RemovalBlocked is the command. Images in their grace period that nothing replaced count, too. 100 switches
	// the breaker off. Default 50.
	// +optional
	// +kubebuilder:default=50
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxRemovedPercent *int32 `json:"maxRemovedPercent,omitempty"`
}

// CloudImagePolicy decides which members have CloudImage objects, and what labels those have.
//
// An author who never wrote cloudImages and then asks for policy Selected has the default of 1000 in the stored object, and
// kubectl keeps it there. It is accepted, and counts as 500.
//
// +kubebuilder:validation:XValidation:optionalOldSelf=true,rule="!has(self.maxImages) || self.policy == 'All' || self.maxImages <= 500 || self.maxImages == 1000 && oldSelf.hasValue() && has(oldSelf.value().maxImages) && oldSelf.value().maxImages == 1000",message="cloudImages.maxImages must be at most 500 unless policy is All: with another policy the members are known from status.images only; write 500 or less, or leave it out"
type CloudImagePolicy struct {
	// policy decides which members have a CloudImage: All, Selected (only what status.selected names) or None. What a
	// change of it no longer asks for is deleted without a grace period. Default All.
	// +optional
	// +kubebuilder:default=All
	Policy CloudImageScope `json:"policy,omitempty"`

	// maxImages is the largest number of CloudImages that the query may have, 1 to 20000, and at most 500 unless policy is
	// All. With more, nothing of the listing is published (TooManyImages). Images that can't be selected for
	// want of trust (UntrustedCreator) don't count: those beyond the number have no CloudImage, and Ready's message counts them.
	// Where it is left out it is 1000, and 500 with another policy than All. Example: 5000.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=20000
	MaxImages int32 `json:"maxImages,omitempty"`

	// labels are put on every CloudImage of the query, for example {team: infra}. Where two queries that share an image
	// disagree, the one that was created first decides, and so it does which labels are there where all queries together ask
	// for more than 64; Ready's message names what is left out. Labels of the ImageQuery itself never get there.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 317 && k.indexOf('/') <= 253 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="each key of labels must be a label's key: at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, after a DNS name and '/' if you like, such as team or example.com/team"
	// +kubebuilder:validation:XValidation:optionalOldSelf=true,rule="self.all(k, !k.matches('^([^/]*[.])?(imagecatalog[.]dev|kubernetes[.]io|k8s[.]io|x-k8s[.]io|argoproj[.]io|fluxcd[.]io|velero[.]io)/') || oldSelf.hasValue() && k in oldSelf.value() && oldSelf.value()[k] == self[k])",message="keys of labels must not be in imagecatalog.dev, kubernetes.io, k8s.io, x-k8s.io, argoproj.io, fluxcd.io or velero.io: these are the operator's, Kubernetes', the GitOps and the backup tools' own; use another prefix or none"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// labelTagKeys are keys of cloud tags that become labels tag.imagecatalog.dev/<key> of the CloudImage, for example
	// [role]. What a label's value can't have becomes '-'; the tag itself is in image.tags, as are those whose keys are no
	// names of labels.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=127
	// +kubebuilder:validation:XValidation:optionalOldSelf=true,rule="self.all(k, k.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$')) || oldSelf.hasValue() && self == oldSelf.value()",message="each of labelTagKeys must be a label's name, since it becomes tag.imagecatalog.dev/<key>: at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, such as role; tags with other keys are in image.tags of the CloudImage"
	LabelTagKeys []string `json:"labelTagKeys,omitempty"`
}

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",message="a label's value must be at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, such as infra"
type LabelValue string

// CloudImageScope decides which members have CloudImage objects.
//
// +kubebuilder:validation:Enum=All;Selected;None
type CloudImageScope string

// The policies of CloudImages.
const (
	CloudImagesAll      CloudImageScope = "All"
	CloudImagesSelected CloudImageScope = "Selected"
	CloudImagesNone     CloudImageScope = "None"
)

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
	// +listType=atomic
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
	// +kubebuilder:validation:XValidation:optionalOldSelf=true,rule=`!self.matches(r'[\r\n]') || oldSelf.hasValue() && oldSelf.value() == self`,message="nameRegex must be one line, since no image's name has a line's end: write it in single quotes after the colon, not below | or >"
	NameRegex string `json:"nameRegex,omitempty"`

	// states admits images in these states only. Example: [NORMAL].
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=6
	States []ImageState `json:"states,omitempty"`

	// architectures admits images of these architectures only, by their Kubernetes names. Example: [amd64].
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	Architectures []Architecture `json:"architectures,omitempty"`

	// platforms admits images of these platforms only, by exact name (the API's platform filter finds substrings).
	// Example: [TencentOS].
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Platforms []string `json:"platforms,omitempty"`

	// families admits images of these image families only, by exact name. Example: [node-base].
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Families []string `json:"families,omitempty"`

	// creators admits images that these accounts (uin) created, and no others; public images name no creator. Images
	// that these accounts share may be selected, see selection.trustedCreators. Example: ["3205597606"].
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^[0-9]+$`
	// +kubebuilder:validation:items:Type=""
	// +kubebuilder:validation:items:XIntOrString
	// +kubebuilder:validation:XValidation:optionalOldSelf=true,rule="self.all(c, type(c) == string && c >= '0' && c < ':') || oldSelf.hasValue() && self == oldSelf.value()",message=`each of creators must be an account's id (uin) in quotes, of digits only, such as "3205597606"`
	Creators []string `json:"creators,omitempty"`

	// excludeImageIDs admits every image but these: skip this bad build. Example: [img-bad00001].
	// +optional
	// +listType=atomic
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
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^(amd64|arm64|386)$`
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:XIntOrString
// +kubebuilder:validation:XValidation:rule="self in ['amd64', 'arm64', '386']",message=`an architecture must go by its Kubernetes name: write amd64 for x86_64, arm64 for aarch64, and "386", in quotes, for i386`
type Architecture string

// ImageQueryStatus is what the operator last saw in the cloud.
type ImageQueryStatus struct {
	// observedGeneration is the generation of the spec that the conditions speak of; -1 before the operator has seen
	// the query.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// syncedGeneration is the generation of the spec that images and selected answer.
	// +optional
	SyncedGeneration int64 `json:"syncedGeneration,omitempty"`

	// observedQuery is a hash of what was asked: region, credentialsRef, filters, imageIDs, instanceType and match.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ObservedQuery string `json:"observedQuery,omitempty"`

	// listedCount is the number of images the cloud listed, before match.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	ListedCount *int32 `json:"listedCount,omitempty"`

	// conditions are Ready and Selected, always, and Reconciling, Stalled and RemovalBlocked while they are True.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(c, c.lastTransitionTime >= timestamp('1000-01-01T00:00:00Z') && c.lastTransitionTime <= timestamp('9999-12-31T23:59:59Z'))",message="lastTransitionTime must be a time as RFC 3339 writes it, such as 2026-08-20T08:00:00Z"
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// imageCount is the number of members; 0 is written, too.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	ImageCount *int32 `json:"imageCount,omitempty"`

	// imagesTruncated is true when images lists only the first members; CloudImages are there for all.
	// +optional
	ImagesTruncated *bool `json:"imagesTruncated,omitempty"`

	// images are the members, newest first; images without a creation time, as public ones are, come last, by name
	// and id. The operator's --max-status-images caps the list (default 500); images that can't be selected for want of trust
	// are left out first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2000
	Images []ImageSummary `json:"images,omitempty"`

	// selected are the images that a consumer should use, group by group, the newest of a group first: amd64, arm64, 386,
	// other architectures, unknown ones; and other groups by name. Use them whenever the list is not empty, whatever Ready
	// says: the cloud alone never empties it. It has room for 2000 images, fewer with very long names; Ready's message
	// counts those that are left out.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2000
	Selected []SelectedImage `json:"selected,omitempty"`

	// selectedSummary is the name of the first selected image, and how many more there are, for kubectl get: cut to 24 columns
	// of a terminal, of which a wide character takes two.
	// +optional
	// +kubebuilder:validation:MaxLength=300
	SelectedSummary string `json:"selectedSummary,omitempty"`

	// selectedHistory is what has been selected, the present selection first, and why each replaced the one before.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5
	SelectedHistory []SelectionRecord `json:"selectedHistory,omitempty"`

	// pendingRemoval are images that would leave after an approval, while the condition RemovalBlocked is True: selected
	// ones first, at most 100.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	PendingRemoval []PendingRemoval `json:"pendingRemoval,omitempty"`

	// removing are images that are no longer members and whose CloudImages are in their grace period, the first to go
	// first; at most 100 of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Removing []RemovingImage `json:"removing,omitempty"`

	// revision is an opaque token that changes whenever a member, one of its facts or the selection does. It is published
	// after every write of a CloudImage was tried.
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

	// lastHandledReconcileAt is the value of the annotation imagecatalog.dev/requestedAt when the last poll began; of a value
	// longer than 256 bytes its SHA-256, in hexadecimal.
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

	// architecture is amd64, arm64 or 386; any other word of the cloud is kept as it is.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Architecture string `json:"architecture,omitempty"`

	// type is the kind of owner: PRIVATE_IMAGE (the account's own), PUBLIC_IMAGE (Tencent's) or SHARED_IMAGE (another
	// account's); any other word of the cloud is kept as it is.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Type string `json:"type,omitempty"`

	// creator is the account (uin) that created the image; public images name none. Example: 3205597606.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Creator string `json:"creator,omitempty"`

	// selection is whether the image is selected, and if not why not: the first of these that applies. Missing (the
	// listing lacks it, but removals are blocked; it may be selected all the same); Selected; HeldBack (new while removals
	// are blocked); UntrustedCreator (neither the account's own nor Tencent's, and the spec names neither its creator nor
	// its id); NotNormal (its state); NoVersion (extract or SemVer finds none in the name); OutOfRange; NoCreationTime
	// (orderBy CreatedTime can't tell which of several is newer); TooYoung (minAge); Skipped (skip); NotNewest (limit).
	// +optional
	Selection SelectionVerdict `json:"selection,omitempty"`
}

// SelectionVerdict is whether a member is selected, and if not why not.
//
// +kubebuilder:validation:Enum=Missing;Selected;HeldBack;UntrustedCreator;NotNormal;NoVersion;OutOfRange;NoCreationTime;TooYoung;Skipped;NotNewest
type SelectionVerdict string

// The verdicts of a selection, in the order in which they are tried.
const (
	VerdictMissing          SelectionVerdict = "Missing"
	VerdictSelected         SelectionVerdict = "Selected"
	VerdictHeldBack         SelectionVerdict = "HeldBack"
	VerdictUntrustedCreator SelectionVerdict = "UntrustedCreator"
	VerdictNotNormal        SelectionVerdict = "NotNormal"
	VerdictNoVersion        SelectionVerdict = "NoVersion"
	VerdictOutOfRange       SelectionVerdict = "OutOfRange"
	VerdictNoCreationTime   SelectionVerdict = "NoCreationTime"
	VerdictTooYoung         SelectionVerdict = "TooYoung"
	VerdictSkipped          SelectionVerdict = "Skipped"
	VerdictNotNewest        SelectionVerdict = "NotNewest"
)

// SelectedImage is an image that a consumer should use.
type SelectedImage struct {
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

	// architecture is amd64, arm64 or 386; any other word of the cloud is kept as it is.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Architecture string `json:"architecture,omitempty"`

	// type is the kind of owner: PRIVATE_IMAGE (the account's own), PUBLIC_IMAGE (Tencent's) or SHARED_IMAGE (another
	// account's); any other word of the cloud is kept as it is.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Type string `json:"type,omitempty"`

	// creator is the account (uin) that created the image; public images name none. Example: 3205597606.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Creator string `json:"creator,omitempty"`
}

// SelectionRecord is one selection of the present or the past.
type SelectionRecord struct {
	// images are the images that were selected, the first 50 of them, fewer with very long names. A record of an older
	// version of the operator has none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Images []RecordedImage `json:"images,omitempty"`

	// selectedTime is when they were selected.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="selectedTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	SelectedTime metav1.Time `json:"selectedTime,omitempty,omitzero"`

	// replacedTime is when others replaced them; absent for the present selection.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="replacedTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	ReplacedTime *metav1.Time `json:"replacedTime,omitempty"`

	// reason is why they replaced their predecessor: First (there was none), NewImage (a newer image came), Gone (a selected
	// image is no longer visible to these credentials), NotMatched (one is no longer a member), NotNormal (one left the
	// state NORMAL), Deprecated (one is deprecated now), SpecChanged (the query was edited), Aged (an image passed minAge) or Pinned
	// (selection.pin names one).
	// +required
	Reason SelectionReason `json:"reason,omitempty"`
}

// SelectionReason is why a selection replaced its predecessor.
//
// +kubebuilder:validation:Enum=First;NewImage;Gone;NotMatched;NotNormal;Deprecated;SpecChanged;Aged;Pinned
type SelectionReason string

// The reasons of a selection.
const (
	SelectedFirst       SelectionReason = "First"
	SelectedNewImage    SelectionReason = "NewImage"
	SelectedGone        SelectionReason = "Gone"
	SelectedNotMatched  SelectionReason = "NotMatched"
	SelectedNotNormal   SelectionReason = "NotNormal"
	SelectedDeprecated  SelectionReason = "Deprecated"
	SelectedSpecChanged SelectionReason = "SpecChanged"
	SelectedAged        SelectionReason = "Aged"
	SelectedPinned      SelectionReason = "Pinned"
)

// RecordedImage is an image that was selected.
type RecordedImage struct {
	// imageID is the image's id. Example: img-9qabwvbn.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=36
	ImageID string `json:"imageID,omitempty"`

	// name is the image's English name. Example: node-v1.30.4.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Name string `json:"name,omitempty"`

	// architecture is amd64, arm64 or 386; any other word of the cloud is kept as it is.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Architecture string `json:"architecture,omitempty"`
}

// PendingRemoval is an image that would leave after an approval.
type PendingRemoval struct {
	// imageID is the image's id. Example: img-9qabwvbn.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=36
	ImageID string `json:"imageID,omitempty"`

	// name is the image's English name. Example: node-v1.30.4.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Name string `json:"name,omitempty"`

	// reason is NotMatched (the image exists, but the query no longer matches it) or Gone (it is no longer visible to
	// these credentials).
	// +required
	Reason RemovalReason `json:"reason,omitempty"`
}

// RemovingImage is an image that is no longer a member and whose CloudImage is in its grace period.
type RemovingImage struct {
	// imageID is the image's id. Example: img-9qabwvbn.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=36
	ImageID string `json:"imageID,omitempty"`

	// reason is NotMatched (the image exists, but the query no longer matches it) or Gone (it is no longer visible to
	// these credentials).
	// +required
	Reason RemovalReason `json:"reason,omitempty"`

	// since is when the image stopped being a member.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="since must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	Since metav1.Time `json:"since,omitempty,omitzero"`

	// deleteAfter is when the query's grace period ends; the next good listing then releases the CloudImage.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1000-01-01T00:00:00Z')",message="deleteAfter must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z"
	DeleteAfter metav1.Time `json:"deleteAfter,omitempty,omitzero"`
}

// RemovalReason is why an image is no longer a member.
//
// +kubebuilder:validation:Enum=NotMatched;Gone
type RemovalReason string

// The reasons of a removal.
const (
	RemovedNotMatched RemovalReason = "NotMatched"
	RemovedGone       RemovalReason = "Gone"
)

// ImageQueryList is a list of ImageQueries.
//
// +kubebuilder:object:root=true
type ImageQueryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the queries.
	Items []ImageQuery `json:"items"`
}
