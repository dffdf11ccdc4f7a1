// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// Scope is the account and region of a query. The same image seen by another account or in another region is another
// CloudImage.
type Scope struct{ Credentials, Region string }

// ScopeOf returns the scope of a query.
func ScopeOf(query *imagev1alpha1.ImageQuery) Scope {
	s := Scope{Region: query.Spec.Region}
	if ref := query.Spec.CredentialsRef; ref != nil {
		s.Credentials = ref.Name
	}
	return s
}

// ObservedQuery hashes what a query asks, in two parts. A change of the first part means entirely different images.
// Duplicates in lists don't change the hash.
func ObservedQuery(query *imagev1alpha1.ImageQuery) string {
	spec := &query.Spec
	filters, match := slices.Clone(spec.Filters), spec.Match
	for i := range filters {
		filters[i].Values = Distinct(filters[i].Values)
	}
	match.States, match.Architectures = Distinct(match.States), Distinct(match.Architectures)
	match.Platforms, match.Creators = Distinct(match.Platforms), Distinct(match.Creators)
	match.Families, match.ExcludeImageIDs = Distinct(match.Families), Distinct(match.ExcludeImageIDs)
	return Hash(ScopeOf(query)) + "-" + Hash(filters, Distinct(spec.ImageIDs), spec.InstanceType, match)
}

// Request hashes what the cloud is asked, without match.
func Request(query *imagev1alpha1.ImageQuery) string {
	return Hash(ScopeOf(query), query.Spec.Filters, query.Spec.ImageIDs, query.Spec.InstanceType)
}

// Distinct removes duplicates. It is quadratic, since lists in a spec are short.
func Distinct[T comparable](list []T) []T {
	out := list[:0:0]
	for _, item := range list {
		if !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	return out
}

// SameScope reports whether two observed queries ask the same account and region.
func SameScope(a, b string) bool {
	a, _, _ = strings.Cut(a, "-")
	b, _, _ = strings.Cut(b, "-")
	return a == b
}

// Hash returns a short token for values that marshal to JSON deterministically.
func Hash(values ...any) string {
	h := sha256.New()
	encoder := json.NewEncoder(h)
	for _, v := range values {
		if s, ok := v.(Scope); ok {
			v = []string{s.Credentials, s.Region}
		}
		if err := encoder.Encode(v); err != nil {
			panic(err) // only types of ours without channels or functions come here
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}
