// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package catalog is the boundary between the loop and the cloud: it defines images, queries and accounts, and the only
// operation on a cloud, a complete listing. It depends on neither Kubernetes nor Tencent.
package catalog

import (
	"context"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/secret"
)

// Lister lists images. It returns a complete listing or an error. The error is an *Error, or the context's error when the
// caller gave up.
type Lister interface {
	List(ctx context.Context, account Account, query Query) (Listing, error)
}

// Secret is a part of a key. It prints as REDACTED.
type Secret = secret.String

// Account identifies who sends requests to the cloud. Equal accounts have equal permissions.
type Account struct {
	// Source names the origin of the keys, such as secret/acct2 or env. Rate limits are kept per Source, because it stays
	// the same when keys are rotated.
	Source string

	// SecretID and SecretKey are the key pair; Token is set for temporary keys only.
	SecretID, SecretKey, Token Secret

	// Ambient, if set, names an identity that the environment provides, such as cvm-role. There are no keys then.
	Ambient string

	// Roles are assumed one after the other, starting from the identity above; the last one sends the requests. Roles
	// without an ARN are skipped. There are two if a Secret has only a role and the default credentials assume a role
	// themselves.
	Roles [2]Role

	// AccountID, if set, is the account (uin) that the final keys must belong to. Otherwise nothing is listed.
	AccountID string
}

// Role is a role of an account of the cloud.
type Role struct {
	// ARN names the role.
	ARN string

	// ExternalID is the external ID that the role's trust policy may require.
	ExternalID Secret
}

// Query selects the images to list.
type Query struct {
	// Region is the cloud region, such as ap-guangzhou.
	Region string

	// Filters are filters of the API. ImageIDs, at most 100, can't be combined with them. With neither, everything visible
	// is listed.
	Filters  []Filter
	ImageIDs []string

	// InstanceType, if set, selects images that this instance type can boot.
	InstanceType string

	// Fresh requires a listing that begins after the call, so the result is not shared with earlier callers.
	Fresh bool
}

// Filter is a filter of the API. It matches images that have one of the values.
type Filter struct {
	Name   string
	Values []string
}

// Listing is the result of a Query.
type Listing struct {
	// Images are the distinct images, in no particular order. They may be shared between callers: read only.
	Images []Image

	// Skipped counts entries with an invalid image id. They are not in Images.
	Skipped int

	// Inconsistent is set if two consecutive readings found the same images but disagreed with the cloud's count. Everything
	// in Images exists, but nothing may be concluded from what is absent.
	Inconsistent bool

	// TagKeyNotFound is set if the cloud knows no image with a tag key of the query. Images is empty then.
	TagKeyNotFound bool
}

// Image is an image as the cloud describes it. Strings are normalised: valid UTF-8 without control and bidirectional
// characters, and bounded. The JSON names are part of status.revision, and thus of approvals: renaming one voids
// approvals at an upgrade. A new one doesn't if it is omitted when empty.
type Image struct {
	ID          string `json:"id,omitzero"`
	Name        string `json:"name,omitzero"`
	Description string `json:"description,omitzero"`
	Type        string `json:"type,omitzero"`
	Source      string `json:"source,omitzero"`
	Creator     string `json:"creator,omitzero"`
	State       string `json:"state,omitzero"`
	OSName      string `json:"osName,omitzero"`
	Platform    string `json:"platform,omitzero"`

	// Architecture is amd64, arm64 or 386. Unknown values of the cloud are passed on.
	Architecture string `json:"architecture,omitzero"`

	SizeGiB     int64  `json:"sizeGiB,omitzero"`
	CloudInit   bool   `json:"cloudInit,omitzero"`
	LicenseType string `json:"licenseType,omitzero"`
	Family      string `json:"family,omitzero"`
	Deprecated  bool   `json:"deprecated,omitzero"`

	// CreatedTime is in UTC with whole seconds; zero if the cloud has none, as for public images.
	CreatedTime time.Time `json:"createdTime,omitzero"`

	// Tags are sorted by key and value, Snapshots by id.
	Tags      []Tag      `json:"tags,omitzero"`
	Snapshots []Snapshot `json:"snapshots,omitzero"`
}

// Tag is a tag of an image.
type Tag struct {
	Key   string `json:"key,omitzero"`
	Value string `json:"value,omitzero"`
}

// Snapshot is a disk snapshot of an image.
type Snapshot struct {
	ID          string `json:"id,omitzero"`
	DiskUsage   string `json:"diskUsage,omitzero"`
	DiskSizeGiB int64  `json:"diskSizeGiB,omitzero"`
}
