// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// maxVerdicts is how many queries a row of images names.
const maxVerdicts = 3

// imagesView is the screen "images": a search in all CloudImages.
type imagesView struct {
	Search string
	Facets []facet
	Rows   []imageRow
	Pager  pager
	Images int // without the filter
}

// Filtered says whether anything is asked for.
func (v imagesView) Filtered() bool {
	return v.Search != "" || slices.ContainsFunc(v.Facets, func(f facet) bool { return f.Value != "" })
}

// facet is one fact by which images can be chosen.
type facet struct {
	Key, Label, Value string
	Options           []string
}

// imageRow is one CloudImage.
type imageRow struct {
	Object, Name, ID, Region, Credentials, Architecture, Type string
	Presence                                                  chip
	Created                                                   *moment
	Verdicts                                                  []queryVerdict
	More                                                      int
}

// Title is the image's name, or its id where it has none.
func (r imageRow) Title() string { return cmp.Or(r.Name, r.ID) }

// queryVerdict is what one query decided about an image.
type queryVerdict struct {
	Query  string
	Look   chip
	Soaked *moment // when a TooYoung one passes minAge
}

// facets are the facts, and how an image has them.
var facets = []struct {
	key, label string
	of         func(*imagev1alpha1.CloudImage) string
}{
	{"region", "Region", func(i *imagev1alpha1.CloudImage) string { return i.Image.Region }},
	{"arch", "Architecture", func(i *imagev1alpha1.CloudImage) string { return i.Image.Architecture }},
	{"type", "Type", func(i *imagev1alpha1.CloudImage) string { return i.Image.Type }},
	{"state", "State", func(i *imagev1alpha1.CloudImage) string { return i.Image.State }},
	{"presence", "Presence", func(i *imagev1alpha1.CloudImage) string { return string(i.Lifecycle.Presence) }},
}

// maxOptions bounds the list of one facet: whatever the cloud names, it is a list that a person can read.
const maxOptions = 100

func (s scene) imagesView(values url.Values) imagesView {
	f := s.imageFilter(values)
	var found []*imagev1alpha1.CloudImage
	v := imagesView{Search: f.search}
	seen := make([]map[string]bool, len(facets))
	for i := range seen {
		seen[i] = map[string]bool{}
	}
	for image := range s.Images() {
		v.Images++
		for i, facet := range facets {
			seen[i][facet.of(image)] = true
		}
		if f.admits(image) {
			found = append(found, image)
		}
	}
	slices.SortFunc(found, newestFirst)
	found, v.Pager = paginate(found, pageIn(values), s.link.pageLink("images", values))
	for _, image := range found {
		v.Rows = append(v.Rows, s.imageRow(image, f.verdicts))
	}
	v.Facets = f.facets(seen, s.Queries())
	return v
}

// imageFilter is what a request asks for.
type imageFilter struct {
	search, query, verdict string
	words                  []string
	facts                  []string // by facets
	verdicts               verdicts
}

func (s scene) imageFilter(values url.Values) imageFilter {
	f := imageFilter{
		search: parameter(values, "q"), query: parameter(values, "query"), verdict: parameter(values, "verdict"), verdicts: newVerdicts(s.Query),
	}
	f.words = strings.Fields(strings.ToLower(f.search))
	for _, facet := range facets {
		f.facts = append(f.facts, parameter(values, facet.key))
	}
	return f
}

func (f *imageFilter) admits(image *imagev1alpha1.CloudImage) bool {
	for i, want := range f.facts {
		if want != "" && facets[i].of(image) != want {
			return false
		}
	}
	return f.admitsQuery(image) && f.admitsWords(image)
}

// admitsQuery says whether the wanted query has the image with the wanted verdict; where only a verdict is wanted, any query.
func (f *imageFilter) admitsQuery(image *imagev1alpha1.CloudImage) bool {
	if f.query == "" && f.verdict == "" {
		return true
	}
	for label := range image.Labels {
		query, ok := strings.CutPrefix(label, imagev1alpha1.LabelQueryPrefix)
		if ok && (f.query == "" || f.query == query) && (f.verdict == "" || string(f.verdicts.of(query, image.Image.ID)) == f.verdict) {
			return true
		}
	}
	return false
}

