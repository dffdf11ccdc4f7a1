// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"

	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// breakerLeast is how many images must leave before a share of them trips the breaker: a share of few says nothing.
const breakerLeast = 5

// departure is what would leave by one poll, for the breaker to judge.
type departure struct {
	// members were there before, without those that came while removals were blocked; inGrace left earlier and still
	// have their objects. Neither these nor leaving count images that can't be selected for want of trust: whoever shares
	// images with the account must not hold up what happens to its own.
	members, inGrace int

	// leaving would leave now, by why.
	leaving map[string]imagev1alpha1.RemovalReason

	// edited says that this is the first good listing after the question changed: the edit approves what it no longer
	// matches, but not what is gone.
	edited bool

	// blind says that removals are blocked already and status can't tell anymore which members came meanwhile.
	blind bool
}

// trips says whether so many images would leave that somebody should look first. A revoked permission, a lost tag or
// another account behind the same Secret look like that.
func (d departure) trips(maxRemovedPercent int32) bool {
	leaving := 0
	for _, reason := range d.leaving {
		if !d.edited || reason == imagev1alpha1.RemovedGone {
			leaving++
		}
	}
	if leaving == 0 || maxRemovedPercent >= 100 {
		return false
	}
	if leaving >= d.members {
		return true
	}
	all := leaving + d.inGrace
	if all < breakerLeast {
		return false
	}
	return d.blind || all*100 > int(maxRemovedPercent)*(d.members+d.inGrace)
}

// token names one removal: what would leave, from what. Approving it approves nothing else.
func (d departure) token(revision string) string {
	return hash(revision, d.ids())
}

func (d departure) ids() []string {
	ids := make([]string, 0, len(d.leaving))
	for id := range d.leaving {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// approveCommand is the command that approves a removal, as the condition RemovalBlocked shows it.
func approveCommand(query *imagev1alpha1.ImageQuery, token string) string {
	return fmt.Sprintf("kubectl annotate imagequery %s %s=%s --overwrite", query.Name, imagev1alpha1.AnnotationApproveRemoval, token)
}

// blockedNote says in Ready's message what is held back.
func blockedNote(query *imagev1alpha1.ImageQuery, d departure) string {
	gone := 0
	for _, reason := range d.leaving {
		if reason == imagev1alpha1.RemovedGone {
			gone++
		}
	}
	return fmt.Sprintf("; %d of %d images would leave (%d gone, %d that match no more), which is all of them or more than removal.maxRemovedPercent (%d): "+
		"nothing is removed and no new image is selected until somebody runs the command that the condition %s shows",
		len(d.leaving), d.members, gone, len(d.leaving)-gone, maxRemovedPercent(query), imagev1alpha1.ConditionRemovalBlocked)
}

func maxRemovedPercent(query *imagev1alpha1.ImageQuery) int32 {
	return ptr.Deref(query.Spec.Removal.MaxRemovedPercent, 50)
}
