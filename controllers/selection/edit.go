// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"slices"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// SelectKnown selects from known images before the cloud is asked: in groups that lost a selected image by an edit, and
// in groups of known pins. It returns false if there are no such groups or too little is known: the edit requests other
// images from the cloud, or the group of an image is unknown because only status has it.
func (r Rules) SelectKnown(query *imagev1alpha1.ImageQuery, k Known, now time.Time) (Selection, bool) {
	sameRequest := k.Request == Request(query) || query.Status.ObservedQuery == ObservedQuery(query)
	if !sameRequest || len(k.Partial) > 0 && !r.Selector.groupsByArchitectureOnly() {
		return Selection{}, false
	}
	var kept []previous
	groups := map[string]bool{}
	for _, selected := range query.Status.Selected {
		image := k.Best(FromSelected(selected))
		switch {
		case r.rulesOutKnown(image):
			groups[r.Selector.group(image)] = true
		case !ownerKnown(image):
			return Selection{}, false
		default:
			image.Name = selected.Name // as in previous
			kept = append(kept, previous{Image: image})
		}
	}
	in := r.knownInput(k, kept, now)
	for i := range in.Members {
		if r.Selector.pins(in.Members[i].ID) {
			groups[r.Selector.group(in.Members[i])] = true
		}
	}
	if len(groups) == 0 {
		return Selection{}, false
	}
	untouched := func(image catalog.Image) bool { return !groups[r.Selector.group(image)] }
	in.Members = slices.DeleteFunc(in.Members, untouched)
	in.Previous = slices.DeleteFunc(slices.Clone(kept), func(one previous) bool { return untouched(one.Image) })
	out := r.Selector.Select(in)
	for _, one := range kept {
		if untouched(one.Image) {
			out.Selected = append(out.Selected, one.Image)
		}
	}
	r.Selector.Arrange(out.Selected, nil)
	return out, true
}

// rulesOutKnown reports whether the spec excludes an image by its stored id or creator.
func (r Rules) rulesOutKnown(image catalog.Image) bool {
	return r.Matcher.Distrusts(image) || r.Selector.Distrusts(image)
}

// RulesOut reports whether a spec rules out an image that was selected, by what was known of it then: an edit took it out of
// the selection, and not the cloud. It is false for a spec that can't work.
func RulesOut(spec *imagev1alpha1.ImageQuerySpec, image imagev1alpha1.SelectedImage) bool {
	r, err := NewRules(spec)
	return err == nil && (r.Selector.rulesOut(image, r.Matcher) || r.rulesOutKnown(FromSelected(image)))
}

// knownInput returns the known members that match the current spec, and the selected ones.
func (r Rules) knownInput(k Known, selected []previous, now time.Time) Input {
	isSelected := make(map[string]bool, len(selected))
	for i := range selected {
		isSelected[selected[i].ID] = true
	}
	in := Input{Now: now, heldBack: map[string]bool{}, Missing: map[string]imagev1alpha1.SelectionVerdict{}}
	for id := range k.Members {
		image := k.bestOf(id)
		if !isSelected[id] && r.Matcher.refusedBy(&image) != "" {
			continue
		}
		in.Members = append(in.Members, image)
		in.heldBack[id] = k.HeldBack[id] || k.HeldBackUnknown && !isSelected[id]
		if k.Verdicts[id] == imagev1alpha1.VerdictMissing {
			in.Missing[id] = imagev1alpha1.VerdictMissing
		}
	}
	return in
}

// bestOf returns what is known of a member. For a partial one, the verdict shows whether it was NORMAL.
func (k Known) bestOf(id string) catalog.Image {
	image := k.Members[id]
	if k.Partial[id] {
		switch k.Verdicts[id] {
		case imagev1alpha1.VerdictSelected, imagev1alpha1.VerdictNoVersion, imagev1alpha1.VerdictOutOfRange, imagev1alpha1.VerdictNoCreationTime,
			imagev1alpha1.VerdictTooYoung, imagev1alpha1.VerdictSkipped, imagev1alpha1.VerdictNotNewest:
			image.State = string(imagev1alpha1.ImageStateNormal)
		case imagev1alpha1.VerdictMissing, imagev1alpha1.VerdictHeldBack, imagev1alpha1.VerdictUntrustedCreator, imagev1alpha1.VerdictNotNormal:
		}
	}
	return image
}
