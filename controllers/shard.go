// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// Shard is the set of regions that an operator works on. An empty Shard means all regions.
type Shard []string

var regionForm = regexp.MustCompile(`^[a-z]+(-[a-z0-9]+)+$`)

// ParseShard parses regions separated by commas. Their order doesn't matter.
func ParseShard(regions string) (Shard, error) {
	var s Shard
	for region := range strings.SplitSeq(regions, ",") {
		if region = strings.TrimSpace(region); region == "" {
			continue
		}
		if !regionForm.MatchString(region) {
			return nil, fmt.Errorf("%q is no region; write regions such as ap-guangzhou,ap-shanghai", region)
		}
		s = append(s, region)
	}
	slices.Sort(s)
	if s = slices.Compact(s); len(s) == 0 && regions != "" {
		return nil, fmt.Errorf("%q names no region; write regions such as ap-guangzhou,ap-shanghai, or leave it out for all", regions)
	}
	return s, nil
}

// LeaseName returns the name of the Lease for the operators of a shard. Each shard has its own, so that shards don't
// wait for each other.
func (s Shard) LeaseName(base string) string {
	const longest = 253 // limit of a name in Kubernetes
	name := strings.Join(append([]string{base}, s...), ".")
	if len(name) > longest {
		name = base + "." + selection.Hash([]string(s))
	}
	return name
}

// Covers reports whether the queries of a region belong to the shard.
func (s Shard) Covers(region string) bool { return len(s) == 0 || slices.Contains(s, region) }

// concerns selects the events of the shard's queries. A query whose region was edited concerns both shards: the old one
// forgets it; the new one polls it and releases what it had in the old region. The cache holds all queries, because
// images are shared between them and labels of deleted ones must be removed.
func (s Shard) concerns() predicate.Predicate {
	has := func(o client.Object) bool {
		query, ok := o.(*imagev1alpha1.ImageQuery)
		return ok && s.Covers(query.Spec.Region)
	}
	p := predicate.NewPredicateFuncs(has)
	p.UpdateFunc = func(e event.UpdateEvent) bool { return has(e.ObjectOld) || has(e.ObjectNew) }
	return p
}
