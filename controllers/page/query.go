// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// queryView is everything about one query.
type queryView struct {
	nowRow

	Listed     string // how many the cloud listed, before match
	Truncated  bool
	Conditions []conditionRow
	Spec       []fact
	Commands   []command
	Blocked    *blockedRow
	Grace      []graceRow
	Changes    []change
	Members    []memberRow
	Pager      pager
	Revision   string
	Changed    *moment
}

// fact is one thing worth knowing, by name.
type fact struct {
	Name, Value string
	Code        bool // it is written as it would be typed
}

// command is a line that a person may run, and what it does.
type command struct {
	What, Line string
}

// conditionRow is one condition of a query.
type conditionRow struct {
	Type, Status, Reason, Message string
	Since                         *moment
}

// memberRow is one member, with its verdict.
type memberRow struct {
	changeRow

	Verdict chip
	Soaked  *moment
}

// Title is the image's name, or its id where it has none.
func (r changeRow) Title() string { return cmp.Or(r.Name, r.ID) }

// Title is the image's name, or its id where it has none.
func (r graceRow) Title() string { return cmp.Or(r.Name, r.ID) }

func (s scene) queryView(query *imagev1alpha1.ImageQuery, values url.Values) queryView {
	v := queryView{
		nowRow: s.nowRow(query), Spec: specFacts(query), Commands: commandsFor(query), Blocked: s.blockedRow(query), Changes: s.changesOf(query),
		Revision: query.Status.Revision, Changed: momentOf(query.Status.LastChangeTime, s.now),
		Truncated: query.Status.ImagesTruncated != nil && *query.Status.ImagesTruncated,
	}
	v.Selected, v.More = s.selectedRows(query), 0
	if query.Status.ListedCount != nil {
		v.Listed = fmt.Sprint(*query.Status.ListedCount)
	}
	for _, c := range query.Status.Conditions {
		v.Conditions = append(v.Conditions, conditionRow{c.Type, string(c.Status), c.Reason, c.Message, momentAt(c.LastTransitionTime.Time, s.now)})
	}
	for _, removing := range query.Status.Removing {
		v.Grace = append(v.Grace, s.graceRow(query, removing))
	}
	var members []imagev1alpha1.ImageSummary
	members, v.Pager = paginate(query.Status.Images, pageIn(values), s.link.pageLink(query.Name, values))
	for i := range members {
		member := &members[i]
		v.Members = append(v.Members, memberRow{
			s.memberRow(query, member), verdictChip(query, member.Selection), soakedAt(query, member.Selection, member.CreatedTime, s.now),
		})
	}
	return v
}

// specFacts are what a query asks for, as its spec has it.
func specFacts(query *imagev1alpha1.ImageQuery) []fact {
	spec := &query.Spec
	facts := []fact{
		{"region", spec.Region, true}, {"credentialsRef", cmp.Or(credentialsOf(query), "the operator's default"), spec.CredentialsRef != nil},
		{"interval", shortDuration(spec.Interval.Duration), true},
	}
	for _, filter := range spec.Filters {
		facts = append(facts, fact{"filter " + filter.Name, strings.Join(filter.Values, ", "), true})
	}
	facts = append(facts, listFact("imageIDs", spec.ImageIDs), fact{"instanceType", spec.InstanceType, true})
	facts = append(facts, matchFacts(&spec.Match)...)
	facts = append(facts, selectionFacts(&spec.Selection)...)
	facts = append(facts,
		fact{"removal", fmt.Sprintf("after %s, at most %d %% at once", shortDuration(spec.Removal.GetGracePeriod()), spec.Removal.GetMaxRemovedPercent()), false},
		fact{"cloudImages", fmt.Sprintf("%s, at most %d", spec.CloudImages.GetPolicy(), spec.CloudImages.GetMaxImages()), false})
	return given(facts)
}

func matchFacts(m *imagev1alpha1.ImageMatch) []fact {
	return []fact{
		{"match.nameRegex", m.NameRegex, true}, listFact("match.states", m.States), listFact("match.architectures", m.Architectures),
		listFact("match.platforms", m.Platforms), listFact("match.families", m.Families), listFact("match.creators", m.Creators),
		listFact("match.excludeImageIDs", m.ExcludeImageIDs),
	}
}

func selectionFacts(s *imagev1alpha1.ImageSelection) []fact {
	facts := []fact{
		listFact("selection.pin", s.Pin), listFact("selection.trustedCreators", s.TrustedCreators),
		{"selection.orderBy", string(s.GetOrderBy()), true}, {"selection.extract", s.Extract, true}, {"selection.range", s.Range, true},
		listFact("selection.groupBy", s.GetGroupBy()), {"selection.limit", fmt.Sprint(s.GetLimit()), true},
	}
	if s.Skip > 0 {
		facts = append(facts, fact{"selection.skip", fmt.Sprint(s.Skip), true})
	}
	if s.MinAge.Duration > 0 {
		facts = append(facts, fact{"selection.minAge", shortDuration(s.MinAge.Duration), true})
	}
	return facts
}

func listFact[T ~string](name string, values []T) fact {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return fact{name, strings.Join(texts, ", "), true}
}

// given leaves out facts without a value.
func given(facts []fact) []fact {
	var out []fact
	for _, f := range facts {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	return out
}

// commandsFor are the lines that people run most with a query.
func commandsFor(query *imagev1alpha1.ImageQuery) []command {
	name := query.Name
	return []command{
		{"See all of it", "kubectl get imagequery " + name + " -o yaml"},
		{"Its events", "kubectl events --for imagequery/" + name},
		{"Poll it now", fmt.Sprintf(`kubectl annotate imagequery %s %s="$(date +%%s)" --overwrite`, name, imagev1alpha1.AnnotationRequestedAt)},
	}
}
