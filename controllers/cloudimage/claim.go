// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// maxLeaving is how many queries an object remembers as leaving: the schema's bound.
const maxLeaving = 64

// Claim is what a query asks of CloudImages at one time. Its methods say what an object should be, but for what is
// derived from its record (WithDerived).
type Claim struct {
	Owner
	time time.Time

	// Peers are the queries that the objects' labels name, as the cache has them; nil for one that is known not to
	// exist any more. A name that is not among them is not known.
	Peers map[string]*imagev1alpha1.ImageQuery
}

// NewClaim makes every claim. An object that is written without the time is refused by its schema, and one that is written
// without a look at the other queries loses what is theirs.
func NewClaim(query *imagev1alpha1.ImageQuery, now time.Time, peers map[string]*imagev1alpha1.ImageQuery) Claim {
	if now.IsZero() {
		panic("a claim without the time")
	}
	return Claim{Owner: OwnerOf(query), time: now, Peers: peers}
}

func (c Claim) addOwner(image *imagev1alpha1.CloudImage) {
	if !c.Owns(image) {
		image.OwnerReferences = append(slices.Clip(image.OwnerReferences), metav1.OwnerReference{
			APIVersion: imagev1alpha1.GroupVersion.String(), Kind: "ImageQuery", Name: c.Query.Name, UID: c.Query.UID,
		})
	}
}

// ensureMember is an object as a member: what is there, with the facts, our labels and our owner reference merged in. What
// others put there stays. Maps and slices that need no change are those of current: almost every object of almost every
// poll is as it should be, and a deep copy of each would be most of what a poll costs. An object that the query is left
// out of stays as the others have it.
func (c Claim) ensureMember(current *imagev1alpha1.CloudImage, name string, record imagev1alpha1.Image, value string) *imagev1alpha1.CloudImage {
	desired := &imagev1alpha1.CloudImage{}
	if current != nil {
		if c.LeftOut(current) {
			return c.dropOwner(current)
		}
		*desired = *current
	}
	desired.Name = name
	if !sameRecord(&desired.Image, &record) {
		desired.Image = record
		desired.Lifecycle.LastChangeTime = c.now()
	}
	c.addOwner(desired)
	c.endGrace(desired)
	desired.Labels = merged(desired.Labels, map[string]string{c.Label(): value})
	c.recomputeShared(desired, "")
	if desired.Lifecycle.FirstSeenTime.IsZero() {
		desired.Lifecycle.FirstSeenTime = desired.Lifecycle.LastChangeTime
	}
	return desired
}

// departure is an object's image that the query's policy doesn't give an object any more.
type departure struct {
	// reason is why it leaves now; "" if it left before, or is a member still.
	reason imagev1alpha1.RemovalReason

	// member says that it is a member all the same, but one that cloudImages.policy gives no object.
	member bool

	// stays says that its object must not go yet: it is still selected, or removals are blocked.
	stays bool

	// gone says that it was asked for by id, and does not exist.
	gone bool

	// replaced says that the breaker counts it no more, since another one came for it.
	replaced bool
}

// startGrace is an object on its way out: its label goes at once, and the owner reference once the grace period has ended.
// What the policy doesn't ask for any more goes without one.
func (d departure) startGrace(c Claim, current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	if current == nil || !c.has(current) {
		return current
	}
	if d.member || c.Query.Spec.CloudImages.Policy == imagev1alpha1.CloudImagesNone || !c.ours(current) {
		return c.dropOwner(current)
	}
	entry := imagev1alpha1.LeavingQuery{Query: c.Query.Name, Since: c.now()}
	if before := c.leaving(current); before != nil {
		entry = *before
	}
	entry.DeleteAfter = metav1.NewTime(entry.Since.Add(c.Query.Spec.Removal.GetGracePeriod()).Truncate(time.Second))
	entry.Replaced = entry.Replaced || d.replaced
	full := c.leaving(current) == nil && len(current.Lifecycle.Leaving) >= maxLeaving
	if !d.stays && (full || !entry.DeleteAfter.After(c.time)) {
		return c.dropOwner(current)
	}
	desired := c.withoutLabel(current)
	c.addOwner(desired)
	if !full {
		c.endGrace(desired)
		desired.Lifecycle.Leaving = append(slices.Clone(desired.Lifecycle.Leaving), entry)
		slices.SortFunc(desired.Lifecycle.Leaving, func(a, b imagev1alpha1.LeavingQuery) int { return strings.Compare(a.Query, b.Query) })
	}
	reason := d.reason
	if d.gone {
		reason = imagev1alpha1.RemovedGone
	}
	c.recomputeShared(desired, reason)
	return desired
}

// dropOwner is an object without the query; nothing is left of it once nobody else owns it.
func (c Claim) dropOwner(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	if current == nil || !c.has(current) {
		return current
	}
	desired := c.withoutLabel(current)
	desired.OwnerReferences = without(desired.OwnerReferences, c.isOurs)
	if Ownerless(desired) {
		return nil
	}
	c.endGrace(desired)
	c.recomputeShared(desired, "")
	return desired
}

// withoutLabel is an object without the query's label. Like keep, it shares with current what needs no change.
func (c Claim) withoutLabel(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	desired := *current
	desired.Labels = merged(desired.Labels, map[string]string{c.Label(): ""})
	return &desired
}

// endGrace takes the query out of what the object remembers of leaving.
func (c Claim) endGrace(image *imagev1alpha1.CloudImage) {
	image.Lifecycle.Leaving = without(image.Lifecycle.Leaving, func(l imagev1alpha1.LeavingQuery) bool { return l.Query == c.Query.Name })
}

// recomputeShared brings what depends on all queries of an object up to date: presence, deleteAfter and the labels that queries ask
// for. What is left of queries that don't exist any more goes, but for their owner references, which are the garbage
// collector's. left is why the image left this query, if it did just now.
func (c Claim) recomputeShared(image *imagev1alpha1.CloudImage, left imagev1alpha1.RemovalReason) {
	image.Labels = withoutKeys(image.Labels, func(key string) bool {
		name, ok := strings.CutPrefix(key, imagev1alpha1.LabelQueryPrefix)
		return ok && c.IsDeleted(name)
	})
	l := &image.Lifecycle
	l.Leaving = without(l.Leaving, func(q imagev1alpha1.LeavingQuery) bool { return c.IsDeleted(q.Query) })
	l.DeleteAfter = nil
	for _, q := range l.Leaving {
		if l.DeleteAfter == nil || q.DeleteAfter.After(l.DeleteAfter.Time) {
			l.DeleteAfter = &metav1.Time{Time: q.DeleteAfter.Time}
		}
	}
	members := c.Members(image)
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
		l.LastChangeTime = c.now()
	}
	c.relabel(image, members)
}

// IsDeleted says whether a query is known not to exist.
func (c Claim) IsDeleted(name string) bool {
	query, known := c.Peers[name]
	return known && query == nil
}

// Members are the names of the queries that have an image as a member, in order.
func (c Claim) Members(image *imagev1alpha1.CloudImage) []string {
	var names []string
	for _, ref := range MembersOf(image) {
		if c.isLive(ref) {
			names = append(names, ref.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// isLive says whether an owner reference is that of a query that exists, as far as is known: not of an earlier namesake.
func (c Claim) isLive(ref metav1.OwnerReference) bool {
	if ref.Name == c.Query.Name {
		return ref.UID == c.Query.UID
	}
	peer, known := c.Peers[ref.Name]
	return !known || peer != nil && peer.UID == ref.UID
}

func (c Claim) now() metav1.Time { return metav1.NewTime(c.time.Truncate(time.Second)) }
