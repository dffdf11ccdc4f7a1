// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Key is the identity of what a query asks with these keys, as text: equal meaning gives equal text, and different
// meaning different text. It is no hash, so two queries never share an answer by accident. Other keys behind the same
// source are another question: they may be another account's, or wrong. Of the secret parts it holds a digest.
func Key(account Account, query Query) string {
	var b strings.Builder
	field := func(name, value string) { fmt.Fprintf(&b, "%s=%q\n", name, value) }
	field("source", account.Source)
	field("keys", digest(account.SecretID, account.SecretKey, account.Token))
	field("region", query.Region)
	field("instanceType", query.InstanceType)
	for _, id := range sorted(query.ImageIDs) {
		field("id", id)
	}
	// Filters are combined by AND and the values of one by OR: neither order means anything.
	filters := slices.Clone(query.Filters)
	slices.SortFunc(filters, func(a, b Filter) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range filters {
		field("filter", f.Name)
		for _, v := range sorted(f.Values) {
			field("value", v)
		}
	}
	return b.String()
}

func digest(parts ...Secret) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%q\n", part.Reveal())
	}
	return hex.EncodeToString(h.Sum(nil))
}

func sorted(in []string) []string {
	return slices.Sorted(slices.Values(in))
}
