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

// Scope is where a query's images live: the same image seen by another account or in another region is another
// CloudImage.
type Scope struct{ Credentials, Region string }

// ScopeOf returns where a query's images live.
func ScopeOf(query *imagev1alpha1.ImageQuery) Scope {
	s := Scope{Region: query.Spec.Region}
	if ref := query.Spec.CredentialsRef; ref != nil {
		s.Credentials = ref.Name
	}
	return s
}

// ObservedQuery is the hash of what is asked, in two parts: a change of the first means other images altogether. What a
// list says twice it says once: a repetition is no edit.
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

// Distinct is a list without repetitions. Those of a spec are short.
func Distinct[T comparable](list []T) []T {
	out := list[:0:0]
	for _, item := range list {
		if !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	return out
}

// SameScope says whether two observed queries ask the same account in the same region.
func SameScope(a, b string) bool {
	a, _, _ = strings.Cut(a, "-")
	b, _, _ = strings.Cut(b, "-")
	return a == b
}

// Hash is a short token for values that marshal to JSON deterministically.
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
