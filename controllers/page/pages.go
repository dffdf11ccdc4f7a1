// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"net/url"
	"strconv"
)

// perPage is how many rows of a list one page shows.
const perPage = 100

// pager is a part of a long list, and the way to the others.
type pager struct {
	Number, Pages, Total, From, To int
	Previous, Next                 string
}

// paginate returns the part of a list that a request asks for. A page before the first or after the last is the nearest there is.
func paginate[T any](rows []T, wanted int, link func(page int) string) ([]T, pager) {
	pages := max(1, (len(rows)+perPage-1)/perPage)
	p := pager{Number: min(max(wanted, 1), pages), Pages: pages, Total: len(rows)}
	start, end := (p.Number-1)*perPage, min(p.Number*perPage, len(rows))
	p.From, p.To = min(start+1, end), end
	if p.Number > 1 {
		p.Previous = link(p.Number - 1)
	}
	if p.Number < pages {
		p.Next = link(p.Number + 1)
	}
	return rows[start:end], p
}

// pageIn returns the page that a request's parameters ask for.
func pageIn(values url.Values) int {
	n, err := strconv.Atoi(values.Get("page"))
	if err != nil {
		return 1
	}
	return n
}

// maxParameter bounds what a parameter may ask for, in bytes: longer than any name, with room for wide letters.
const maxParameter = 1024

// parameter returns a parameter of a request, cut where it is too long to match anything.
func parameter(values url.Values, key string) string {
	value := values.Get(key)
	return value[:min(len(value), maxParameter)]
}
