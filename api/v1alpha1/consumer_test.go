// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// selecting returns a query that selects images, each given as id and architecture.
func selecting(images ...[2]string) *imagev1alpha1.ImageQuery {
	query := &imagev1alpha1.ImageQuery{}
	for _, image := range images {
		query.Status.Selected = append(query.Status.Selected, imagev1alpha1.SelectedImage{
			ImageID: image[0], Name: "node", Architecture: image[1],
			CreatedTime: new(metav1.NewTime(time.Date(2026, 8, 20, 8, 0, 0, 0, time.UTC))),
		})
	}
	return query
}

func TestSelected(t *testing.T) {
	both := selecting([2]string{"img-1", "amd64"}, [2]string{"img-2", "arm64"}, [2]string{"img-3", "arm64"})
	unready := selecting([2]string{"img-1", "amd64"})
	unready.Status.Conditions = []metav1.Condition{{Type: imagev1alpha1.ConditionReady, Status: metav1.ConditionFalse}}
	for sentence, tc := range map[string]struct {
		query        *imagev1alpha1.ImageQuery
		architecture imagev1alpha1.Architecture
		want         string
	}{
		"the first of the architecture":                         {query: both, architecture: "arm64", want: "img-2"},
		"without an architecture the first of all":              {query: both, want: "img-1"},
		"another architecture's image is none":                  {query: both, architecture: "386"},
		"whatever Ready says":                                   {query: unready, architecture: "amd64", want: "img-1"},
		"an image of no known architecture is none for amd64":   {query: selecting([2]string{"img-1", ""}), architecture: "amd64"},
		"an image of no known architecture is the first of all": {query: selecting([2]string{"img-1", ""}), want: "img-1"},
		"nothing is selected yet":                               {query: selecting()},
		"no query":                                              {},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, ok := imagev1alpha1.Selected(tc.query, tc.architecture)
			if got.ImageID != tc.want || ok != (tc.want != "") {
				t.Errorf("got %q, %t; want %q", got.ImageID, ok, tc.want)
			}
		})
	}
}

func TestSelectionChanged(t *testing.T) {
	one, two := [2]string{"img-1", "amd64"}, [2]string{"img-2", "arm64"}
	edited := func(edit func(*imagev1alpha1.ImageQuery)) *imagev1alpha1.ImageQuery {
		query := selecting(one)
		edit(query)
		return query
	}
	for sentence, tc := range map[string]struct {
		old, new *imagev1alpha1.ImageQuery
		want     bool
	}{
		"the same, read twice": {old: selecting(one, two), new: selecting(one, two)},
		"another image":        {old: selecting(one), new: selecting([2]string{"img-2", "amd64"}), want: true},
		"one more":             {old: selecting(one), new: selecting(one, two), want: true},
		"none any more":        {old: selecting(one), new: selecting(), want: true},
		"another one is first": {old: selecting(one, two), new: selecting(two, one), want: true},
		"another name": {
			old: selecting(one), new: edited(func(q *imagev1alpha1.ImageQuery) { q.Status.Selected[0].Name = "" }),
			want: true,
		},
		"another architecture": {
			old: selecting(one),
			new: edited(func(q *imagev1alpha1.ImageQuery) { q.Status.Selected[0].Architecture = "" }), want: true,
		},
		"another creation time": {
			old: selecting(one),
			new: edited(func(q *imagev1alpha1.ImageQuery) { q.Status.Selected[0].CreatedTime = nil }), want: true,
		},
		"a condition and the time of it": {old: selecting(one), new: edited(func(q *imagev1alpha1.ImageQuery) {
			q.Status.Conditions, q.Status.LastSyncTime = make([]metav1.Condition, 1), new(metav1.Now())
		})},
		"another member": {
			old: selecting(one),
			new: edited(func(q *imagev1alpha1.ImageQuery) { q.Status.Images = make([]imagev1alpha1.ImageSummary, 1) }),
		},
		"a new query that selects":     {new: selecting(one), want: true},
		"a new query that doesn't yet": {new: selecting()},
		"a query that is gone":         {old: selecting(one), want: true},
		"no query before or after":     {},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := imagev1alpha1.SelectionChanged(tc.old, tc.new); got != tc.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
