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

// Key returns the cache key of a query with an account: equal meaning gives equal text, and different meaning
// different text. It is not a hash, so two queries never share an answer by accident. Keys are included because
// rotated keys of the same source may be invalid or belong to another account. Secret parts are included as a digest.
func Key(account Account, query Query) string {
	var b strings.Builder
	field := func(name, value string) { fmt.Fprintf(&b, "%s=%q\n", name, value) }
	field("source", account.Source)
	field("keys", digest(account.SecretID, account.SecretKey, account.Token))
	field("ambient", account.Ambient)
	for _, role := range account.Roles {
		field("role", role.ARN)
		field("externalID", digest(role.ExternalID))
	}
	field("accountID", account.AccountID)
	field("region", query.Region)
	field("instanceType", query.InstanceType)
	for _, id := range set(query.ImageIDs) {
		field("id", id)
	}
	// Filters are combined by AND and the values of one by OR, so order and repetition don't matter.
	filters := make([]string, len(query.Filters))
	for i, f := range query.Filters {
		filters[i] = fmt.Sprintf("filter=%q values=%q\n", f.Name, set(f.Values))
	}
	for _, f := range set(filters) {
		b.WriteString(f)
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

// set returns in, sorted and without duplicates.
func set(in []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(in)))
}
