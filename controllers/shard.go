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

// Shard is the part of all queries that one operator works on: those of some regions. An empty one is all of them.
type Shard []string

var regionForm = regexp.MustCompile(`^[a-z]+(-[a-z0-9]+)+$`)

// ParseShard reads regions separated by commas. The same regions are the same shard, in whatever order.
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

// LeaseName is the name of the Lease for which the operators of one shard compete: shards must not wait for each other.
func (s Shard) LeaseName(base string) string {
	const longest = 253 // of a name in Kubernetes
	name := strings.Join(append([]string{base}, s...), ".")
	if len(name) > longest {
		name = base + "." + selection.Hash([]string(s))
	}
	return name
}

func (s Shard) covers(region string) bool { return len(s) == 0 || slices.Contains(s, region) }

// concerns lets through what happens to the shard's queries. One whose region was edited concerns the shard that it
// leaves, too, which forgets it; the shard of its new region polls it and lets go of what it had in the old one. The
// cache holds all queries, since images are shared between them and labels of deleted ones are taken off.
func (s Shard) concerns() predicate.Predicate {
	has := func(o client.Object) bool {
		query, ok := o.(*imagev1alpha1.ImageQuery)
		return ok && s.covers(query.Spec.Region)
	}
	p := predicate.NewPredicateFuncs(has)
	p.UpdateFunc = func(e event.UpdateEvent) bool { return has(e.ObjectOld) || has(e.ObjectNew) }
	return p
}
