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

// maxLeaving bounds lifecycle.leaving, as the schema does.
const maxLeaving = 64

// Claim computes desired objects for one query at one time. Fields derived from the record are added on write
// (WithDerived).
type Claim struct {
	Owner
	time time.Time

	// Peers holds the queries named by the objects' labels, from the cache. A nil value means that the query doesn't
	// exist. A missing key means unknown.
	Peers map[string]*imagev1alpha1.ImageQuery
}

// NewClaim returns a Claim. All fields are required: the schema refuses an object written without a time, and an object
// written without the peers would lose their labels.
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

// ensureMember returns the object of a member: current, with the record, our labels and our owner reference merged in.
// Metadata of other clients stays. Unchanged maps and slices are shared with current: almost every object is up to date
// at almost every poll, and deep copies would be most of the cost of a poll. If the object has no room for another
// owner, the query is dropped from it.
func (c Claim) ensureMember(current *imagev1alpha1.CloudImage, name string, record imagev1alpha1.Image, value string,
) *imagev1alpha1.CloudImage {
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

// departure is an image that gets no object of the query any more.
type departure struct {
	// reason is why the image leaves now, or "" if it left before or is still a member.
	reason imagev1alpha1.RemovalReason

	// member is set if the image is still a member, but cloudImages.policy gives it no object.
	member bool

	// stays is set if the object must not be deleted yet: it is still selected, or removals are blocked.
	stays bool

	// gone is set if the image was requested by id and doesn't exist.
	gone bool

	// replaced is set if another image replaced it, so that the breaker no longer counts it.
	replaced bool
}

// startGrace removes the query's label at once, and its owner reference after the grace period. Objects that the policy
// no longer asks for get no grace period.
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

// dropOwner removes the query from an object. It returns nil if no owner is left.
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

// withoutLabel returns a copy without the query's label. Like ensureMember, it shares unchanged maps and slices with
// current.
func (c Claim) withoutLabel(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	desired := *current
	desired.Labels = merged(desired.Labels, map[string]string{c.Label(): ""})
	return &desired
}

// endGrace removes the query from lifecycle.leaving.
func (c Claim) endGrace(image *imagev1alpha1.CloudImage) {
	image.Lifecycle.Leaving = without(image.Lifecycle.Leaving, func(l imagev1alpha1.LeavingQuery) bool { return l.Query == c.Query.Name })
}

// recomputeShared updates the fields that depend on all queries of an object: presence, deleteAfter and requested
// labels. It removes labels and leaving entries of deleted queries. Their owner references are left to the garbage
// collector. left is the reason if the image leaves this query now.
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

// IsDeleted reports whether a query is known not to exist.
func (c Claim) IsDeleted(name string) bool {
	query, known := c.Peers[name]
	return known && query == nil
}

// Members returns the sorted names of the queries that have an image as a member.
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

// isLive reports whether an owner reference belongs to an existing query, as far as is known, and not to an earlier
// query of the same name.
func (c Claim) isLive(ref metav1.OwnerReference) bool {
	if ref.Name == c.Query.Name {
		return ref.UID == c.Query.UID
	}
	peer, known := c.Peers[ref.Name]
	return !known || peer != nil && peer.UID == ref.UID
}

func (c Claim) now() metav1.Time { return metav1.NewTime(c.time.Truncate(time.Second)) }
