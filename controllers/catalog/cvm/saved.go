// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// ReadAnswers returns the listing in saved answers of DescribeImages, one for each page. An answer is the whole of the API's,
// {"Response": ...}, or what is inside, as tccli prints it. They must have all images that their TotalCount counts.
func ReadAnswers(answers []json.RawMessage) (catalog.Listing, error) {
	r := newReading()
	for _, saved := range answers {
		p, err := readAnswer(saved, r.size())
		if err != nil {
			return catalog.Listing{}, err
		}
		r.add(p)
	}
	if len(r.totals) > 1 {
		return catalog.Listing{}, errors.New("the pages have different numbers as TotalCount, so they are of different lists; " +
			"save all pages of one")
	}
	for total := range r.totals {
		if r.size() != total {
			return catalog.Listing{}, fmt.Errorf("there are %d of the %d images that TotalCount counts; save all pages, "+
				"with --Limit 100 and --Offset 0, 100, 200 and so on", r.size(), total)
		}
	}
	return r.listing(), nil
}

// readAnswer reads one page, which begins at an offset.
func readAnswer(saved json.RawMessage, offset int) (page, error) {
	var whole struct{ Response json.RawMessage }
	if err := json.Unmarshal(saved, &whole); err != nil {
		return page{}, fmt.Errorf("no answer of DescribeImages: %w", err)
	}
	if whole.Response == nil {
		saved = fmt.Appendf(nil, `{"Response":%s}`, saved)
	}
	a := &answer{}
	if err := a.ParseErrorFromHTTPResponse(saved); !errors.Is(err, errDecoded) {
		return page{}, fmt.Errorf("no list of images: %w", classify(err))
	}
	if r := a.body.Response; r != nil && r.RequestId == "" {
		r.RequestId = "left out" // by a tool that prints a part of the answer
	}
	return convertPage(a, offset)
}
