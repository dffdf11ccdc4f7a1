// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

const (
	// maxLeaving is how many queries an object remembers as leaving: the schema's bound.
	maxLeaving = 64

	// maxHolders is how many queries own one CloudImage at the most. Who owns it stays; a query that comes later is left
	// out. Without a bound, authors of queries could grow an object that others need until nobody can write it any more.
	maxHolders = 64
)

// holder is one query as CloudImages know it. Its methods say what an object has of the query.
type holder struct {
	query *imagev1alpha1.ImageQuery
	scope scope
}

func holderOf(query *imagev1alpha1.ImageQuery) holder {
	return holder{query: query, scope: scopeOf(query)}
}

// claim is what a query asks of CloudImages at one time. Its methods say what an object should be, but for what repeats its
// record (withDerived); they are pure.
type claim struct {
	holder
	now time.Time

	// peers are the queries that the objects' labels name, as the cache has them; nil for one that is known not to
	// exist any more. A name that is not among them is not known.
	peers map[string]*imagev1alpha1.ImageQuery
}

// newClaim makes every claim. An object that is written without the time is refused by its schema, and one that is written
// without a look at the other queries loses what is theirs.
func newClaim(query *imagev1alpha1.ImageQuery, now time.Time, peers map[string]*imagev1alpha1.ImageQuery) claim {
	if now.IsZero() {
		panic("a claim without the time")
	}
	return claim{holder: holderOf(query), now: now, peers: peers}
}

func (h holder) label() string { return imagev1alpha1.LabelQueryPrefix + h.query.Name }

// inScope says whether an object is of the query's account and region.
func (h holder) inScope(image *imagev1alpha1.CloudImage) bool {
	return scope{credentials: image.Image.Credentials, region: image.Image.Region} == h.scope
}

// has says whether the query has anything on an object: its label or its owner reference.
func (h holder) has(current *imagev1alpha1.CloudImage) bool {
	_, labelled := current.Labels[h.label()]
	return labelled || h.owns(current)
}

func (h holder) owns(current *imagev1alpha1.CloudImage) bool {
	return slices.ContainsFunc(current.OwnerReferences, h.isOurs)
}

func (h holder) isOurs(ref metav1.OwnerReference) bool { return ref.UID == h.query.UID }

// leftOut says whether an object has as many owners as it may, and the query is none of them.
func (h holder) leftOut(current *imagev1alpha1.CloudImage) bool {
	holders := 0
	for _, ref := range current.OwnerReferences {
		if isImageQuery(ref) {
			holders++
		}
	}
	return holders >= maxHolders && !h.owns(current)
}

// isMember says whether an object is that of a member: the query owns it, and it did not leave. Where somebody took the
// label or the owner reference off, the image must not leave without being asked for all the same.
func (h holder) isMember(current *imagev1alpha1.CloudImage) bool {
	return h.ours(current) && h.leaving(current) == nil && current.DeletionTimestamp == nil
}

// ours says whether the query owns an object, or has its label on one that nobody owns.
func (h holder) ours(current *imagev1alpha1.CloudImage) bool {
	_, labelled := current.Labels[h.label()]
	return h.owns(current) || labelled && ownerless(current)
}

func (c claim) own(image *imagev1alpha1.CloudImage) {
	if !c.owns(image) {
		image.OwnerReferences = append(slices.Clip(image.OwnerReferences), metav1.OwnerReference{
			APIVersion: imagev1alpha1.GroupVersion.String(), Kind: "ImageQuery", Name: c.query.Name, UID: c.query.UID,
		})
	}
}

// leaving is what an object remembers of the query's leaving; nil if it didn't leave.
func (h holder) leaving(image *imagev1alpha1.CloudImage) *imagev1alpha1.LeavingQuery {
	for i := range image.Lifecycle.Leaving {
		if image.Lifecycle.Leaving[i].Query == h.query.Name {
			return &image.Lifecycle.Leaving[i]
		}
	}
	return nil
}

