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
	// Members holds the members by id, with their fields as they were stored last.
	Members map[string]catalog.Image

	// Partial holds the members that are known only from status, which lacks most fields.
	Partial map[string]bool

	// Verdicts are those of status.images, by id.
	Verdicts map[string]imagev1alpha1.SelectionVerdict

	// Request is the hash of the last answered request, or "" if this process doesn't remember one.
	Request string

	// InGrace holds images in their grace period.
	InGrace map[string]Departed

	// WithObject holds the members and images in grace that have a CloudImage owned by the query.
	WithObject map[string]bool

	// HeldBack holds members that arrived while removals were blocked, as far as status shows them. HeldBackUnknown is
	// set if removals are blocked and status doesn't show every member that the breaker counts.
	HeldBack        map[string]bool
	HeldBackUnknown bool
}

// Departed is an image that left the query.
type Departed struct {
	// Image has the fields as they were stored last.
	Image catalog.Image

	// Since is when the image left. Replaced is set if another image of its class replaced it, so that the breaker no
	// longer counts it.
	Since    time.Time
	Replaced bool
}

// Remember adds departed images that only this process remembers. An object takes precedence.
func (k Known) Remember(departed map[string]Departed) {
	for id, d := range departed {
		_, member := k.Members[id]
		if _, known := k.InGrace[id]; !member && !known {
			k.InGrace[id] = d
		}
	}
}

// EstablishedCount counts the trusted members that did not arrive while removals were blocked.
func (k Known) EstablishedCount(c Selector) int {
	count := 0
	for id, image := range k.Members {
		if !k.HeldBack[id] && !c.Distrusts(image) {
			count++
		}
	}
	return count
}

// facts returns all fields of an image. It returns false if the image is unknown or known only from status.
func (k Known) facts(id string) (catalog.Image, bool) {
	if image, ok := k.Members[id]; ok && !k.Partial[id] {
		return image, true
	}
	departed, ok := k.InGrace[id]
	return departed.Image, ok
}

// Best returns all fields of an image if they are known, else the given ones from status.
func (k Known) Best(shown catalog.Image) catalog.Image {
	if facts, known := k.facts(shown.ID); known {
		return facts
	}
	return shown
}

// FromSummary converts an entry of status.images.
func FromSummary(s imagev1alpha1.ImageSummary) catalog.Image {
	image := catalog.Image{ID: s.ImageID, Name: s.Name, Architecture: s.Architecture, Type: s.Type, Creator: s.Creator}
	if s.CreatedTime != nil {
		image.CreatedTime = s.CreatedTime.UTC()
	}
	return image
}

// FromSelected converts an entry of status.selected.
func FromSelected(s imagev1alpha1.SelectedImage) catalog.Image {
	return FromSummary(imagev1alpha1.ImageSummary{
		ImageID: s.ImageID, Name: s.Name, CreatedTime: s.CreatedTime, Architecture: s.Architecture, Type: s.Type, Creator: s.Creator,
	})
}
