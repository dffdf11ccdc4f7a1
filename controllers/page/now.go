// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
)

// What the screen "now" shows of one query, and above the list.
const (
	maxSelectedRows = 6
	maxAttention    = 5
)

// nowView is the screen "now": each query, and what is selected for each architecture.
type nowView struct {
	Search    string
	State     string // of the filter; empty = any
	States    []stateCount
	Attention []nowRow // without a filter, the first that want a person
	Unshown   int      // how many more want one
	Rows      []nowRow
	Pager     pager
	Queries   int // without the filter
}

type stateCount struct {
	Look  chip
	Count int
}

// nowRow is one query.
type nowRow struct {
	Name, Region, Credentials string
	State                     chip
	Images                    string // empty before the first poll
	Selected                  []selectedRow
	More                      int
	LastSync, NextPoll        *moment
}

// selectedRow is one selected image.
type selectedRow struct {
	Architecture, Name, ID string
	Object                 string // the CloudImage's name; empty if there is none
	Created                *moment
	Exists                 chip
}

// Title is the image's name, or its id where it has none.
func (r selectedRow) Title() string { return cmp.Or(r.Name, r.ID) }

func (s scene) nowView(values url.Values) nowView {
	queries := s.Queries()
	v := nowView{Search: parameter(values, "q"), State: parameter(values, "state"), Queries: len(queries)}
	var shown []*imagev1alpha1.ImageQuery
	for _, query := range queries {
		look := stateOf(query, s.now)
		v.count(look)
		if v.admits(query, look) {
			shown = append(shown, query)
		}
		if look.NeedsAttention() && v.Search == "" && v.State == "" {
			v.Attention = append(v.Attention, nowRow{Name: query.Name, State: look})
		}
	}
	slices.SortStableFunc(v.Attention, func(a, b nowRow) int { return cmp.Compare(a.State.Tone, b.State.Tone) })
	v.Unshown = max(0, len(v.Attention)-maxAttention)
	v.Attention = v.Attention[:len(v.Attention)-v.Unshown]
	slices.SortFunc(v.States, func(a, b stateCount) int { return strings.Compare(a.Look.Word, b.Look.Word) })
	shown, v.Pager = paginate(shown, pageIn(values), s.link.pageLink("index", values))
	for _, query := range shown {
		v.Rows = append(v.Rows, s.nowRow(query))
	}
	return v
}

func (v *nowView) count(look chip) {
	for i := range v.States {
		if v.States[i].Look.Word == look.Word {
			v.States[i].Count++
			return
		}
	}
	v.States = append(v.States, stateCount{chip{Tone: look.Tone, Word: look.Word}, 1})
}

// admits says whether the filter has a query: by name, region or a selected image, and by state.
func (v *nowView) admits(query *imagev1alpha1.ImageQuery, look chip) bool {
	switch {
	case v.State == "attention" && !look.NeedsAttention():
		return false
	case v.State != "" && v.State != "attention" && v.State != look.Word:
		return false
	}
	texts := []string{query.Name, query.Spec.Region}
	for _, image := range query.Status.Selected {
		texts = append(texts, image.Name, image.ImageID)
	}
	return matches(v.Search, texts...)
}

// matches says whether each word of a search is in one of the texts, whatever the case of its letters.
func matches(search string, texts ...string) bool {
	for word := range strings.FieldsSeq(strings.ToLower(search)) {
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), word) }) {
			return false
		}
	}
	return true
}

func (s scene) nowRow(query *imagev1alpha1.ImageQuery) nowRow {
	row := nowRow{
		Name: query.Name, Region: query.Spec.Region, Credentials: credentialsOf(query), State: stateOf(query, s.now),
		LastSync: momentOf(query.Status.LastSyncTime, s.now),
	}
	if query.Status.ImageCount != nil {
		row.Images = strconv.Itoa(int(*query.Status.ImageCount))
	}
	if next := nextPoll(query, s.now); !next.IsZero() {
		row.NextPoll = momentAt(next, s.now)
	}
	row.Selected = s.selectedRows(query)
	row.More = max(0, len(row.Selected)-maxSelectedRows)
	row.Selected = row.Selected[:len(row.Selected)-row.More]
	return row
}

func credentialsOf(query *imagev1alpha1.ImageQuery) string {
	if query.Spec.CredentialsRef == nil {
		return ""
	}
	return query.Spec.CredentialsRef.Name
}

// selectedRows are the images that a query selects, with what their CloudImages tell.
func (s scene) selectedRows(query *imagev1alpha1.ImageQuery) []selectedRow {
	rows := make([]selectedRow, 0, len(query.Status.Selected))
	for _, selected := range query.Status.Selected {
		row := selectedRow{
			Architecture: selected.Architecture, Name: selected.Name, ID: selected.ImageID, Created: momentOf(selected.CreatedTime, s.now),
		}
		image := s.Image(objectOf(query, selected.ImageID))
		if image != nil {
			row.Object = image.Name
		}
		row.Exists = presenceChip(image, query.Spec.CloudImages.GetPolicy())
		if missingIn(query, selected.ImageID) {
			row.Exists = verdictChip(query, imagev1alpha1.VerdictMissing)
		}
		rows = append(rows, row)
	}
	return rows
}

// missingIn says whether the last listing lacks a member that stays because removals are blocked.
func missingIn(query *imagev1alpha1.ImageQuery, imageID string) bool {
	return slices.ContainsFunc(query.Status.Images, func(member imagev1alpha1.ImageSummary) bool {
		return member.ImageID == imageID && member.Selection == imagev1alpha1.VerdictMissing
	})
}

// objectOf is the name of the CloudImage that an image of a query has.
func objectOf(query *imagev1alpha1.ImageQuery, imageID string) string {
	return cloudimage.ObjectName(cloudimage.OwnerOf(query).Scope, imageID)
}
