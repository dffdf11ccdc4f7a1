// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// The exit codes of a preview; that of several queries is the highest.
const (
	ExitUnchanged = 0
	ExitError     = 1
	ExitInvalid   = 2
	ExitChanged   = 3
	ExitNothing   = 4
	ExitBlocked   = 5
)

// Report is what a query would come to. docs/preview.md describes its fields, which stay.
type Report struct {
	Name        string `json:"name"`
	File        string `json:"file"`
	ExitCode    int    `json:"exitCode"`
	Region      string `json:"region,omitempty"`
	Credentials string `json:"credentials,omitempty"`

	// Error is why the API server would refuse the query, or why the operator would publish nothing of the listing. Reason is the
	// condition's in the second case.
	Error  string `json:"error,omitempty"`
	Reason string `json:"reason,omitempty"`

	// Message is Ready's.
	Message string `json:"message,omitempty"`

	Suspended bool     `json:"suspended,omitempty"`
	Filters   []Filter `json:"filters,omitempty"`
	Listed    int      `json:"listed"`
	Match     []Step   `json:"match,omitempty"`
	Nearest   string   `json:"nearest,omitempty"`
	Matching  int      `json:"matching"`

	Images []Image `json:"images,omitempty"`

	// Selected is what would be selected, and SelectedBefore what is, if there is anything to compare with.
	Selected       []imagev1alpha1.SelectedImage `json:"selected,omitempty"`
	SelectedBefore []imagev1alpha1.SelectedImage `json:"selectedBefore,omitempty"`

	// Leaving are the members that would leave now, or that the breaker would hold back: then Blocked is set.
	Leaving []Leaving `json:"leaving,omitempty"`
	Blocked bool      `json:"blocked,omitempty"`

	// AssumedGone are ids that count as gone because the cloud wasn't asked for them.
	AssumedGone []string `json:"assumedGone,omitempty"`

	compared bool
}

// Step is what one field of spec.match does to the images that the fields before it admit.
type Step struct {
	Field    string `json:"field"`
	Value    string `json:"value"`
	Excluded int    `json:"excluded"`
	Left     int    `json:"left"`
}

// Image is a member.
type Image struct {
	imagev1alpha1.ImageSummary `json:",inline"`

	State      string `json:"state,omitempty"`
	Platform   string `json:"platform,omitempty"`
	Deprecated bool   `json:"deprecated,omitempty"`

	// WasSelected is set if it is selected now. Replaces are the selected images of its architecture that it would replace.
	WasSelected bool     `json:"wasSelected,omitempty"`
	Replaces    []string `json:"replaces,omitempty"`

	// SelectableFrom is when it is old enough.
	SelectableFrom *metav1.Time `json:"selectableFrom,omitempty"`
}

// Leaving is a member that would leave.
type Leaving struct {
	ImageID string                      `json:"imageID"`
	Name    string                      `json:"name,omitempty"`
	Reason  imagev1alpha1.RemovalReason `json:"reason"`
}

func newReport(d Document) Report {
	r := Report{Name: d.Query.Name, File: d.File}
	scope := selection.ScopeOf(d.Query)
	r.Region, r.Credentials, r.Suspended = scope.Region, scope.Credentials, d.Query.Spec.Suspend
	for _, f := range d.Query.Spec.Filters {
		r.Filters = append(r.Filters, Filter{Name: f.Name, Values: f.Values})
	}
	return r
}

func (r Report) refused(why string) Report {
	r.Error, r.ExitCode = why, ExitInvalid
	return r
}

func (r *Report) assume(gone map[string]bool) { r.AssumedGone = slices.Sorted(maps.Keys(gone)) }

// decided adds what a poll would come to.
func (r *Report) decided(query *imagev1alpha1.ImageQuery, o controllers.Outcome) {
	r.Listed, r.Matching, r.Nearest = o.Funnel.Listed, o.Funnel.Matching, o.Funnel.Nearest
	r.Match = stepsOf(&query.Spec.Match, o.Funnel)
	r.Reason, r.Error = o.Reason, o.Message
	if r.compared {
		r.SelectedBefore = query.Status.Selected
	}
	r.Selected = o.Status.Selected
	if ready := meta.FindStatusCondition(o.Status.Conditions, imagev1alpha1.ConditionReady); ready != nil {
		r.Message = ready.Message
	}
	r.Images = imagesOf(query, o, r.SelectedBefore)
	r.leave(query, o)
	r.ExitCode = r.exitCode()
}

