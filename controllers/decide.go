// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// verdict is what a good listing means for a query.
type verdict struct {
	listing catalog.Listing

	// members are all members, in the order of status.images, those that don't leave yet among them.
	members []catalog.Image

	// kept is how many of them the listing lacks, and partial are those of them of which only status tells.
	kept    int
	partial map[string]bool

	// leaving are members that leave now, by why; none while blocked, which is the departure that the breaker holds back.
	leaving map[string]imagev1alpha1.RemovalReason
	blocked *departure

	// gone are images that were asked for by id and don't exist.
	gone map[string]bool

	// untrusted are members that can't be selected for want of trust. Whoever shares images with the account decides how
	// many there are, so neither the breaker nor maxImages counts them. objectless are those that get no CloudImage,
	// because there would be too many.
	untrusted, objectless map[string]bool

	choice choice

	// rebuilt are members whose facts changed as if they had been made anew, and impostors selected images that bear the
	// name of an earlier one, but have another creator.
	rebuilt, impostors []string
}

// rules are what a spec decides with.
type rules struct {
	matcher matcher
	chooser chooser
}

func newRules(spec *imagev1alpha1.ImageQuerySpec) (rules, error) {
	m, err := newMatcher(&spec.Match)
	if err != nil {
		return rules{}, err
	}
	c, err := newChooser(spec)
	return rules{matcher: m, chooser: c}, err
}

// decide says what a view of the cloud means, given what was known before.
func (r rules) decide(query *imagev1alpha1.ImageQuery, k knowledge, v view, now time.Time) verdict {
	out := verdict{listing: v.listing, members: slices.Clone(v.matching), gone: v.gone,
		leaving: map[string]imagev1alpha1.RemovalReason{}, partial: map[string]bool{}}
	d := r.departureOf(query, k, v)
	approval := query.Annotations[imagev1alpha1.AnnotationApproveRemoval]
	if d.trips(maxRemovedPercent(query)) && approval != d.token(query.Status.Revision) {
		out.blocked = &d
	}
	b := ballot{now: now, heldBack: map[string]bool{}, absent: map[string]imagev1alpha1.SelectionVerdict{}}
	for id, reason := range v.missing {
		if reason != "" && out.blocked == nil {
			out.leaving[id] = reason
			continue
		}
		image, seen := v.there[id]
		if !seen {
			image, out.partial[id] = k.members[id], k.partial[id]
		}
		out.members, out.kept = append(out.members, image), out.kept+1
		b.absent[id] = k.verdicts[id]
	}
	slices.SortFunc(out.members, newestFirst)
	b.members = out.members
	out.untrusted = r.untrusted(out.members)
	out.objectless = objectless(query, k, out)
	b.last = r.last(query, k, v, out)
	if out.blocked != nil {
		b.heldBack = heldBack(k, v, b.last)
	}
	out.choice = r.chooser.choose(b)
	out.rebuilt = rebuilt(k, v.matching)
	out.impostors = impostors(query.Status.Selected, k, out.choice.selected)
	return out
}

// departureOf is what would leave of the images that the breaker counts, by what was known of them.
func (r rules) departureOf(query *imagev1alpha1.ImageQuery, k knowledge, v view) departure {
	d := departure{
		members: k.established(r.chooser), leaving: map[string]imagev1alpha1.RemovalReason{},
		edited: query.Status.ObservedQuery != observedQuery(query), blind: k.blind,
	}
	for id, reason := range v.missing {
		if reason != "" && !r.chooser.distrusts(k.members[id]) {
			d.leaving[id] = reason
		}
	}
	back := idsOf(v.matching)
	for id, image := range k.inGrace {
		if !back[id] && !r.chooser.distrusts(image) {
			d.inGrace++
		}
	}
	return d
}

func (r rules) untrusted(members []catalog.Image) map[string]bool {
	out := map[string]bool{}
	for i := range members {
		if r.chooser.distrusts(members[i]) {
			out[members[i].ID] = true
		}
	}
	return out
}

// objectless are the untrusted members for which maxImages leaves no room. Those that have an object keep it as long as
// there is room for it, so that others that are shared don't take it away. Other policies give them no object anyway.
func objectless(query *imagev1alpha1.ImageQuery, k knowledge, v verdict) map[string]bool {
	room := max(0, maxObjects(query)-(len(v.members)-len(v.untrusted)))
	if len(v.untrusted) <= room || !objectsForAll(query) {
		return nil
	}
	ids := slices.SortedFunc(maps.Keys(v.untrusted), func(a, b string) int {
		return cmp.Or(falseFirst(!k.withObject[a], !k.withObject[b]), strings.Compare(a, b))
	})
	out := make(map[string]bool, len(ids)-room)
	for _, id := range ids[room:] {
		out[id] = true
	}
	return out
}

// heldBack are the images that came while removals are blocked: with another account behind the Secret, for example,
// all that the listing shows is strange.
func heldBack(k knowledge, v view, last []lastSelected) map[string]bool {
	out := map[string]bool{}
	for _, image := range v.matching {
		_, known := k.members[image.ID]
		selected := slices.ContainsFunc(last, func(l lastSelected) bool { return l.ID == image.ID })
		out[image.ID] = !known || k.heldBack[image.ID] || k.blind && !selected
	}
	return out
}

