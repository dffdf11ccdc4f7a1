// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"encoding/json"
	"slices"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// record is the value of selected_json. It records what the data was made from: after a restart, too, an image that an edit
// ruled out is known from one that the cloud lost.
type record struct {
	Query         string                        `json:"query"`
	Region        string                        `json:"region"`
	ObservedQuery string                        `json:"observedQuery,omitempty"`
	Images        []imagev1alpha1.SelectedImage `json:"images"`
}

// recordIn returns the record of a ConfigMap's data, or an empty one if there is none that can be read.
func recordIn(data map[string]string) record {
	var r record
	if err := json.Unmarshal([]byte(data[imagev1alpha1.KeySelectedJSON]), &r); err != nil {
		return record{}
	}
	return r
}

func (r record) String() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and times only
	}
	return string(text)
}

// idsOf returns the ids of the images of an architecture.
func (r record) idsOf(architecture imagev1alpha1.Architecture) []string {
	var ids []string
	for _, image := range r.Images {
		if image.Architecture == string(architecture) {
			ids = append(ids, image.ImageID)
		}
	}
	return ids
}

// next returns the record of what the query selects now, and whether images stay in it that the query doesn't select.
func (r record) next(query *imagev1alpha1.ImageQuery) (next record, kept bool) {
	next = record{
		Query: query.Name, Region: query.Spec.Region, ObservedQuery: query.Status.ObservedQuery,
		Images: slices.Clone(query.Status.Selected),
	}
	if next.ObservedQuery == "" && r.Query == query.Name {
		next.ObservedQuery = r.ObservedQuery // the query was made again, and no listing has answered it yet
	}
	selected := map[string]bool{}
	for _, image := range next.Images {
		selected[image.Architecture] = true
	}
	for _, image := range r.Images {
		if !selected[image.Architecture] && r.ObservedQuery == next.ObservedQuery && r.stays(image, query) {
			next.Images, kept = append(next.Images, image), true
		}
	}
	return next, kept
}

// stays reports whether an image that isn't selected any more stays published: if the cloud took it out of the selection, and
// not an edit.
func (r record) stays(image imagev1alpha1.SelectedImage, query *imagev1alpha1.ImageQuery) bool {
	return r.Query == query.Name &&
		selection.SameScope(r.ObservedQuery, selection.ObservedQuery(query)) &&
		!selection.RulesOut(&query.Spec, image)
}