// keep is an object as a member: what is there, with the facts, our labels and our owner reference merged in. What
// others put there stays. Maps and slices that need no change are those of current: almost every object of almost every
// poll is as it should be, and a deep copy of each would be most of what a poll costs. An object that the query is left
// out of stays as the others have it.
func (c claim) keep(current *imagev1alpha1.CloudImage, name string, record imagev1alpha1.Image, value string) *imagev1alpha1.CloudImage {
	desired := &imagev1alpha1.CloudImage{}
	if current != nil {
		if c.leftOut(current) {
			return c.release(current)
		}
		*desired = *current
	}
	desired.Name = name
	if !sameFacts(&desired.Image, &record) {
		desired.Image = record
		desired.Lifecycle.LastChangeTime = c.stamp()
	}
	c.own(desired)
	c.forget(desired)
	desired.Labels = merged(desired.Labels, map[string]string{c.label(): value})
	c.settle(desired, "")
	if desired.Lifecycle.FirstSeenTime.IsZero() {
		desired.Lifecycle.FirstSeenTime = desired.Lifecycle.LastChangeTime
	}
	return desired
}

// departing is an object's image that the query's policy doesn't give an object any more.
type departing struct {
	// reason is why it leaves now; "" if it left before, or is a member still.
	reason imagev1alpha1.RemovalReason

	// member says that it is a member all the same, but one that cloudImages.policy gives no object.
	member bool

	// stays says that its object must not go yet: it is still selected, or removals are blocked.
	stays bool

	// gone says that it was asked for by id, and does not exist.
	gone bool
}

// letGo is an object on its way out: its label goes at once, and the owner reference once the grace period has ended.
// What the policy doesn't ask for any more goes without one.
func (d departing) letGo(c claim, current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	if current == nil || !c.has(current) {
		return current
	}
	if d.member || c.query.Spec.CloudImages.Policy == imagev1alpha1.CloudImagesNone || !c.ours(current) {
		return c.release(current)
	}
	since := c.stamp()
	if entry := c.leaving(current); entry != nil {
		since = entry.Since
	}
	deleteAfter := metav1.NewTime(since.Add(gracePeriod(c.query)).Truncate(time.Second))
	full := c.leaving(current) == nil && len(current.Lifecycle.Leaving) >= maxLeaving
	if !d.stays && (full || !deleteAfter.After(c.now)) {
		return c.release(current)
	}
	desired := c.unlabelled(current)
	c.own(desired)
	if !full {
		c.forget(desired)
		desired.Lifecycle.Leaving = append(slices.Clone(desired.Lifecycle.Leaving), imagev1alpha1.LeavingQuery{Query: c.query.Name, Since: since, DeleteAfter: deleteAfter})
		slices.SortFunc(desired.Lifecycle.Leaving, func(a, b imagev1alpha1.LeavingQuery) int { return strings.Compare(a.Query, b.Query) })
	}
	reason := d.reason
	if d.gone {
		reason = imagev1alpha1.RemovedGone
	}
	c.settle(desired, reason)
	return desired
}

// release is an object without the query; nothing is left of it once nobody else owns it.
func (c claim) release(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	if current == nil || !c.has(current) {
		return current
	}
	desired := c.unlabelled(current)
	desired.OwnerReferences = without(desired.OwnerReferences, c.isOurs)
	if ownerless(desired) {
		return nil
	}
	c.forget(desired)
	c.settle(desired, "")
	return desired
}

// unlabelled is an object without the query's label. Like keep, it shares with current what needs no change.
func (c claim) unlabelled(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	desired := *current
	desired.Labels = merged(desired.Labels, map[string]string{c.label(): ""})
	return &desired
}

// forget takes the query out of what the object remembers of leaving.
func (c claim) forget(image *imagev1alpha1.CloudImage) {
	image.Lifecycle.Leaving = without(image.Lifecycle.Leaving, func(l imagev1alpha1.LeavingQuery) bool { return l.Query == c.query.Name })
}

