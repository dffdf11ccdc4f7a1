// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Known is what is known of a query's images before the cloud is asked.
type Known struct {
	// Members are the images that were members, by id, with the facts as they were stored last.
	Members map[string]catalog.Image

	// Partial are the members of which only status tells, so that most of their facts are missing.
	Partial map[string]bool

	// Verdicts are those of status.images, by id.
	Verdicts map[string]imagev1alpha1.SelectionVerdict

	// Request is what the cloud was asked when it last answered; "" where that isn't remembered.
	Request string

	// InGrace are images that left and are in their grace period.
	InGrace map[string]Departed

	// WithObject are the images of both kinds that have a CloudImage of the query.
	WithObject map[string]bool

	// HeldBack are the members that came while removals are blocked, as far as status shows them. HeldBackUnknown says that
	// removals are blocked, and that status doesn't show all members that the breaker counts.
	HeldBack        map[string]bool
	HeldBackUnknown bool
}

// Departed is an image that left.
type Departed struct {
	// Image has its facts as they were stored last.
	Image catalog.Image

	// Since is when it left. Replaced says that another one of its class came for it, so that the breaker counts it no more.
	Since    time.Time
	Replaced bool
}

// Remember adds images that left as the process remembers them. Where there is an object, that knows better.
func (k Known) Remember(departed map[string]Departed) {
	for id, d := range departed {
		_, member := k.Members[id]
		if _, known := k.InGrace[id]; !member && !known {
			k.InGrace[id] = d
		}
	}
}

// EstablishedCount counts the members that may be selected by whose they are, and did not come while removals are blocked.
func (k Known) EstablishedCount(c Selector) int {
	count := 0
	for id, image := range k.Members {
		if !k.HeldBack[id] && !c.Distrusts(image) {
			count++
		}
	}
	return count
}

// facts returns all that is known of an image, and false if that is nothing or little.
func (k Known) facts(id string) (catalog.Image, bool) {
	if image, ok := k.Members[id]; ok && !k.Partial[id] {
		return image, true
	}
	departed, ok := k.InGrace[id]
	return departed.Image, ok
}

// Best is what is known of an image that status shows.
func (k Known) Best(shown catalog.Image) catalog.Image {
	if facts, known := k.facts(shown.ID); known {
		return facts
	}
	return shown
}

// FromSummary is what status tells of an image.
func FromSummary(s imagev1alpha1.ImageSummary) catalog.Image {
	image := catalog.Image{ID: s.ImageID, Name: s.Name, Architecture: s.Architecture, Type: s.Type, Creator: s.Creator}
	if s.CreatedTime != nil {
		image.CreatedTime = s.CreatedTime.UTC()
	}
	return image
}

// FromSelected is what status tells of a selected image.
func FromSelected(s imagev1alpha1.SelectedImage) catalog.Image {
	return FromSummary(imagev1alpha1.ImageSummary{
		ImageID: s.ImageID, Name: s.Name, CreatedTime: s.CreatedTime, Architecture: s.Architecture, Type: s.Type, Creator: s.Creator,
	})
}
