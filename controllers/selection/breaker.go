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

// breakerLeast is how many images must leave before a share of them trips the breaker: a share of few says nothing.
const breakerLeast = 5

// class is what images have in common that can replace each other: their type and their creator, which public images
// don't name.
type class struct{ imageType, creator string }

func classOf(image catalog.Image) class {
	if image.Type == typePublic {
		return class{imageType: typePublic}
	}
	return class{imageType: image.Type, creator: image.Creator}
}

// replaces says whether images of the class can replace others of it. Whose an image without a creator is, nobody knows.
func (c class) replaces() bool { return c.imageType == typePublic || c.creator != "" }

// balance counts what becomes of one class by one poll.
type balance struct {
	// leaving would leave now. inGrace left earlier, nothing replaced them, and they still have their objects.
	leaving, inGrace int

	// arriving become members, ready to be booted; those that came while removals are blocked arrive at every poll.
	arriving int
}

// RemovalBatch is what would leave by one poll, for the breaker to judge.
type RemovalBatch struct {
	// Members were there before, without those that came while removals were blocked. Like all counts here they leave out
	// images that can't be selected for want of trust: whoever shares images with the account must not hold up what happens
	// to its own.
	Members int

	// Leaving would leave now, by why. Those that turned are among them.
	Leaving map[string]imagev1alpha1.RemovalReason

	// turned are members that the cloud shows as another type or as another creator's than before.
	turned map[string]bool

	// staying are the members that don't leave; balances tell of the others, without what an edit approves.
	staying  int
	balances map[class]*balance

	// HeldBackUnknown says that removals are blocked already, and that status can't tell which members came meanwhile.
	HeldBackUnknown bool
}

// trips says whether so many images would leave, on balance, that somebody should look first. A revoked permission, a lost
// tag or another account behind the same Secret look like that. An image that is replaced doesn't.
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

// Token names one removal: what would leave, from what. Approving it approves nothing else.
func (d RemovalBatch) Token(revision string) string {
	return Hash(revision, slices.Sorted(maps.Keys(d.Leaving)))
}

// of is the balance of an image's class.
func (d RemovalBatch) of(image catalog.Image) *balance {
	c := classOf(image)
	if d.balances[c] == nil {
		d.balances[c] = &balance{}
	}
	return d.balances[c]
}

// removalBatch is what would leave of the images that the breaker counts, by what was known of them, and what arrives.
func (r Rules) removalBatch(query *imagev1alpha1.ImageQuery, k Known, v Observation) RemovalBatch {
	d := RemovalBatch{
		Members: k.EstablishedCount(r.Selector), Leaving: map[string]imagev1alpha1.RemovalReason{}, turned: r.turned(k, v),
		balances: map[class]*balance{}, HeldBackUnknown: k.HeldBackUnknown,
	}
	for id := range d.turned {
		d.Leaving[id] = imagev1alpha1.RemovedNotMatched
	}
	for id, reason := range v.Missing {
		if reason != "" && !r.Selector.Distrusts(k.Members[id]) {
			d.Leaving[id] = reason
		}
	}
	d.staying = d.Members
	edited := query.Status.ObservedQuery != ObservedQuery(query)
	for id, reason := range d.Leaving {
		if k.HeldBack[id] {
			continue // came and went: nothing is lost
		}
		d.staying--
		// The first good listing after the question changed: the edit approves what it no longer matches, but not what is gone.
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

// turned are the established members that may be selected by whose they were, and that the cloud shows as somebody else's
// now: the keys of an account that they are shared with show that, for example. What was not known of an image can't turn.
func (r Rules) turned(k Known, v Observation) map[string]bool {
	out := map[string]bool{}
	check := func(now catalog.Image) {
		was, known := k.Members[now.ID]
		if !known || k.HeldBack[now.ID] || was.Type == "" || !classOf(was).replaces() || r.Selector.Distrusts(was) {
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

// arrives says whether an image of the listing becomes a member by it and can replace another one.
func (r Rules) arrives(k Known, image catalog.Image) bool {
	_, known := k.Members[image.ID]
	return (!known || k.HeldBack[image.ID]) && image.State == string(imagev1alpha1.ImageStateNormal) &&
		classOf(image).replaces() && r.Selector.trusts(image)
}

// returned are the images in their grace period that are members again.
func returned(k Known, v Observation) map[string]bool {
	out := map[string]bool{}
	for i := range v.Matching {
		if _, left := k.InGrace[v.Matching[i].ID]; left {
			out[v.Matching[i].ID] = true
		}
	}
	return out
}

// departed are the images that have left and are in their grace period after this poll. As many of them as images of their
// class arrive are replaced, the oldest first. While removals are blocked none is: what is held back arrives at the next
// poll, too.
func (r Rules) departed(k Known, v Observation, out Decision, d RemovalBatch, now time.Time) map[string]Departed {
	all := make(map[string]Departed, len(k.InGrace)+len(out.Leaving))
	back := returned(k, v)
	for id, before := range k.InGrace {
		if !back[id] {
			all[id] = before
		}
	}
	for id := range out.Leaving {
		// Its own arrival pays for what came while removals were blocked.
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

// oldestFirst orders images by when they left, then by when they were made.
func oldestFirst(a, b Departed) int {
	return cmp.Or(a.Since.Compare(b.Since), a.Image.CreatedTime.Compare(b.Image.CreatedTime), strings.Compare(a.Image.ID, b.Image.ID))
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