// admitsWords says whether each word is in a name, the id, a tag or another text that people know an image by.
func (f *imageFilter) admitsWords(image *imagev1alpha1.CloudImage) bool {
	i := &image.Image
	for _, word := range f.words {
		has := func(text string) bool { return strings.Contains(strings.ToLower(text), word) }
		if !has(i.Name) && !has(i.ID) && !has(i.OSName) && !has(i.Family) && !has(i.Creator) && !hasTag(i.Tags, has) {
			return false
		}
	}
	return true
}

func hasTag(tags []imagev1alpha1.Tag, has func(string) bool) bool {
	return slices.ContainsFunc(tags, func(tag imagev1alpha1.Tag) bool { return has(tag.Key + "=" + tag.Value) })
}

// facets are the lists of the form: what there is to choose, and what is chosen.
func (f *imageFilter) facets(seen []map[string]bool, queries []*imagev1alpha1.ImageQuery) []facet {
	names := make([]string, len(queries))
	for i, query := range queries {
		names[i] = query.Name
	}
	out := []facet{{"query", "Query", f.query, names}, {"verdict", "Verdict", f.verdict, allVerdicts}}
	for i, from := range facets {
		delete(seen[i], "")
		options := slices.Sorted(maps.Keys(seen[i]))
		out = append(out, facet{from.key, from.label, f.facts[i], options})
	}
	for i := range out {
		out[i].Options = out[i].Options[:min(len(out[i].Options), maxOptions)]
		if out[i].Value != "" && !slices.Contains(out[i].Options, out[i].Value) {
			out[i].Options = append(slices.Clone(out[i].Options), out[i].Value)
		}
	}
	return out
}

var allVerdicts = []string{
	string(imagev1alpha1.VerdictSelected), string(imagev1alpha1.VerdictMissing), string(imagev1alpha1.VerdictHeldBack),
	string(imagev1alpha1.VerdictUntrustedCreator), string(imagev1alpha1.VerdictNotNormal), string(imagev1alpha1.VerdictNoVersion),
	string(imagev1alpha1.VerdictOutOfRange), string(imagev1alpha1.VerdictNoCreationTime), string(imagev1alpha1.VerdictTooYoung),
	string(imagev1alpha1.VerdictSkipped), string(imagev1alpha1.VerdictNotNewest),
}

// newestFirst orders CloudImages by creation time, then by name; those without a time come last.
func newestFirst(a, b *imagev1alpha1.CloudImage) int {
	x, y := a.Image.CreatedTime, b.Image.CreatedTime
	switch {
	case x.IsZero() && y.IsZero():
	case x.IsZero():
		return 1
	case y.IsZero():
		return -1
	case !x.Equal(y):
		return y.Compare(x.Time)
	}
	return cmp.Or(strings.Compare(a.Image.Name, b.Image.Name), strings.Compare(a.Name, b.Name))
}

func (s scene) imageRow(image *imagev1alpha1.CloudImage, v verdicts) imageRow {
	i := &image.Image
	row := imageRow{
		Object: image.Name, Name: i.Name, ID: i.ID, Region: i.Region, Credentials: i.Credentials, Architecture: i.Architecture, Type: i.Type,
		Presence: presenceChip(image, imagev1alpha1.CloudImagesAll), Created: momentOf(i.CreatedTime, s.now),
	}
	row.Verdicts = s.verdictsOn(image, v)
	row.More = max(0, len(row.Verdicts)-maxVerdicts)
	row.Verdicts = row.Verdicts[:len(row.Verdicts)-row.More]
	return row
}

// verdictsOn are what the queries that have an image as a member decided about it, by their names.
func (s scene) verdictsOn(image *imagev1alpha1.CloudImage, v verdicts) []queryVerdict {
	var out []queryVerdict
	for label, value := range image.Labels {
		name, ok := strings.CutPrefix(label, imagev1alpha1.LabelQueryPrefix)
		query := s.Query(name)
		if !ok || query == nil {
			continue
		}
		verdict := v.of(name, image.Image.ID)
		if verdict == "" && value == imagev1alpha1.QuerySelected {
			verdict = imagev1alpha1.VerdictSelected
		}
		out = append(out, queryVerdict{name, verdictChip(query, verdict), soakedAt(query, verdict, image.Image.CreatedTime, s.now)})
	}
	slices.SortFunc(out, func(a, b queryVerdict) int { return strings.Compare(a.Query, b.Query) })
	return out
}
