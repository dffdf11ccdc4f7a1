// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// query is a checked DescribeImages request.
type query struct {
	params
	region string
	uin    string
	lang   language

	denied []string // Credential.DenyImages

	sharedCreator SharedCreator
}

// found is the part of the inventory that a query selects.
type found struct {
	all        []*entry // everything that matches, in listing order
	from, upto int      // the page: all[from:upto]
	total      int64    // the answer's TotalCount
}

func (f found) page() []*entry { return f.all[f.from:f.upto] }

// slice returns the page. Past the end it is empty and the total remains (inferred from every client's loop).
func slice(all []*entry, offset, limit int64) found {
	from := min(offset, int64(len(all)))
	return found{all: all, from: int(from), upto: int(min(from+limit, int64(len(all)))), total: int64(len(all))}
}

// answer returns the page of a query and its TotalCount.
func (s *Server) answer(q query) (found, *refusal) {
	all, no := s.describe(q)
	got := slice(all, q.offset, q.limit)
	if no == nil && s.opts.CountBeforeInstanceType && q.instanceType != "" {
		q.instanceType = ""
		all, no = s.describe(q)
		got.total = int64(len(all))
	}
	return got, no
}

// describe answers a query from the inventory.
func (s *Server) describe(q query) ([]*entry, *refusal) {
	if no := s.types.check(q.instanceType); no != nil {
		return nil, no
	}
	if len(q.imageIDs) > 0 {
		return q.permitted(s.byIDs(q)), nil
	}
	for _, key := range tagKeys(q.filters) {
		if !s.inventory.hasTagKey(q.uin, key) {
			// Here: no image that the caller sees, in any region, has the key. The real service checks the account's tags
			// (inferred; the code is the API page's, the situation its description's).
			return nil, refuse("InvalidParameterValue.TagKeyNotFound", "The specified tag does not exist.")
		}
	}
	return q.permitted(s.search(q)), nil
}

// permitted removes images denied by a policy. It copies, since the list is shared.
func (q query) permitted(found []*entry) []*entry {
	if len(q.denied) == 0 {
		return found
	}
	return slices.DeleteFunc(slices.Clone(found), func(e *entry) bool { return slices.Contains(q.denied, e.ImageID) })
}

// byIDs returns the images among ImageIds. Unknown ids are omitted without an error (packer and cb-spider rely on it).
func (s *Server) byIDs(q query) []*entry {
	s.inventory.mu.RLock()
	defer s.inventory.mu.RUnlock()
	r := s.inventory.regions[q.region]
	if r == nil {
		return nil
	}
	var out []*entry
	for _, id := range q.imageIDs {
		if e := r.byID[id]; e != nil && e.relationTo(q.uin) != invisible && e.usableWith(q.instanceType) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	return out
}

// search returns the images that match the filters. Results are cached until the inventory changes.
func (s *Server) search(q query) []*entry {
	key := q.cacheKey()
	s.inventory.mu.RLock()
	r := s.inventory.regions[q.region]
	if r == nil {
		s.inventory.mu.RUnlock()
		return nil
	}
	hit, ok := r.matches[key]
	s.inventory.mu.RUnlock()
	if ok {
		return hit
	}
	s.inventory.mu.Lock()
	defer s.inventory.mu.Unlock()
	var out []*entry
	for _, e := range r.order {
		v := view{entry: e, rel: e.relationTo(q.uin), lang: q.lang, ignoreCase: s.opts.IgnoreCase}
		if v.rel != invisible && e.usableWith(q.instanceType) && v.matches(q.filters) {
			out = append(out, e)
		}
	}
	if r.matches == nil || len(r.matches) >= maxCachedQueries {
		r.matches = map[string][]*entry{}
	}
	r.matches[key] = out
	return out
}

// cacheKey identifies queries with the same result.
func (q *query) cacheKey() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %d %q", q.uin, q.lang, q.instanceType)
	for _, f := range q.filters {
		fmt.Fprintf(&b, " %q=%q", f.name, f.values)
	}
	return b.String()
}

func (i *Image) usableWith(instanceType string) bool {
	return instanceType == "" || i.InstanceTypes == nil || slices.Contains(i.InstanceTypes, instanceType)
}

// asksCDC reports whether the answer carries CdcCacheStatus (documented as returned with the CDC filters only).
func (p *params) asksCDC() bool {
	return slices.ContainsFunc(p.filters, func(f filter) bool { return f.name == filterCDC || f.name == filterCDCStatus })
}

// encodePage encodes the members of ImageSet.
func encodePage(q query, page []*entry) [][]byte {
	cdc := q.asksCDC()
	out := make([][]byte, len(page))
	for i, e := range page {
		rel := e.relationTo(q.uin)
		switch {
		case rel == shared && q.sharedCreator != CreatorAsShared:
			image := e.clone()
			image.ImageCreator = q.sharedCreator.of(e.Owner)
			out[i] = image.encode(q.lang, rel, cdc)
		case cdc:
			out[i] = e.encode(q.lang, rel, true)
		default:
			out[i] = e.encoded(q.lang, rel)
		}
	}
	return out
}

// hasTagKey reports whether any image that the account sees, in any region, has a tag with the key.
func (inv *inventory) hasTagKey(uin, key string) bool {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	cached := [2]string{uin, key}
	if has, ok := inv.tagKeys[cached]; ok {
		return has
	}
	has := false
	for _, r := range inv.regions {
		has = has || slices.ContainsFunc(r.order, func(e *entry) bool {
			return e.hasTag(key, nil) && e.relationTo(uin) != invisible
		})
	}
	if inv.tagKeys == nil {
		inv.tagKeys = map[[2]string]bool{}
	}
	inv.tagKeys[cached] = has
	return has
}
