// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// breakerLeast is the minimum number of removals for which maxRemovedPercent applies. A percentage of fewer images
// means little.
const breakerLeast = 5

// class is a set of images that can replace each other: those of the same type and creator. Public images have no
// creator.
type class struct{ imageType, creator string }

func classOf(image catalog.Image) class {
	if image.Type == typePublic {
		return class{imageType: typePublic}
	}
	return class{imageType: image.Type, creator: image.Creator}
}

// replaces reports whether images of the class can replace each other. Images without a creator can't, since their
// owner is unknown.
func (c class) replaces() bool { return c.imageType == typePublic || c.creator != "" }

// balance counts the removals and arrivals of one class in one poll.
type balance struct {
	// leaving counts images that would leave now. inGrace counts images that left earlier, were not replaced and still
	// have their objects.
	leaving, inGrace int

	// arriving counts NORMAL images that become members. Held-back images count at every poll.
	arriving int
}

// RemovalBatch is what would leave in one poll, as input of the breaker.
type RemovalBatch struct {
	// Members is the number of previous members, without those that arrived while removals were blocked. Like all
	// counts here, it excludes untrusted images: other accounts must not be able to block removals by sharing images.
	Members int

	// Leaving holds the images that would leave now, with the reason. It includes turned.
	Leaving map[string]imagev1alpha1.RemovalReason

	// turned holds members that the cloud now reports with another type or creator.
	turned map[string]bool

	// staying is the number of members that don't leave. balances counts the others by class, except those that an edit
	// approves.
	staying  int
	balances map[class]*balance

	// HeldBackUnknown is set if removals are already blocked and status doesn't show which members arrived since.
	HeldBackUnknown bool
}

// trips reports whether, on balance, so many images would leave that a person should look first. A revoked permission,
// a lost tag or another account behind the same Secret look like that. The replacement of an image doesn't.
func (d RemovalBatch) trips(maxRemovedPercent int) bool {
	lost, total, inGrace, replaced := 0, 0, 0, false
	for _, b := range d.balances {
		lost += max(0, b.leaving-b.arriving)
		total += max(0, b.leaving+b.inGrace-b.arriving)
		inGrace += b.inGrace
		replaced = replaced || b.arriving > 0 && b.leaving+b.inGrace > 0
	}
	switch {
	case lost == 0 || maxRemovedPercent >= 100:
		return false
	case d.staying == 0 && !replaced:
		return true
	case total < breakerLeast:
		return false
	}
	return d.HeldBackUnknown || total*100 > maxRemovedPercent*(d.Members+inGrace)
}

// Token identifies this removal: the revision and the ids. Its approval covers no other removal.
func (d RemovalBatch) Token(revision string) string {
	return Hash(revision, slices.Sorted(maps.Keys(d.Leaving)))
}

// of returns the balance of an image's class.
func (d RemovalBatch) of(image catalog.Image) *balance {
	c := classOf(image)
	if d.balances[c] == nil {
		d.balances[c] = &balance{}
	}
	return d.balances[c]
}

// removalBatch counts the known images that would leave and the images that arrive.
func (r Rules) removalBatch(query *imagev1alpha1.ImageQuery, k Known, v Observation) RemovalBatch {
	d := RemovalBatch{
		Members: k.EstablishedCount(r.Selector), Leaving: map[string]imagev1alpha1.RemovalReason{}, turned: r.turned(k, v),
		balances: map[class]*balance{}, HeldBackUnknown: k.HeldBackUnknown,
	}
	for id := range d.turned {
		d.Leaving[id] = imagev1alpha1.RemovedNotMatched
	}
	d.staying = d.Members
	for id, reason := range v.Missing {
		switch {
		case reason == "" || r.Selector.Distrusts(k.Members[id]):
		case r.Matcher.Excludes(id):
			// The spec excludes it, so a person has approved.
			if !k.HeldBack[id] {
				d.staying--
			}
		default:
			d.Leaving[id] = reason
		}
	}
	edited := query.Status.ObservedQuery != ObservedQuery(query)
	for id, reason := range d.Leaving {
		if k.HeldBack[id] {
			continue // arrived and left while removals were blocked
		}
		d.staying--
		// In the first complete listing after an edit of the query, the edit approves the removal of images that no
		// longer match, but not of those that are gone.
		if !edited || reason == imagev1alpha1.RemovedGone || d.turned[id] {
			d.of(k.Members[id]).leaving++
		}
	}
	back := returned(k, v)
	for id, departed := range k.InGrace {
		if !back[id] && !departed.Replaced && !r.Selector.Distrusts(departed.Image) {
			d.of(departed.Image).inGrace++
		}
	}
	for _, image := range v.Matching {
		if r.arrives(k, image) {
			d.of(image).arriving++
		}
	}
	return d
}

