// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// breakerLeast is how many images must leave before a share of them trips the breaker: a share of few says nothing.
const breakerLeast = 5

// RemovalBatch is what would leave by one poll, for the breaker to judge.
type RemovalBatch struct {
	// Members were there before, without those that came while removals were blocked; inGrace left earlier and still
	// have their objects. Neither these nor leaving count images that can't be selected for want of trust: whoever shares
	// images with the account must not hold up what happens to its own.
	Members, inGrace int

	// Leaving would leave now, by why.
	Leaving map[string]imagev1alpha1.RemovalReason

	// edited says that this is the first good listing after the question changed: the edit approves what it no longer
	// matches, but not what is gone.
	edited bool

	// HeldBackUnknown says that removals are blocked already, and that status can't tell which members came meanwhile.
	HeldBackUnknown bool
}

// trips says whether so many images would leave that somebody should look first. A revoked permission, a lost tag or
// another account behind the same Secret look like that.
func (d RemovalBatch) trips(maxRemovedPercent int) bool {
	leaving := 0
	for _, reason := range d.Leaving {
		if !d.edited || reason == imagev1alpha1.RemovedGone {
			leaving++
		}
	}
	if leaving == 0 || maxRemovedPercent >= 100 {
		return false
	}
	if leaving >= d.Members {
		return true
	}
	all := leaving + d.inGrace
	if all < breakerLeast {
		return false
	}
	return d.HeldBackUnknown || all*100 > maxRemovedPercent*(d.Members+d.inGrace)
}

// Token names one removal: what would leave, from what. Approving it approves nothing else.
func (d RemovalBatch) Token(revision string) string {
	return Hash(revision, d.ids())
}

func (d RemovalBatch) ids() []string {
	ids := make([]string, 0, len(d.Leaving))
	for id := range d.Leaving {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// removalBatch is what would leave of the images that the breaker counts, by what was known of them.
func (r Rules) removalBatch(query *imagev1alpha1.ImageQuery, k Known, v Observation) RemovalBatch {
	d := RemovalBatch{
		Members: k.EstablishedCount(r.Selector), Leaving: map[string]imagev1alpha1.RemovalReason{},
		edited: query.Status.ObservedQuery != ObservedQuery(query), HeldBackUnknown: k.HeldBackUnknown,
	}
	for id, reason := range v.Missing {
		if reason != "" && !r.Selector.Distrusts(k.Members[id]) {
			d.Leaving[id] = reason
		}
	}
	back := IDsOf(v.Matching)
	for id, image := range k.InGrace {
		if !back[id] && !r.Selector.Distrusts(image) {
			d.inGrace++
		}
	}
	return d
}

// heldBack are the images that came while removals are blocked: with another account behind the Secret, for example,
// all that the listing shows is strange.
func heldBack(k Known, v Observation, last []previous) map[string]bool {
	out := map[string]bool{}
	for _, image := range v.Matching {
		_, known := k.Members[image.ID]
		selected := slices.ContainsFunc(last, func(l previous) bool { return l.ID == image.ID })
		out[image.ID] = !known || k.HeldBack[image.ID] || k.HeldBackUnknown && !selected
	}
	return out
}
