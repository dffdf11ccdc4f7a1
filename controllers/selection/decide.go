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

// Decision is what a complete listing means for a query.
type Decision struct {
	Listing catalog.Listing

	// Members are all members in the order of status.images, including missing ones that don't leave yet.
	Members []catalog.Image

	// MissingCount is the number of members that the listing lacks. Partial holds those of them that are known only
	// from status.
	MissingCount int
	Partial      map[string]bool

	// Leaving holds the members that leave now, with the reason. While removals are blocked, only what spec.match excludes by
	// id leaves. Blocked is what the breaker holds back.
	Leaving map[string]imagev1alpha1.RemovalReason
	Blocked *RemovalBatch

	// InGrace holds the images in their grace period after this poll, by id.
	InGrace map[string]Departed

	// Gone holds images that were requested by id and don't exist.
	Gone map[string]bool

	// Untrusted are members that can't be selected because their creator isn't trusted. Other accounts decide how many
	// images they share, so neither the breaker nor maxImages counts these. WithoutObject are the members that get no
	// CloudImage because of maxImages.
	Untrusted, WithoutObject map[string]bool

	// Selection is the new selection, and WasSelected the one before, with all fields that are known.
	Selection   Selection
	WasSelected []catalog.Image

	// FactsChanged are members that were rebuilt under the same id. CreatorChanged are selected images that have the
	// name of a previously selected image, but another creator.
	FactsChanged, CreatorChanged []string
}

// Rules holds the compiled parts of a spec.
type Rules struct {
	Matcher  Matcher
	Selector Selector
}

// NewRules returns an error if the spec can't work. The error names the field to correct.
func NewRules(spec *imagev1alpha1.ImageQuerySpec) (Rules, error) {
	m, err := NewMatcher(&spec.Match)
	if err != nil {
		return Rules{}, err
	}
	c, err := NewSelector(spec)
	return Rules{Matcher: m, Selector: c}, err
}

// Decide evaluates an observation against what was known before.
func (r Rules) Decide(query *imagev1alpha1.ImageQuery, k Known, v Observation, now time.Time) Decision {
	out := Decision{Listing: v.Listing, Gone: v.Gone,
		Leaving: map[string]imagev1alpha1.RemovalReason{}, Partial: map[string]bool{}}
	d := r.removalBatch(query, k, v)
	approval := query.Annotations[imagev1alpha1.AnnotationApproveRemoval]
	if d.trips(query.Spec.Removal.GetMaxRemovedPercent()) && approval != d.Token(query.Status.Revision) {
		out.Blocked, v = &d, v.without(d.turned)
	}
	out.Members = slices.Clone(v.Matching)
	in := Input{Now: now, heldBack: map[string]bool{}, Missing: map[string]imagev1alpha1.SelectionVerdict{}}
	for id, reason := range v.Missing {
		if reason != "" && (out.Blocked == nil || r.Matcher.Excludes(id)) {
			out.Leaving[id] = reason
			continue
		}
		image, seen := v.FoundByID[id]
		if !seen {
			image, out.Partial[id] = k.Members[id], k.Partial[id]
		}
		out.Members, out.MissingCount = append(out.Members, image), out.MissingCount+1
		in.Missing[id] = k.Verdicts[id]
	}
	out.InGrace = r.departed(k, v, out, d, now)
	slices.SortFunc(out.Members, NewestFirst)
	in.Members = out.Members
	out.Untrusted = r.untrusted(out.Members)
	out.WithoutObject = withoutObject(query, k, out)
	in.Previous = r.previous(query, k, v, out)
	if out.Blocked != nil {
		in.heldBack = heldBack(k, v, in.Previous)
	}
	out.Selection = r.Selector.Select(in)
	out.WasSelected = k.SelectedOf(query.Status.Selected)
	out.FactsChanged = factsChanged(k, v.Matching)
	out.CreatorChanged = creatorChanged(query.Status.Selected, k, out.Selection.Selected)
	return out
}

