// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSavedAnswersAreAListing(t *testing.T) {
	const (
		one, two = `{"ImageId":"img-1","Architecture":"x86_64"}`, `{"ImageId":"img-2"}`
		first    = `{"TotalCount":2,"ImageSet":[` + one + `]}`
		second   = `{"TotalCount":2,"ImageSet":[` + two + `]}`
		failure  = `{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure","Message":"of the cloud"},"RequestId":"r"}}`
	)
	for name, tc := range map[string]struct {
		answers []string
		ids     int
		err     string
	}{
		"the API's":          {answers: []string{`{"Response":{"TotalCount":2,"ImageSet":[` + one + "," + two + `],"RequestId":"r"}}`}, ids: 2},
		"tccli's, two pages": {answers: []string{first, second}, ids: 2},
		"empty":              {answers: []string{`{"TotalCount":0,"ImageSet":[]}`}},
		"an id of no image":  {answers: []string{`{"TotalCount":2,"ImageSet":[` + one + `,{"ImageId":"IMG"}]}`}, ids: 1},
		"a page is missing":  {answers: []string{first}, err: "there are 1 of the 2 images"},
		"a page twice":       {answers: []string{first, first}, err: "there are 1 of the 2"},
		"of two lists":       {answers: []string{`{"TotalCount":1,"ImageSet":[` + one + `]}`, second}, err: "different lists"},
		"an error":           {answers: []string{failure}, err: "AuthFailure.SignatureFailure"},
		"no answer":          {answers: []string{`{"Images":[]}`}, err: "no TotalCount"},
		"no object":          {answers: []string{`7`}, err: "no answer of DescribeImages"},
	} {
		t.Run(name, func(t *testing.T) {
			var answers []json.RawMessage
			for _, answer := range tc.answers {
				answers = append(answers, json.RawMessage(answer))
			}
			listing, err := ReadAnswers(answers)
			if len(listing.Images) != tc.ids || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%+v, %v; want %d images and %q", listing, err, tc.ids, tc.err)
			}
			if err != nil && strings.Contains(err.Error(), "of the cloud") {
				t.Errorf("the cloud's text is shown: %v", err)
			}
		})
	}
}
