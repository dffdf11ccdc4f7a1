// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"io"
	"testing"
	"time"
)

// A template that names a field which its view hasn't would be found only by who opens that screen in that state.
func TestEveryTemplateFitsItsView(t *testing.T) {
	image := imageRow{Verdicts: []queryVerdict{{Soaked: &moment{}}}, More: 1}
	blocked := blockedRow{Leaving: []changeRow{{Object: "a", Created: &moment{}}}, Arriving: []changeRow{{}}}
	rows := []nowRow{{Selected: []selectedRow{{Object: "a", Created: &moment{}}, {}}, More: 1, LastSync: &moment{}}}
	timeline := []change{{Time: &moment{}, Groups: []groupChange{{New: []recorded{{}}, Old: []recorded{{}}}}}, {Time: &moment{}}}
	grace := []graceRow{{Until: &moment{}}}
	long := pager{Pages: 3, Previous: "?page=1", Next: "?page=3"}
	for name, views := range map[string][]any{
		"now": {
			nowView{}, nowView{Queries: 1}, nowView{Queries: 1, States: []stateCount{{}}, Attention: rows, Unshown: 1, Rows: rows, Pager: long},
		},
		"waiting": {waitingView{}, waitingView{Blocked: []blockedRow{blocked}, Grace: grace, Pager: long}},
		"changes": {changesView{}, changesView{Query: "a", Queries: []string{"a"}, Days: []day{{Changes: timeline}}, Pager: long}},
		"images": {
			imagesView{}, imagesView{Images: 1}, imagesView{Images: 1, Rows: []imageRow{image}, Pager: long, Facets: []facet{{Options: []string{"a"}}}},
		},
		"query": {queryView{}, queryView{
			nowRow: rows[0], Conditions: []conditionRow{{}}, Spec: []fact{{Code: true}, {}}, Commands: []command{{}}, Blocked: &blocked, Grace: grace,
			Changes: timeline, Members: []memberRow{{Soaked: &moment{}}}, Pager: long, Truncated: true,
		}},
		"image":   {imageView{}, imageView{imageRow: image, Leaving: []leavingRow{{}}, DeleteAfter: &moment{}}},
		"message": {message{}},
	} {
		for _, view := range views {
			for _, link := range []links{{}, {root: "../", suffix: ".html"}} {
				f := frame{links: link, View: view, Now: momentAt(time.Now(), time.Now()), Broken: &moment{}, Waiting: 1}
				if err := templates[name].ExecuteTemplate(io.Discard, "layout", f); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