// settle brings what depends on all queries of an object up to date: presence, deleteAfter and the labels that queries ask
// for. What is left of queries that don't exist any more goes, but for their owner references, which are the garbage
// collector's. left is why the image left this query, if it did just now.
func (c claim) settle(image *imagev1alpha1.CloudImage, left imagev1alpha1.RemovalReason) {
	image.Labels = withoutKeys(image.Labels, func(key string) bool {
		name, ok := strings.CutPrefix(key, imagev1alpha1.LabelQueryPrefix)
		return ok && c.deleted(name)
	})
	l := &image.Lifecycle
	l.Leaving = without(l.Leaving, func(q imagev1alpha1.LeavingQuery) bool { return c.deleted(q.Query) })
	l.DeleteAfter = nil
	for _, q := range l.Leaving {
		if l.DeleteAfter == nil || q.DeleteAfter.After(l.DeleteAfter.Time) {
			l.DeleteAfter = &metav1.Time{Time: q.DeleteAfter.Time}
		}
	}
	members := c.members(image)
	presence := l.Presence
	switch {
	case len(members) > 0:
		presence = imagev1alpha1.PresencePresent
	case left != "":
		presence = imagev1alpha1.ImagePresence(left)
	case presence == imagev1alpha1.PresencePresent:
		presence = imagev1alpha1.PresenceNotMatched
	}
	if l.Presence != presence {
		l.Presence = presence
		l.LastChangeTime = c.stamp()
	}
	c.relabel(image, members)
}

// deleted says whether a query is known not to exist.
func (c claim) deleted(name string) bool {
	query, known := c.peers[name]
	return known && query == nil
}

// members are the names of the queries that have an image as a member, in order.
func (c claim) members(image *imagev1alpha1.CloudImage) []string {
	var names []string
	for _, ref := range membersOf(image) {
		if c.alive(ref) {
			names = append(names, ref.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// alive says whether an owner reference is that of a query that exists, as far as is known: not of an earlier namesake.
func (c claim) alive(ref metav1.OwnerReference) bool {
	if ref.Name == c.query.Name {
		return ref.UID == c.query.UID
	}
	peer, known := c.peers[ref.Name]
	return !known || peer != nil && peer.UID == ref.UID
}

// membersOf are the owner references of the queries whose label an object has.
func membersOf(image *imagev1alpha1.CloudImage) []metav1.OwnerReference {
	var refs []metav1.OwnerReference
	for _, ref := range image.OwnerReferences {
		if isImageQuery(ref) && hasKey(image.Labels, imagev1alpha1.LabelQueryPrefix+ref.Name) {
			refs = append(refs, ref)
		}
	}
	return refs
}

func (c claim) stamp() metav1.Time { return metav1.NewTime(c.now.Truncate(time.Second)) }

func gracePeriod(query *imagev1alpha1.ImageQuery) time.Duration {
	if grace := query.Spec.Removal.GracePeriod; grace != nil {
		return grace.Duration
	}
	return 24 * time.Hour
}

// ownerless says whether no ImageQuery is among an object's owners.
func ownerless(image *imagev1alpha1.CloudImage) bool {
	return !slices.ContainsFunc(image.OwnerReferences, isImageQuery)
}

func isImageQuery(ref metav1.OwnerReference) bool {
	return ref.Kind == "ImageQuery" && strings.HasPrefix(ref.APIVersion, imagev1alpha1.Group+"/")
}

// merged is base with values set; an empty value takes its key off. Where that changes nothing it is base itself.
func merged(base, values map[string]string) map[string]string {
	out, own := base, false
	for key, value := range values {
		if base[key] == value {
			if _, present := base[key]; present == (value != "") {
				continue
			}
		}
		if !own {
			out, own = maps.Clone(base), true
			if out == nil {
				out = map[string]string{}
			}
		}
		if value == "" {
			delete(out, key)
		} else {
			out[key] = value
		}
	}
	return out
}

// withoutKeys is m without the keys that drop says; m itself where there are none.
func withoutKeys(m map[string]string, drop func(key string) bool) map[string]string {
	for key := range m {
		if drop(key) {
			out := maps.Clone(m)
			maps.DeleteFunc(out, func(key, _ string) bool { return drop(key) })
			return out
		}
	}
	return m
}

// without is s without the items that drop says; s itself where there are none.
func without[T any](s []T, drop func(T) bool) []T {
	if !slices.ContainsFunc(s, drop) {
		return s
	}
	return slices.DeleteFunc(slices.Clone(s), drop)
}
