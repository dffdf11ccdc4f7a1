// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// knowledge is what is known of a query's images before the cloud is asked.
type knowledge struct {
	// members are the images that were members, by id, with the facts as they were stored last.
	members map[string]catalog.Image

	// partial are the members of which only status tells, so that most of their facts are missing.
	partial map[string]bool

	// verdicts are those of status.images, by id.
	verdicts map[string]imagev1alpha1.SelectionVerdict

	// inGrace are images that left and whose objects are still there, with their facts.
	inGrace map[string]catalog.Image

	// withObject are the images of both kinds that have a CloudImage of the query.
	withObject map[string]bool

	// heldBack are the members that came while removals are blocked, as far as status shows them; blind says that
	// they are blocked and that it doesn't show all members that the breaker counts.
	heldBack map[string]bool
	blind    bool
}

// knowledgeOf gathers what CloudImages and status tell. Objects have all facts; where there are none, because of
// cloudImages.policy or because the API server refused them, remembered has the facts since the process began, and
// status.images the names.
func knowledgeOf(h holder, existing map[string]*entry, remembered []catalog.Image) knowledge {
	k := knowledge{
		members: map[string]catalog.Image{}, partial: map[string]bool{}, inGrace: map[string]catalog.Image{},
		verdicts: map[string]imagev1alpha1.SelectionVerdict{}, heldBack: map[string]bool{}, withObject: map[string]bool{},
	}
	for _, image := range existing {
		switch {
		case !h.inScope(image.CloudImage):
		case h.isMember(image.CloudImage):
			k.members[image.Image.ID] = fromRecord(&image.Image)
			k.withObject[image.Image.ID] = true
		case h.owns(image.CloudImage) && image.DeletionTimestamp == nil:
			k.inGrace[image.Image.ID] = fromRecord(&image.Image)
			k.withObject[image.Image.ID] = true
		}
	}
	status := &h.query.Status
	if !sameScope(status.ObservedQuery, observedQuery(h.query)) {
		return k
	}
	facts := make(map[string]catalog.Image, len(remembered))
	for _, image := range remembered {
		facts[image.ID] = image
	}
	blocked := meta.IsStatusConditionTrue(status.Conditions, imagev1alpha1.ConditionRemovalBlocked)
	for _, shown := range status.Images {
		k.verdicts[shown.ImageID] = shown.Selection
		// Not by the condition alone: an edit takes that away before the next listing has decided anew.
		if shown.Selection == imagev1alpha1.VerdictHeldBack {
			k.heldBack[shown.ImageID], blocked = true, true
		}
		if _, known := k.members[shown.ImageID]; known {
			continue
		}
		image, remembered := facts[shown.ImageID]
		if !remembered {
			image, k.partial[shown.ImageID] = fromSummary(shown), true
		}
		k.members[shown.ImageID] = image
	}
	// Where status still shows an image without trust, only such images were left out.
	trust := chooser{spec: &h.query.Spec}
	k.blind = blocked && ptr.Deref(status.ImagesTruncated, false) &&
		!slices.ContainsFunc(status.Images, func(shown imagev1alpha1.ImageSummary) bool { return trust.distrusts(fromSummary(shown)) })
	return k
}

// established counts the members that may be selected by whose they are, and did not come while removals are blocked.
func (k knowledge) established(c chooser) int {
	count := 0
	for id, image := range k.members {
		if !k.heldBack[id] && !c.distrusts(image) {
			count++
		}
	}
	return count
}

// facts returns all that is known of an image, and false if that is nothing or little.
func (k knowledge) facts(id string) (catalog.Image, bool) {
	if image, ok := k.members[id]; ok && !k.partial[id] {
		return image, true
	}
	image, ok := k.inGrace[id]
	return image, ok
}

// best is what is known of an image that status shows.
func (k knowledge) best(shown catalog.Image) catalog.Image {
	if facts, known := k.facts(shown.ID); known {
		return facts
	}
	return shown
}

// fromSummary is what status tells of an image.
func fromSummary(s imagev1alpha1.ImageSummary) catalog.Image {
	image := catalog.Image{ID: s.ImageID, Name: s.Name, Architecture: s.Architecture, Type: s.Type, Creator: s.Creator}
	if s.CreatedTime != nil {
		image.CreatedTime = s.CreatedTime.UTC()
	}
	return image
}

// fromSelected is what status tells of a selected image.
func fromSelected(s imagev1alpha1.SelectedImage) catalog.Image {
	return fromSummary(imagev1alpha1.ImageSummary{
		ImageID: s.ImageID, Name: s.Name, CreatedTime: s.CreatedTime, Architecture: s.Architecture, Type: s.Type, Creator: s.Creator,
	})
}
