// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// changesView is the screen "changes": what was selected when, the last change first.
type changesView struct {
	Query   string // of the filter
	Queries []string
	Days    []day
	Pager   pager
}

// day is the changes of one day, in UTC.
type day struct {
	Date    string
	Changes []change
}

// change is one replacement of a selection by another.
type change struct {
	Query       string
	Time        *moment
	Reason, Why string
	Groups      []groupChange
	at          time.Time
}

// groupChange is what changed for one architecture.
type groupChange struct {
	Architecture string
	Old, New     []recorded
}

// recorded is an image that is or was selected.
type recorded struct {
	ID, Name, Object string
}

// Title is the image's name, or its id where it has none.
func (r recorded) Title() string { return cmp.Or(r.Name, r.ID) }

func (s scene) changesView(values url.Values) changesView {
	v := changesView{Query: parameter(values, "query")}
	var all []change
	for _, query := range s.Queries() {
		if len(query.Status.SelectedHistory) > 0 {
			v.Queries = append(v.Queries, query.Name)
		}
		if v.Query == "" || v.Query == query.Name {
			all = append(all, s.changesOf(query)...)
		}
	}
	slices.SortStableFunc(all, func(a, b change) int { return b.at.Compare(a.at) })
	all, v.Pager = paginate(all, pageIn(values), s.link.pageLink("changes", values))
	v.Days = byDay(all)
	return v
}

func byDay(changes []change) []day {
	var days []day
	for _, c := range changes {
		date := c.at.UTC().Format("Monday, 2 January 2006")
		if len(days) == 0 || days[len(days)-1].Date != date {
			days = append(days, day{Date: date})
		}
		last := &days[len(days)-1]
		last.Changes = append(last.Changes, c)
	}
	return days
}

// changesOf are the changes that a query's history tells of, the last one first.
func (s scene) changesOf(query *imagev1alpha1.ImageQuery) []change {
	history := query.Status.SelectedHistory
	changes := make([]change, 0, len(history))
	for i, record := range history {
		var before []imagev1alpha1.RecordedImage
		if i+1 < len(history) {
			before = history[i+1].Images
		}
		changes = append(changes, change{
			Query: query.Name, Time: momentAt(record.SelectedTime.Time, s.now), at: record.SelectedTime.Time,
			Reason: string(record.Reason), Why: reasonSentence(record.Reason), Groups: s.groupChanges(query, before, record.Images),
		})
	}
	return changes
}

// groupChanges compares two selections, architecture by architecture. The oldest record of a history has none to compare with.
func (s scene) groupChanges(query *imagev1alpha1.ImageQuery, before, after []imagev1alpha1.RecordedImage) []groupChange {
	var groups []groupChange
	for _, architecture := range architecturesIn(after, before) {
		group := groupChange{
			Architecture: architecture,
			Old:          s.without(query, before, after, architecture), New: s.without(query, after, before, architecture),
		}
		if len(group.Old)+len(group.New) > 0 {
			groups = append(groups, group)
		}
	}
	return groups
}

// architecturesIn are the architectures of some images, in their order.
func architecturesIn(lists ...[]imagev1alpha1.RecordedImage) []string {
	var out []string
	for _, images := range lists {
		for _, image := range images {
			if !slices.Contains(out, image.Architecture) {
				out = append(out, image.Architecture)
			}
		}
	}
	return out
}

// without are the images of an architecture that are in one list and not in the other.
func (s scene) without(query *imagev1alpha1.ImageQuery, images, other []imagev1alpha1.RecordedImage, architecture string) []recorded {
	var out []recorded
	for _, image := range images {
		there := slices.ContainsFunc(other, func(o imagev1alpha1.RecordedImage) bool { return o.ImageID == image.ImageID })
		if image.Architecture == architecture && !there {
			out = append(out, recorded{image.ImageID, image.Name, s.objectIfThere(query, image.ImageID)})
		}
	}
	return out
}

// reasonSentence says why a selection replaced the one before.
func reasonSentence(reason imagev1alpha1.SelectionReason) string {
	switch reason {
	case imagev1alpha1.SelectedFirst:
		return "nothing was selected before"
	case imagev1alpha1.SelectedNewImage:
		return "a newer image came"
	case imagev1alpha1.SelectedGone:
		return "a selected image is gone"
	case imagev1alpha1.SelectedNotMatched:
		return "a selected image is no longer a member"
	case imagev1alpha1.SelectedNotNormal:
		return "a selected image left the state NORMAL"
	case imagev1alpha1.SelectedDeprecated:
		return "a selected image is deprecated"
	case imagev1alpha1.SelectedSpecChanged:
		return "the query was edited"
	case imagev1alpha1.SelectedAged:
		return "an image passed minAge"
	case imagev1alpha1.SelectedPinned:
		return "selection.pin names an image"
	}
	return strings.ToLower(string(reason))
}
