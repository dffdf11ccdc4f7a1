// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package catalog is the boundary between the loop and the cloud: what an image, a query and an account are, and the
// one thing that is asked of a cloud, a complete listing. It knows neither Kubernetes nor Tencent.
package catalog

import (
	"context"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/secret"
)

// Lister lists images. A listing is complete or it is an error; the error is an *Error, or the context's own when
// the caller gave up.
type Lister interface {
	List(ctx context.Context, account Account, query Query) (Listing, error)
}

// Secret is a part of a key; it prints as REDACTED.
type Secret = secret.String

// Account says with whose keys the cloud is asked. Equal accounts ask with the same rights.
type Account struct {
	// Source names where the keys come from, such as secret/acct2 or env. Budgets are kept by it: it stays the same
	// when keys are rotated.
	Source string

	// SecretID and SecretKey are the key pair; Token is set for temporary keys only.
	SecretID, SecretKey, Token Secret

	// Ambient, if set, names an identity that the operator finds where it runs, in the cloud's words; there are no
	// keys then.
	Ambient string

	// Roles are assumed one after the other by what is above, and the last one asks. Those without ARN are left out.
	// There are two for a Secret that has only a role, when the default credentials assume one themselves.
	Roles [2]Role

	// AccountID, if set, is the account (uin) that the keys must belong to that ask in the end. Nothing is listed with
	// another's.
	AccountID string
}

// Role is a role of an account of the cloud.
type Role struct {
	// ARN names the role.
	ARN string

	// ExternalID is the word that the role's owner may demand of who assumes it.
	ExternalID Secret
}

// Query is what the cloud is asked.
type Query struct {
	// Region is the cloud region, such as ap-guangzhou.
	Region string

	// Filters are the API's own; ImageIDs, at most 100, exclude them. With neither, everything visible is listed.
	Filters  []Filter
	ImageIDs []string

	// InstanceType, if set, asks for images that this instance type can boot.
	InstanceType string

	// Fresh asks for a listing that begins after the call: one that others began or finished does not do.
	Fresh bool
}

// Filter is one filter of the API: the image has one of the values.
type Filter struct {
	Name   string
	Values []string
}

// Listing is the answer to a Query.
type Listing struct {
	// Images are the distinct images, in no particular order. They may be shared between callers: read only.
	Images []Image

	// Skipped counts entries whose id is no image id; they are not among Images.
	Skipped int

	// Unsettled says that the cloud's count and the images it listed disagreed, twice, with the same images both
	// times: what is in Images is there, but nothing may be concluded from what is not.
	Unsettled bool

	// TagKeyNotFound says that the cloud knows no image with a tag key that was asked for; Images is empty then.
	TagKeyNotFound bool
}

// Image is an image as the cloud describes it. Strings are normalised: valid UTF-8 without control and bidirectional
// characters, and bounded. The JSON names are part of status.revision, and so of approvals: a renamed one voids them at an
// upgrade; a new one doesn't as long as it is left out when empty.
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

	// Architecture is amd64, arm64 or 386; a word of the cloud's that is none of its known ones is passed on.
	Architecture string `json:"architecture,omitzero"`

	SizeGiB     int64  `json:"sizeGiB,omitzero"`
	CloudInit   bool   `json:"cloudInit,omitzero"`
	LicenseType string `json:"licenseType,omitzero"`
	Family      string `json:"family,omitzero"`
	Deprecated  bool   `json:"deprecated,omitzero"`

	// CreatedTime is in UTC with whole seconds; zero where the cloud names none, as for public images.
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

// Snapshot is a disk snapshot that an image consists of.
type Snapshot struct {
	ID          string `json:"id,omitzero"`
	DiskUsage   string `json:"diskUsage,omitzero"`
	DiskSizeGiB int64  `json:"diskSizeGiB,omitzero"`
}
