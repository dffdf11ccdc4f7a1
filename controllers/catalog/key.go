// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// Key is the identity of what a query asks with these keys, as text: equal meaning gives equal text, and different
// meaning different text. It is no hash, so two queries never share an answer by accident. It holds the secretId, since
// another account behind the same source is another question; it must not be logged.
func Key(account Account, query Query) string {
	var b strings.Builder
	field := func(name, value string) { fmt.Fprintf(&b, "%s=%q\n", name, value) }
	field("source", account.Source)
	field("account", account.SecretID.Reveal())
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

func sorted(in []string) []string {
	return slices.Sorted(slices.Values(in))
}
