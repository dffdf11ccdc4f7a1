// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// Lists of a spec are atomic, so duplicates are admitted. They don't change the request.
func TestWhatAListSaysTwiceIsAskedOnce(t *testing.T) {
	once, twice := &imagev1alpha1.ImageQuery{}, &imagev1alpha1.ImageQuery{}
	fill := func(query *imagev1alpha1.ImageQuery, times int) {
		query.Spec.ImageIDs = slices.Repeat([]imagev1alpha1.ImageID{"img-1", "img-2"}, times)
		query.Spec.Filters = []imagev1alpha1.Filter{{Name: "platform", Values: slices.Repeat([]string{"a", "b"}, times)}}
		match := reflect.ValueOf(&query.Spec.Match).Elem()
		for _, field := range match.Fields() {
			if field.Kind() != reflect.Slice {
				continue
			}
			for range times {
				field.Set(reflect.Append(field, reflect.ValueOf("text").Convert(field.Type().Elem())))
			}
		}
	}
	fill(once, 1)
	fill(twice, 2)
	if a, b := selection.ObservedQuery(once), selection.ObservedQuery(twice); a != b {
		t.Errorf("%s and %s: add the list that is missing in observedQuery", a, b)
	}
	if diff := cmp.Diff(toQuery(&once.Spec), toQuery(&twice.Spec)); diff != "" {
		t.Errorf("the cloud is asked another question (-once +twice):\n%s", diff)
	}
	if twice.Spec.Filters[0].Values[2] != "a" {
		t.Error("the query itself was changed")
	}
}