func (r Rules) untrusted(members []catalog.Image) map[string]bool {
	out := map[string]bool{}
	for i := range members {
		if r.Selector.Distrusts(members[i]) {
			out[members[i].ID] = true
		}
	}
	return out
}

// withoutObject returns the untrusted members that exceed maxImages. Members that already have an object keep it as
// long as there is room, so that newly shared images don't displace them. Other policies create no objects for
// untrusted members anyway.
func withoutObject(query *imagev1alpha1.ImageQuery, k Known, v Decision) map[string]bool {
	room := max(0, query.Spec.CloudImages.GetMaxImages()-(len(v.Members)-len(v.Untrusted)))
	if len(v.Untrusted) <= room || query.Spec.CloudImages.GetPolicy() != imagev1alpha1.CloudImagesAll {
		return nil
	}
	ids := slices.SortedFunc(maps.Keys(v.Untrusted), func(a, b string) int {
		return cmp.Or(FalseFirst(!k.WithObject[a], !k.WithObject[b]), strings.Compare(a, b))
	})
	out := make(map[string]bool, len(ids)-room)
	for _, id := range ids[room:] {
		out[id] = true
	}
	return out
}

// previous returns the images that were selected and may stay selected: not those that are gone (unless removals are
// blocked) and not those that an edit excluded.
func (r Rules) previous(query *imagev1alpha1.ImageQuery, k Known, v Observation, out Decision) []previous {
	status := &query.Status
	if !SameScope(status.ObservedQuery, ObservedQuery(query)) {
		return nil
	}
	members := selectedAmong(out.Members, status)
	var last []previous
	for _, selected := range status.Selected {
		_, member := members[selected.ImageID]
		switch {
		case !member && (v.Gone[selected.ImageID] || status.ObservedQuery != ObservedQuery(query)):
			continue
		case status.SyncedGeneration != query.Generation && r.Selector.rulesOut(selected, r.Matcher):
			continue
		}
		image, known := factsOf(selected.ImageID, members, k, v)
		if !known {
			image = FromSelected(selected)
		}
		outside := false
		if shown, is := r.onlyNotNormal(selected.ImageID, v); is && !member {
			image, known, outside = shown, true, true
		}
		if r.Selector.Distrusts(image) {
			continue
		}
		// rulesOut judges a later edit by the name under which the image was selected.
		image.Name = selected.Name
		last = append(last, previous{Image: image, Partial: !known, onlyNotNormal: outside})
	}
	return last
}

// onlyNotNormal reports whether the listing has an image that would match if it were NORMAL.
func (r Rules) onlyNotNormal(id string, v Observation) (catalog.Image, bool) {
	i := slices.IndexFunc(v.Listing.Images, func(image catalog.Image) bool { return image.ID == id })
	if i < 0 || v.Listing.Images[i].State == string(imagev1alpha1.ImageStateNormal) {
		return catalog.Image{}, false
	}
	normal := v.Listing.Images[i]
	normal.State = string(imagev1alpha1.ImageStateNormal)
	return v.Listing.Images[i], r.Matcher.refusedBy(&normal) == ""
}

// factsOf returns all fields of an image: from the listing, else from a request by id, else as stored. It returns false
// if only status knows the image.
func factsOf(id string, members map[string]catalog.Image, k Known, v Observation) (catalog.Image, bool) {
	if image, member := members[id]; member {
		if _, missing := v.Missing[id]; !missing {
			return image, true
		}
	}
	if image, found := v.FoundByID[id]; found {
		return image, true
	}
	return k.facts(id)
}

// factsChanged returns the members that have another size, other snapshots, another operating system or another
// creation time under the same id.
func factsChanged(k Known, matching []catalog.Image) []string {
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

// creatorChanged returns the selected images that have the name or id of a previously selected image, but another
// creator.
func creatorChanged(before []imagev1alpha1.SelectedImage, k Known, now []catalog.Image) []string {
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
