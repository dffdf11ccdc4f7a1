// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/mattn/go-runewidth"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

const (
	// maxHistory and maxRecorded bound status.selectedHistory like the schema. maxRecordedBytes bounds one record.
	maxHistory       = 5
	maxRecorded      = 50
	maxRecordedBytes = 32 << 10
)

// boundSelection drops selected images that don't fit into status.selected, so that labels, verdicts and status agree.
func boundSelection(c *selection.Selection) {
	room := len(firstFitting(selectedImages(c.Selected[:min(len(c.Selected), maxSelected)]), maxSelectedBytes))
	for _, image := range c.Selected[room:] {
		if c.Verdicts[image.ID] == imagev1alpha1.VerdictSelected {
			c.Verdicts[image.ID] = imagev1alpha1.VerdictNotNewest
		}
	}
	c.Selected, c.Omitted = c.Selected[:room], len(c.Selected)-room
}

func selectedImages(images []catalog.Image) []imagev1alpha1.SelectedImage {
	var out []imagev1alpha1.SelectedImage
	for _, image := range images {
		out = append(out, imagev1alpha1.SelectedImage{
			ImageID: image.ID, Name: image.Name, CreatedTime: cloudimage.OptionalTime(image.CreatedTime), Architecture: image.Architecture,
			Type: image.Type, Creator: image.Creator,
		})
	}
	return out
}

// setSelected sets the selection, and records it in the history if it changed.
func (e statusBuilder) setSelected(selected []imagev1alpha1.SelectedImage, reason imagev1alpha1.SelectionReason) {
	s := e.status
	before, now := selection.SelectedIDs(s.Selected), selection.SelectedIDs(selected)
	s.Selected, s.SelectedSummary = selected, summaryOf(selected)
	if len(selected) == 0 {
		s.Selected = nil
	}
	if slices.Equal(before, now) {
		return
	}
	stamp := metav1.NewTime(e.now.Truncate(time.Second))
	if len(s.SelectedHistory) > 0 && s.SelectedHistory[0].ReplacedTime == nil {
		s.SelectedHistory[0].ReplacedTime = &stamp
	}
	if len(now) == 0 {
		return
	}
	if len(s.SelectedHistory) == 0 {
		reason = imagev1alpha1.SelectedFirst
	}
	record := imagev1alpha1.SelectionRecord{Images: recorded(selected), SelectedTime: stamp, Reason: reason}
	s.SelectedHistory = slices.Insert(s.SelectedHistory, 0, record)
	s.SelectedHistory = s.SelectedHistory[:min(len(s.SelectedHistory), maxHistory)]
}

// recorded returns the history's record of a selection.
func recorded(selected []imagev1alpha1.SelectedImage) []imagev1alpha1.RecordedImage {
	var out []imagev1alpha1.RecordedImage
	for _, image := range selected[:min(len(selected), maxRecorded)] {
		out = append(out, imagev1alpha1.RecordedImage{ImageID: image.ImageID, Name: image.Name, Architecture: image.Architecture})
	}
	return firstFitting(out, maxRecordedBytes)
}

// maxSummary is the maximum width of status.selectedSummary in terminal columns. kubectl counts characters, but wide
// ones take two columns.
const maxSummary = 24

// columns measures like most terminals, independent of the operator's locale.
var columns = &runewidth.Condition{StrictEmojiNeutral: true}

// summaryOf returns the name of the first selected image and the number of others.
func summaryOf(selected []imagev1alpha1.SelectedImage) string {
	if len(selected) == 0 {
		return ""
	}
	others := ""
	if more := len(selected) - 1; more > 0 {
		others = fmt.Sprintf(" (+%d)", more)
	}
	return columns.Truncate(cmp.Or(selected[0].Name, selected[0].ImageID), maxSummary-len(others), "…") + others
}
