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

// maxLeaving is how many queries an object remembers as leaving: the schema's bound.
const maxLeaving = 64

// claim is one query's view on CloudImages at one time. Its methods say what an object should be, but for what repeats its
// own facts (withFacts); they are pure.
type claim struct {
	query *imagev1alpha1.ImageQuery
	scope scope
	now   time.Time

	// peers are the queries that the objects' labels name, as the cache has them; nil for one that is known not to
	// exist any more. A name that is not among them is not known.
	peers map[string]*imagev1alpha1.ImageQuery
}

func (c claim) label() string { return imagev1alpha1.LabelQueryPrefix + c.query.Name }

// inScope says whether an object is of the query's account and region.
func (c claim) inScope(image *imagev1alpha1.CloudImage) bool {
	return scope{credentials: image.Image.Credentials, region: image.Image.Region} == c.scope
}

// has says whether the query has anything on an object: its label or its owner reference.
func (c claim) has(current *imagev1alpha1.CloudImage) bool {
	_, labelled := current.Labels[c.label()]
	return labelled || c.owns(current)
}

func (c claim) owns(current *imagev1alpha1.CloudImage) bool {
	return slices.ContainsFunc(current.OwnerReferences, c.isOurs)
}

func (c claim) isOurs(ref metav1.OwnerReference) bool { return ref.UID == c.query.UID }

// isMember says whether an object is that of a member: the query owns it, and it did not leave. Where somebody took the
// label or the owner reference off, the image must not leave without being asked for all the same.
func (c claim) isMember(current *imagev1alpha1.CloudImage) bool {
	return c.ours(current) && c.entry(current) == nil && current.DeletionTimestamp == nil
}

// ours says whether the query owns an object, or has its label on one that nobody owns.
func (c claim) ours(current *imagev1alpha1.CloudImage) bool {
	_, labelled := current.Labels[c.label()]
	return c.owns(current) || labelled && !slices.ContainsFunc(current.OwnerReferences, isImageQuery)
}

func (c claim) own(image *imagev1alpha1.CloudImage) {
	if !c.owns(image) {
		image.OwnerReferences = append(slices.Clip(image.OwnerReferences), metav1.OwnerReference{
			APIVersion: imagev1alpha1.GroupVersion.String(), Kind: "ImageQuery", Name: c.query.Name, UID: c.query.UID,
		})
	}
}

// entry is what an object remembers of the query's leaving; nil if it didn't leave.
func (c claim) entry(image *imagev1alpha1.CloudImage) *imagev1alpha1.LeavingQuery {
	for i := range image.Lifecycle.Leaving {
		if image.Lifecycle.Leaving[i].Query == c.query.Name {
			return &image.Lifecycle.Leaving[i]
		}
	}
	return nil
}

// keep is an object as a member: what is there, with the facts, our labels and our owner reference merged in. What
// others put there stays. Maps and slices that need no change are those of current: almost every object of almost every
// poll is as it should be, and a deep copy of each would be most of what a poll costs.
func (c claim) keep(current *imagev1alpha1.CloudImage, name string, record imagev1alpha1.Image, value string) *imagev1alpha1.CloudImage {
	desired := &imagev1alpha1.CloudImage{}
	if current != nil {
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
func (c claim) letGo(d departing) func(*imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	return func(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
		if current == nil || !c.has(current) {
			return current
		}
		if d.member || c.query.Spec.CloudImages.Policy == imagev1alpha1.CloudImagesNone || !c.ours(current) {
			return c.release(current)
		}
		since := c.stamp()
		if entry := c.entry(current); entry != nil {
			since = entry.Since
		}
		deleteAfter := metav1.NewTime(since.Add(gracePeriod(c.query)).Truncate(time.Second))
		full := c.entry(current) == nil && len(current.Lifecycle.Leaving) >= maxLeaving
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
}

// release is an object without the query; nothing is left of it once nobody else owns it.
func (c claim) release(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	if current == nil || !c.has(current) {
		return current
	}
	desired := c.unlabelled(current)
	desired.OwnerReferences = without(desired.OwnerReferences, c.isOurs)
	if !slices.ContainsFunc(desired.OwnerReferences, isImageQuery) {
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
// collector's. What repeats facts counts as right, since the writer puts it on. left is why the image left this query, if
// it did just now.
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
	image.Labels = merged(image.Labels, factsRight)
}

// deleted says whether a query is known not to exist.
func (c claim) deleted(name string) bool {
	query, known := c.peers[name]
	return known && query == nil
}

// members are the names of the queries that have an image as a member, in order.
func (c claim) members(image *imagev1alpha1.CloudImage) []string {
	var names []string
	for _, ref := range image.OwnerReferences {
		if _, labelled := image.Labels[imagev1alpha1.LabelQueryPrefix+ref.Name]; labelled && isImageQuery(ref) && !c.deleted(ref.Name) {
			names = append(names, ref.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// relabel sets the labels that the queries' specs ask for, and takes off those that none asks for any more. Every query
// that has the image decides alike, so that two that disagree don't write against each other: the first name wins.
func (c claim) relabel(image *imagev1alpha1.CloudImage, members []string) {
	wanted, tags := map[string]string{}, map[string]string{}
	for _, name := range slices.Backward(members) {
		query := c.peers[name]
		if name == c.query.Name {
			query = c.query
		}
		if query == nil {
			return // not known yet: what is there stays until it is
		}
		for key, value := range query.Spec.CloudImages.Labels {
			wanted[key] = string(value)
		}
		for _, key := range query.Spec.CloudImages.LabelTagKeys {
			c.tagLabels(tags, image, key)
		}
	}
	if len(members) == 0 {
		return // in grace: a selector finds it as before
	}
	before := strings.Split(image.Annotations[imagev1alpha1.AnnotationLabelKeys], ",")
	image.Labels = withoutKeys(image.Labels, func(key string) bool {
		_, ok := wanted[key]
		return !ok && slices.Contains(before, key) || strings.HasPrefix(key, imagev1alpha1.LabelTagPrefix) && tags[key] == ""
	})
	image.Labels = merged(merged(image.Labels, wanted), tags)
	image.Annotations = merged(image.Annotations, map[string]string{
		imagev1alpha1.AnnotationLabelKeys: strings.Join(slices.Sorted(maps.Keys(wanted)), ","),
	})
}

// tagLabels adds the label of a tag. A label's name admits what its value does.
func (c claim) tagLabels(labels map[string]string, image *imagev1alpha1.CloudImage, key string) {
	name := labelValue(key)
	if name == "" {
		return
	}
	for _, tag := range image.Image.Tags {
		if tag.Key == key {
			labels[imagev1alpha1.LabelTagPrefix+name] = labelValue(tag.Value)
		}
	}
}

func (c claim) stamp() metav1.Time { return metav1.NewTime(c.now.Truncate(time.Second)) }

func gracePeriod(query *imagev1alpha1.ImageQuery) time.Duration {
	if grace := query.Spec.Removal.GracePeriod; grace != nil {
		return grace.Duration
	}
	return 24 * time.Hour
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