func (r *Report) exitCode() int {
	changed := !slices.Equal(selection.SelectedIDs(r.Selected), selection.SelectedIDs(r.SelectedBefore))
	switch {
	case r.Blocked:
		return ExitBlocked
	case r.Reason == imagev1alpha1.ReasonInvalidQuery:
		return ExitInvalid
	case len(r.Selected) == 0 && (r.Reason == "" || r.Reason == imagev1alpha1.ReasonTooFewImages):
		return ExitNothing
	case r.Reason != "":
		return ExitError
	case r.compared && changed:
		return ExitChanged
	}
	return ExitUnchanged
}

// leave adds what would leave, and of what the removal would be blocked.
func (r *Report) leave(query *imagev1alpha1.ImageQuery, o controllers.Outcome) {
	leaving := o.Leaving
	if r.Blocked = o.Blocked != nil; r.Blocked {
		leaving = o.Blocked.Leaving
	}
	names := map[string]string{}
	for _, image := range query.Status.Images {
		names[image.ImageID] = image.Name
	}
	for _, id := range slices.Sorted(maps.Keys(leaving)) {
		r.Leaving = append(r.Leaving, Leaving{ImageID: id, Name: names[id], Reason: leaving[id]})
	}
}

// imagesOf are the members, in the order of status.images.
func imagesOf(query *imagev1alpha1.ImageQuery, o controllers.Outcome, before []imagev1alpha1.SelectedImage) []Image {
	out := make([]Image, len(o.Members))
	was, is := selection.SelectedIDs(before), o.Selection.IDs()
	for i, member := range o.Members {
		out[i] = Image{
			ImageSummary: summaryOf(member, o.Selection.Verdicts[member.ID]), State: member.State, Platform: member.Platform,
			Deprecated: member.Deprecated, WasSelected: slices.Contains(was, member.ID),
		}
		if out[i].Selection == imagev1alpha1.VerdictTooYoung && !member.CreatedTime.IsZero() {
			out[i].SelectableFrom = new(metav1.NewTime(member.CreatedTime.Add(query.Spec.Selection.MinAge.Duration)))
		}
		if slices.Contains(is, member.ID) && !out[i].WasSelected {
			out[i].Replaces = replaced(before, is, member.Architecture)
		}
	}
	return out
}

// replaced are the selected images of an architecture that aren't selected any more.
func replaced(before []imagev1alpha1.SelectedImage, now []string, architecture string) []string {
	var out []string
	for _, image := range before {
		if image.Architecture == architecture && !slices.Contains(now, image.ImageID) {
			out = append(out, image.ImageID)
		}
	}
	return out
}

func summaryOf(image catalog.Image, verdict imagev1alpha1.SelectionVerdict) imagev1alpha1.ImageSummary {
	out := imagev1alpha1.ImageSummary{
		ImageID: image.ID, Name: image.Name, Architecture: image.Architecture, Type: image.Type, Creator: image.Creator, Selection: verdict,
	}
	if !image.CreatedTime.IsZero() {
		out.CreatedTime = new(metav1.NewTime(image.CreatedTime))
	}
	return out
}

// stepsOf are the fields of spec.match that are given, with how many images each leaves.
func stepsOf(match *imagev1alpha1.ImageMatch, f selection.Funnel) []Step {
	encoded, _ := json.Marshal(match) // it has only strings and lists of them
	given := map[string]any{}
	_ = json.Unmarshal(encoded, &given)
	var steps []Step
	left := f.Matching
	for _, excluded := range f.TurnedAway {
		left += excluded
	}
	for _, field := range selection.MatchFields() {
		value, is := given[field]
		if !is {
			continue
		}
		left -= f.TurnedAway[field]
		steps = append(steps, Step{Field: field, Value: valueOf(value), Excluded: f.TurnedAway[field], Left: left})
	}
	return steps
}

func valueOf(value any) string {
	list, is := value.([]any)
	if !is {
		return fmt.Sprintf("'%v'", value)
	}
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = fmt.Sprint(item)
	}
	return strings.Join(texts, ",")
}
