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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

const (
	// maxHistory and maxRecorded bound status.selectedHistory, as the schema does; maxRecordedBytes bounds one record.
	maxHistory       = 5
	maxRecorded      = 50
	maxRecordedBytes = 32 << 10
)

// bound leaves out what status.selected has no room for, so that labels, verdicts and status say the same.
func (c *choice) bound() {
	room := len(fitting(selectedImages(c.selected[:min(len(c.selected), maxSelected)]), maxSelectedBytes))
	for _, image := range c.selected[room:] {
		if _, member := c.verdicts[image.ID]; member {
			c.verdicts[image.ID] = imagev1alpha1.VerdictNotNewest
		}
	}
	c.selected, c.omitted = c.selected[:room], len(c.selected)-room
}

func selectedImages(images []catalog.Image) []imagev1alpha1.SelectedImage {
	var out []imagev1alpha1.SelectedImage
	for _, image := range images {
		out = append(out, imagev1alpha1.SelectedImage{
			ImageID: image.ID, Name: image.Name, CreatedTime: optionalTime(image.CreatedTime), Architecture: image.Architecture,
			Type: image.Type, Creator: image.Creator,
		})
	}
	return out
}

// showSelected writes the selection, and in the history when it became another one.
func (e editor) showSelected(selected []imagev1alpha1.SelectedImage, reason imagev1alpha1.SelectionReason) {
	s := e.status
	before, now := selectedIDs(s.Selected), selectedIDs(selected)
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

// recorded is what the history keeps of a selection.
func recorded(selected []imagev1alpha1.SelectedImage) []imagev1alpha1.RecordedImage {
	var out []imagev1alpha1.RecordedImage
	for _, image := range selected[:min(len(selected), maxRecorded)] {
		out = append(out, imagev1alpha1.RecordedImage{ImageID: image.ImageID, Name: image.Name, Architecture: image.Architecture})
	}
	return fitting(out, maxRecordedBytes)
}

func selectedIDs(images []imagev1alpha1.SelectedImage) []string {
	out := make([]string, len(images))
	for i, image := range images {
		out[i] = image.ImageID
	}
	return out
}

func summaryOf(selected []imagev1alpha1.SelectedImage) string {
	if len(selected) == 0 {
		return ""
	}
	first := cmp.Or(selected[0].Name, selected[0].ImageID)
	if more := len(selected) - 1; more > 0 {
		return fmt.Sprintf("%s (+%d)", first, more)
	}
	return first
}

// selectionReason says why the selection of a poll replaces the one before, if it does.
func selectionReason(query *imagev1alpha1.ImageQuery, o *outcome) imagev1alpha1.SelectionReason {
	status := &query.Status
	if status.SyncedGeneration != query.Generation {
		return imagev1alpha1.SelectedSpecChanged
	}
	now := o.choice.ids()
	members := selectedAmong(o.members, status)
	var found []imagev1alpha1.SelectionReason
	for _, was := range status.Selected {
		if slices.Contains(now, was.ImageID) {
			continue
		}
		image, member := members[was.ImageID]
		switch {
		case o.gone[was.ImageID]:
			found = append(found, imagev1alpha1.SelectedGone)
		case !member:
			found = append(found, imagev1alpha1.SelectedNotMatched)
		case image.State != string(imagev1alpha1.ImageStateNormal):
			found = append(found, imagev1alpha1.SelectedNotNormal)
		case image.Deprecated:
			found = append(found, imagev1alpha1.SelectedDeprecated)
		}
	}
	for _, shown := range status.Images {
		if shown.Selection == imagev1alpha1.VerdictTooYoung && slices.Contains(now, shown.ImageID) {
			found = append(found, imagev1alpha1.SelectedAged)
		}
	}
	for _, reason := range []imagev1alpha1.SelectionReason{
		imagev1alpha1.SelectedGone, imagev1alpha1.SelectedNotMatched, imagev1alpha1.SelectedNotNormal,
		imagev1alpha1.SelectedDeprecated, imagev1alpha1.SelectedAged,
	} {
		if slices.Contains(found, reason) {
			return reason
		}
	}
	return imagev1alpha1.SelectedNewImage
}

// selectionChange is the message of the event about another selection, "" if it is the same.
func selectionChange(before, now *imagev1alpha1.ImageQueryStatus) string {
	if slices.Equal(selectedIDs(before.Selected), selectedIDs(now.Selected)) {
		return ""
	}
	name := func(s *imagev1alpha1.ImageQueryStatus) string { return cmp.Or(s.SelectedSummary, "nothing") }
	reason := imagev1alpha1.SelectedSpecChanged
	if len(now.Selected) > 0 && len(now.SelectedHistory) > 0 {
		reason = now.SelectedHistory[0].Reason
	}
	return fmt.Sprintf("selected is %s after %s (%s)", name(now), name(before), reason)
}

// selectionNotes is what a person should know of a selection that is not simply the newest image.
func selectionNotes(query *imagev1alpha1.ImageQuery, c choice) string {
	var out string
	if len(c.stays) > 0 {
		names := make([]string, len(c.stays))
		for i, image := range c.stays {
			names[i] = cmp.Or(image.Name, image.ID)
		}
		out += fmt.Sprintf("; no image qualifies to replace the selected %s, which stays", enumerate(names, 3))
	}
	if c.omitted > 0 {
		out += fmt.Sprintf("; %d more images qualify than status.selected has room for: use fewer groups or a lower selection.limit", c.omitted)
	}
	if len(c.selected) == 0 && len(c.verdicts) > 0 {
		out += "; none of them qualifies to be selected: " + tally(c.verdicts)
	}
	switch {
	case c.undated:
		out += "; the images to select from have no creation time, as public ones, so the first by name is selected"
	case query.Spec.Selection.MinAge.Duration > 0 && c.next.IsZero() && hasVerdict(c.verdicts, imagev1alpha1.VerdictTooYoung):
		out += "; images without a creation time, as public ones, never pass selection.minAge"
	}
	return out
}

func hasVerdict(verdicts map[string]imagev1alpha1.SelectionVerdict, want imagev1alpha1.SelectionVerdict) bool {
	for _, verdict := range verdicts {
		if verdict == want {
			return true
		}
	}
	return false
}

// tally counts verdicts, in the order of their names.
func tally(verdicts map[string]imagev1alpha1.SelectionVerdict) string {
	counts := map[imagev1alpha1.SelectionVerdict]int{}
	for _, verdict := range verdicts {
		counts[verdict]++
	}
	var out []string
	for _, verdict := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%d %s", counts[verdict], verdict))
	}
	return strings.Join(out, ", ")
}