// last are the images that were selected and may stay: not those that are gone, unless removals are blocked, nor those
// that an edit took out.
func (r rules) last(query *imagev1alpha1.ImageQuery, k knowledge, v view, out verdict) []lastSelected {
	status := &query.Status
	if !sameScope(status.ObservedQuery, observedQuery(query)) {
		return nil
	}
	members := selectedAmong(out.members, status)
	var last []lastSelected
	for _, selected := range status.Selected {
		_, member := members[selected.ImageID]
		switch {
		case !member && (v.gone[selected.ImageID] || status.ObservedQuery != observedQuery(query)):
			continue
		case status.SyncedGeneration != query.Generation && r.chooser.rulesOut(selected, r.matcher):
			continue
		}
		image, known := factsOf(selected.ImageID, members, k, v)
		if !known {
			image = fromSelected(selected)
		}
		if r.chooser.distrusts(image) {
			continue
		}
		// By the name under which it was selected an edit is judged later.
		image.Name = selected.Name
		last = append(last, lastSelected{Image: image, partial: !known})
	}
	return last
}

// factsOf are all facts of an image: as the listing shows them, or else a request by its id, or else as they were stored;
// false if status alone tells of it.
func factsOf(id string, members map[string]catalog.Image, k knowledge, v view) (catalog.Image, bool) {
	if image, member := members[id]; member {
		if _, missing := v.missing[id]; !missing {
			return image, true
		}
	}
	if image, found := v.there[id]; found {
		return image, true
	}
	return k.facts(id)
}

// rebuilt are members that have another size, other snapshots, another operating system or another creation time than
// before, under the same id.
func rebuilt(k knowledge, matching []catalog.Image) []string {
	var ids []string
	for _, now := range matching {
		before, known := k.facts(now.ID)
		if known && (before.SizeGiB != now.SizeGiB || before.OSName != now.OSName || before.Platform != now.Platform ||
			!before.CreatedTime.Equal(now.CreatedTime) || !slices.Equal(before.Snapshots, now.Snapshots)) {
			ids = append(ids, now.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// impostors are selected images that have the name, or the id, of one that was selected before, but another creator.
func impostors(before []imagev1alpha1.SelectedImage, k knowledge, now []catalog.Image) []string {
	var ids []string
	for _, image := range now {
		for _, was := range before {
			facts, _ := k.facts(was.ImageID)
			creator := cmp.Or(facts.Creator, was.Creator)
			if (was.ImageID == image.ID || was.Name == image.Name) && creator != "" && image.Creator != "" && creator != image.Creator {
				ids = append(ids, image.ID)
				break
			}
		}
	}
	return ids
}

// withObjects are the members that have CloudImages.
func (v verdict) withObjects(policy imagev1alpha1.CloudImageScope) []catalog.Image {
	switch policy {
	case imagev1alpha1.CloudImagesNone:
		return nil
	case imagev1alpha1.CloudImagesSelected:
		selected := idsOf(v.choice.selected)
		return slices.DeleteFunc(slices.Clone(v.members), func(image catalog.Image) bool { return !selected[image.ID] })
	case imagev1alpha1.CloudImagesAll:
	}
	return without(v.members, func(image catalog.Image) bool { return v.objectless[image.ID] })
}

func objectsForAll(query *imagev1alpha1.ImageQuery) bool {
	return cmp.Or(query.Spec.CloudImages.Policy, imagev1alpha1.CloudImagesAll) == imagev1alpha1.CloudImagesAll
}

// maxObjects is how many CloudImages a query may have.
func maxObjects(query *imagev1alpha1.ImageQuery) int {
	most := cmp.Or(int(query.Spec.CloudImages.MaxImages), 1000)
	if !objectsForAll(query) {
		most = min(most, 500) // the default that was stored with policy All may have stayed behind
	}
	return most
}

// tooMany is the failure of a listing that asks for more CloudImages than a query may have, nil if it doesn't.
func tooMany(query *imagev1alpha1.ImageQuery, v verdict) *failure {
	objects, most := 0, maxObjects(query)
	for _, image := range v.withObjects(query.Spec.CloudImages.Policy) {
		if !v.untrusted[image.ID] {
			objects++
		}
	}
	if objects <= most {
		return nil
	}
	return &failure{
		reason: imagev1alpha1.ReasonTooManyImages, stalled: true,
		message: fmt.Sprintf("the query asks for %d CloudImages, more than spec.cloudImages.maxImages (%d), so nothing of this listing is published; "+
			"narrow filters or match, raise maxImages, or set cloudImages.policy to Selected or None", objects, most),
	}
}

// objectlessNote says in Ready's message how many members have no CloudImage because there would be too many.
func objectlessNote(query *imagev1alpha1.ImageQuery, v verdict) string {
	if len(v.objectless) == 0 {
		return ""
	}
	return fmt.Sprintf("; %d images that can't be selected for want of trust have no CloudImage, because with them there would be more than "+
		"spec.cloudImages.maxImages (%d); narrow filters or match if nobody needs them", len(v.objectless), maxObjects(query))
}
