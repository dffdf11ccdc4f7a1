// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"cmp"
	"slices"
	"time"
)

// The defaults of a spec. The CRD writes them into what is stored; the methods below give them to whatever did not pass
// through an API server, such as a query in a file, and to fields whose default depends on another one.
const (
	DefaultMinImages         = 1
	DefaultMaxRemovedPercent = 50
	DefaultGracePeriod       = 24 * time.Hour
	DefaultLimit             = 1
	DefaultMaxImages         = 1000

	// MaxImagesInStatus is the largest number of CloudImages with a policy other than All: their members are known from
	// status.images only.
	MaxImagesInStatus = 500
)

// GetMinImages returns spec.minImages, or its default.
func (s *ImageQuerySpec) GetMinImages() int {
	if s.MinImages == nil {
		return DefaultMinImages
	}
	return int(*s.MinImages)
}

// GetGracePeriod returns spec.removal.gracePeriod, or its default.
func (p *RemovalPolicy) GetGracePeriod() time.Duration {
	if p.GracePeriod == nil {
		return DefaultGracePeriod
	}
	return p.GracePeriod.Duration
}

// GetMaxRemovedPercent returns spec.removal.maxRemovedPercent, or its default.
func (p *RemovalPolicy) GetMaxRemovedPercent() int {
	if p.MaxRemovedPercent == nil {
		return DefaultMaxRemovedPercent
	}
	return int(*p.MaxRemovedPercent)
}

// GetOrderBy returns spec.selection.orderBy, or its default.
func (s *ImageSelection) GetOrderBy() SelectionOrder { return cmp.Or(s.OrderBy, OrderByCreatedTime) }

// GetGroupBy returns the facts by which members are grouped, by default their architecture; none of [None].
func (s *ImageSelection) GetGroupBy() []SelectionGroup {
	switch {
	case len(s.GroupBy) == 0:
		return []SelectionGroup{GroupByArchitecture}
	case slices.Contains(s.GroupBy, GroupByNone):
		return nil
	}
	return s.GroupBy
}

// GetLimit returns spec.selection.limit, or its default.
func (s *ImageSelection) GetLimit() int { return max(DefaultLimit, int(s.Limit)) }

// GetPolicy returns spec.cloudImages.policy, or its default.
func (p *CloudImagePolicy) GetPolicy() CloudImageScope { return cmp.Or(p.Policy, CloudImagesAll) }

// GetMaxImages returns spec.cloudImages.maxImages, or its default. With a policy other than All it is at most
// MaxImagesInStatus: the default of policy All may have been stored before the policy was changed.
func (p *CloudImagePolicy) GetMaxImages() int {
	most := cmp.Or(int(p.MaxImages), DefaultMaxImages)
	if p.GetPolicy() != CloudImagesAll {
		most = min(most, MaxImagesInStatus)
	}
	return most
}
