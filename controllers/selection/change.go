// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"cmp"
	"slices"
	"strings"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Change is a change of the selection within one group.
type Change struct {
	// Group names the group by the fields of groupBy, or is "" if there is one group only.
	Group string

	// Left are the images that are no longer selected, and Came the newly selected ones.
	Left, Came []catalog.Image

	Reason imagev1alpha1.SelectionReason
}

// Changes returns what a decision changes in the selection of status, group by group.
func Changes(query *imagev1alpha1.ImageQuery, d Decision) []Change {
	if slices.Equal(SelectedIDs(query.Status.Selected), d.Selection.IDs()) {
		return nil
	}
	s := Selector{Spec: &query.Spec}
	var groups []string
	for _, image := range slices.Concat(d.Selection.Selected, d.WasSelected) {
		if group := s.groupName(image); !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	var changes []Change
	for _, group := range groups {
		if c := s.changeOf(group, query, d); len(c.Left)+len(c.Came) > 0 {
			changes = append(changes, c)
		}
	}
	return changes
}

// changeOf returns the change within one group.
func (s Selector) changeOf(group string, query *imagev1alpha1.ImageQuery, d Decision) Change {
	others := func(image catalog.Image) bool { return s.groupName(image) != group }
	was := slices.DeleteFunc(slices.Clone(d.WasSelected), others)
	now := slices.DeleteFunc(slices.Clone(d.Selection.Selected), others)
	d.Selection.Selected = now
	before := *query
	ids := IDsOf(was)
	before.Status.Selected = slices.DeleteFunc(slices.Clone(query.Status.Selected), func(i imagev1alpha1.SelectedImage) bool {
		return !ids[i.ImageID]
	})
	c := Change{Group: group, Left: lacking(was, now), Came: lacking(now, was), Reason: Reason(&before, d)}
	if len(query.Status.SelectedHistory) == 0 {
		c.Reason = imagev1alpha1.SelectedFirst
	}
	return c
}

// lacking returns the images that are not among others.
func lacking(images, others []catalog.Image) []catalog.Image {
	ids := IDsOf(others)
	return slices.DeleteFunc(slices.Clone(images), func(image catalog.Image) bool { return ids[image.ID] })
}

// groupWords name the fields of groups where an image has none.
var groupWords = map[imagev1alpha1.SelectionGroup]string{
	imagev1alpha1.GroupByArchitecture: "architecture",
	imagev1alpha1.GroupByPlatform:     "platform",
	imagev1alpha1.GroupByOSName:       "osName",
	imagev1alpha1.GroupByImageFamily:  "family",
}

// groupName returns the name of an image's group, for example "Ubuntu, arm64".
func (s Selector) groupName(image catalog.Image) string {
	var facts []string
	for _, by := range s.Spec.Selection.GetGroupBy() {
		if by != imagev1alpha1.GroupByNone {
			facts = append(facts, cmp.Or(groupFact(image, by), "unknown "+groupWords[by]))
		}
	}
	return strings.Join(facts, ", ")
}

// SelectedOf returns selected images with all their fields, as far as they are known.
func (k Known) SelectedOf(selected []imagev1alpha1.SelectedImage) []catalog.Image {
	out := make([]catalog.Image, len(selected))
	for i, image := range selected {
		out[i] = k.Best(FromSelected(image))
	}
	return out
}
