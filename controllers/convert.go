// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// toQuery is what the cloud is asked for a spec.
func toQuery(spec *imagev1alpha1.ImageQuerySpec) catalog.Query {
	q := catalog.Query{Region: spec.Region, InstanceType: spec.InstanceType}
	for _, f := range spec.Filters {
		q.Filters = append(q.Filters, catalog.Filter{Name: f.Name, Values: distinct(f.Values)})
	}
	for _, id := range distinct(spec.ImageIDs) {
		q.ImageIDs = append(q.ImageIDs, string(id))
	}
	return q
}

// scope is where a query's images live: the same image seen by another account or in another region is another
// CloudImage.
type scope struct{ credentials, region string }

func scopeOf(query *imagev1alpha1.ImageQuery) scope {
	s := scope{region: query.Spec.Region}
	if ref := query.Spec.CredentialsRef; ref != nil {
		s.credentials = ref.Name
	}
	return s
}

// objectName is the name of an image's CloudImage. Neither credentials nor a region has a '.', so it is unambiguous.
func (s scope) objectName(imageID string) string {
	name := s.region + "-" + imageID
	if s.credentials != "" {
		name = s.credentials + "." + name
	}
	return name
}

// observedQuery is the hash of what is asked, in two parts: a change of the first means other images altogether. What a
// list says twice it says once: a repetition is no edit.
func observedQuery(query *imagev1alpha1.ImageQuery) string {
	spec := &query.Spec
	filters, match := slices.Clone(spec.Filters), spec.Match
	for i := range filters {
		filters[i].Values = distinct(filters[i].Values)
	}
	match.States, match.Architectures = distinct(match.States), distinct(match.Architectures)
	match.Platforms, match.Creators = distinct(match.Platforms), distinct(match.Creators)
	match.Families, match.ExcludeImageIDs = distinct(match.Families), distinct(match.ExcludeImageIDs)
	return hash(scopeOf(query)) + "-" + hash(filters, distinct(spec.ImageIDs), spec.InstanceType, match)
}

// distinct is a list without repetitions. Those of a spec are short.
func distinct[T comparable](list []T) []T {
	out := list[:0:0]
	for _, item := range list {
		if !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	return out
}

// sameScope says whether two observed queries ask the same account in the same region.
func sameScope(a, b string) bool {
	a, _, _ = strings.Cut(a, "-")
	b, _, _ = strings.Cut(b, "-")
	return a == b
}

// hash is a short token for values that marshal to JSON deterministically.
func hash(values ...any) string {
	h := sha256.New()
	encoder := json.NewEncoder(h)
	for _, v := range values {
		if s, ok := v.(scope); ok {
			v = []string{s.credentials, s.region}
		}
		if err := encoder.Encode(v); err != nil {
			panic(err) // only types of ours without channels or functions come here
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// toRecord is an image as CloudImage stores it.
func toRecord(image catalog.Image, s scope) imagev1alpha1.Image {
	record := imagev1alpha1.Image{
		ID: image.ID, Region: s.region, Credentials: s.credentials,
		Name: image.Name, Description: image.Description, Type: image.Type, Source: image.Source, Creator: image.Creator,
		State: image.State, OSName: image.OSName, Platform: image.Platform, Architecture: image.Architecture,
		SizeGiB: image.SizeGiB, CloudInit: image.CloudInit, LicenseType: image.LicenseType, Family: image.Family,
		Deprecated: image.Deprecated, CreatedTime: optionalTime(image.CreatedTime),
	}
	for _, t := range image.Tags {
		record.Tags = append(record.Tags, imagev1alpha1.Tag{Key: t.Key, Value: t.Value})
	}
	for _, s := range image.Snapshots {
		record.Snapshots = append(record.Snapshots, imagev1alpha1.Snapshot{ID: s.ID, DiskUsage: s.DiskUsage, DiskSizeGiB: s.DiskSizeGiB})
	}
	return record
}

// fromRecord is toRecord's inverse, for images that stay although the last listing lacked them.
func fromRecord(record *imagev1alpha1.Image) catalog.Image {
	image := catalog.Image{
		ID: record.ID, Name: record.Name, Description: record.Description, Type: record.Type, Source: record.Source,
		Creator: record.Creator, State: record.State, OSName: record.OSName, Platform: record.Platform,
		Architecture: record.Architecture, SizeGiB: record.SizeGiB, CloudInit: record.CloudInit,
		LicenseType: record.LicenseType, Family: record.Family, Deprecated: record.Deprecated,
	}
	if record.CreatedTime != nil {
		image.CreatedTime = record.CreatedTime.UTC()
	}
	for _, t := range record.Tags {
		image.Tags = append(image.Tags, catalog.Tag{Key: t.Key, Value: t.Value})
	}
	for _, s := range record.Snapshots {
		image.Snapshots = append(image.Snapshots, catalog.Snapshot{ID: s.ID, DiskUsage: s.DiskUsage, DiskSizeGiB: s.DiskSizeGiB})
	}
	return image
}

func optionalTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}
