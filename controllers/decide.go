// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"fmt"
	"slices"
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

func newRules(spec *imagev1alpha1.ImageQuerySpec) (rules, *failure) {
	m, bad := newMatcher(&spec.Match)
	if bad != nil {
		return rules{}, bad
	}
	c, bad := newChooser(spec)
	return rules{matcher: m, chooser: c}, bad
}

// decide says what a view of the cloud means, given what was known before.
func (r rules) decide(query *imagev1alpha1.ImageQuery, k knowledge, v view, now time.Time) verdict {
	out := verdict{listing: v.listing, members: slices.Clone(v.matching), gone: v.gone,
		leaving: map[string]imagev1alpha1.RemovalReason{}, partial: map[string]bool{}}
	d := departureOf(query, k, v)
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
	b.last = r.last(query, k, v, out)
	if out.blocked != nil {
		b.heldBack = heldBack(k, v, b.last)
	}
	out.choice = r.chooser.choose(b)
	out.rebuilt = rebuilt(k, v.matching)
	out.impostors = impostors(query.Status.Selected, k, out.choice.selected)
	return out
}

func departureOf(query *imagev1alpha1.ImageQuery, k knowledge, v view) departure {
	d := departure{
		members: k.established(), leaving: map[string]imagev1alpha1.RemovalReason{},
		edited: query.Status.ObservedQuery != observedQuery(query), blind: k.blind,
	}
	for id, reason := range v.missing {
		if reason != "" {
			d.leaving[id] = reason
		}
	}
	back := idsOf(v.matching)
	for id := range k.inGrace {
		if !back[id] {
			d.inGrace++
		}
	}
	return d
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
		image, member := members[selected.ImageID]
		switch {
		case !member && (v.gone[selected.ImageID] || status.ObservedQuery != observedQuery(query)):
			continue
		case status.SyncedGeneration != query.Generation && r.chooser.rulesOut(selected, r.matcher):
			continue
		}
		known := member && !k.partial[selected.ImageID] || member && v.there[selected.ImageID].ID != ""
		if !member {
			image, known = v.there[selected.ImageID], v.there[selected.ImageID].ID != ""
		}
		if !known {
			if image, known = k.facts(selected.ImageID); !known {
				image = catalog.Image{ID: selected.ImageID, Architecture: selected.Architecture}
				if selected.CreatedTime != nil {
					image.CreatedTime = selected.CreatedTime.UTC()
				}
			}
		}
		if known && !r.chooser.trusts(image) {
			continue
		}
		// By the name under which it was selected an edit is judged later.
		image.Name = selected.Name
		last = append(last, lastSelected{Image: image, partial: !known})
	}
	return last
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
			facts, known := k.facts(was.ImageID)
			if known && (was.ImageID == image.ID || was.Name == image.Name) && facts.Creator != "" && image.Creator != "" && facts.Creator != image.Creator {
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
	case imagev1alpha1.CloudImagesAll:
		return v.members
	case imagev1alpha1.CloudImagesNone:
		return nil
	case imagev1alpha1.CloudImagesSelected:
		selected := idsOf(v.choice.selected)
		return slices.DeleteFunc(slices.Clone(v.members), func(image catalog.Image) bool { return !selected[image.ID] })
	}
	return v.members
}

// tooMany is the failure of a listing that asks for more CloudImages than a query may have, nil if it doesn't.
func tooMany(query *imagev1alpha1.ImageQuery, v verdict) *failure {
	policy := query.Spec.CloudImages.Policy
	most := cmp.Or(int(query.Spec.CloudImages.MaxImages), 1000)
	if policy != "" && policy != imagev1alpha1.CloudImagesAll {
		most = min(most, 500) // the default that was stored with policy All may have stayed behind
	}
	objects := len(v.withObjects(policy))
	if objects <= most {
		return nil
	}
	return &failure{
		reason: imagev1alpha1.ReasonTooManyImages, stalled: true,
		message: fmt.Sprintf("the query asks for %d CloudImages, more than spec.cloudImages.maxImages (%d), so nothing of this listing is published; "+
			"narrow filters or match, raise maxImages, or set cloudImages.policy to Selected or None", objects, most),
	}
}