// turned returns the established, trusted members that the cloud now reports with another owner, for example because
// the keys belong to an account that the images are shared with. Images with an unknown owner, and unknown images, can't turn.
func (r Rules) turned(k Known, v Observation) map[string]bool {
	out := map[string]bool{}
	check := func(now catalog.Image) {
		was := k.Members[now.ID]
		if k.HeldBack[now.ID] || r.Matcher.Excludes(now.ID) || was.Type == "" || !classOf(was).replaces() || r.Selector.Distrusts(was) {
			return
		}
		if classOf(was) != classOf(now) {
			out[now.ID] = true
		}
	}
	for _, image := range v.Matching {
		check(image)
	}
	for _, image := range v.FoundByID {
		check(image)
	}
	return out
}

// arrives reports whether an image of the listing becomes a member and can replace another one.
func (r Rules) arrives(k Known, image catalog.Image) bool {
	_, known := k.Members[image.ID]
	return (!known || k.HeldBack[image.ID]) && image.State == string(imagev1alpha1.ImageStateNormal) &&
		classOf(image).replaces() && r.Selector.trusts(image)
}

// returned holds the images in their grace period that are members again.
func returned(k Known, v Observation) map[string]bool {
	out := map[string]bool{}
	for i := range v.Matching {
		if _, left := k.InGrace[v.Matching[i].ID]; left {
			out[v.Matching[i].ID] = true
		}
	}
	return out
}

// departed returns the images in their grace period after this poll. Each arriving image replaces one of its class, the
// oldest first. None is replaced while removals are blocked: held-back images count as arriving at the next poll again.
func (r Rules) departed(k Known, v Observation, out Decision, d RemovalBatch, now time.Time) map[string]Departed {
	all := make(map[string]Departed, len(k.InGrace)+len(out.Leaving))
	back := returned(k, v)
	for id, before := range k.InGrace {
		if !back[id] {
			all[id] = before
		}
	}
	for id := range out.Leaving {
		// A held-back member that leaves was itself counted as arriving, so it is replaced.
		all[id] = Departed{Image: k.Members[id], Since: now, Replaced: k.HeldBack[id]}
	}
	if out.Blocked != nil {
		return all
	}
	arriving := map[class]int{}
	for c, b := range d.balances {
		arriving[c] = b.arriving
	}
	for _, id := range slices.SortedFunc(maps.Keys(all), func(a, b string) int { return oldestFirst(all[a], all[b]) }) {
		one := all[id]
		if c := classOf(one.Image); arriving[c] > 0 && !one.Replaced && !r.Selector.Distrusts(one.Image) {
			arriving[c]--
			one.Replaced = true
			all[id] = one
		}
	}
	return all
}

// oldestFirst orders images by departure, then by creation.
func oldestFirst(a, b Departed) int {
	return cmp.Or(a.Since.Compare(b.Since), a.Image.CreatedTime.Compare(b.Image.CreatedTime), strings.Compare(a.Image.ID, b.Image.ID))
}

// heldBack returns the images that arrived while removals are blocked. With another account behind the Secret, for
// example, nothing in the listing is trustworthy.
func heldBack(k Known, v Observation, last []previous) map[string]bool {
	out := map[string]bool{}
	for _, image := range v.Matching {
		_, known := k.Members[image.ID]
		selected := slices.ContainsFunc(last, func(l previous) bool { return l.ID == image.ID })
		out[image.ID] = !known || k.HeldBack[image.ID] || k.HeldBackUnknown && !selected
	}
	return out
}
