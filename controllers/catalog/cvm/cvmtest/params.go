// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// Limits of the API page, section 2.
const (
	defaultLimit    = 20
	maxLimit        = 100
	maxFilters      = 10
	maxFilterValues = 5
	// maxImageIDs is inferred: other id lists of CVM accept 100, and clients chunk by 100. This API's maximum is not
	// documented.
	maxImageIDs = 100
)

// params are the parameters of DescribeImages (API page, section 2).
type params struct {
	imageIDs      []string
	filters       []filter
	offset, limit int64
	instanceType  string
}

type filter struct {
	name   string
	values []string
}

// parseParams parses a request body. On a refusal, params contains what was parsed so far, for faults and the log.
func parseParams(body []byte) (params, *refusal) {
	p := params{limit: defaultLimit}
	members, no := parseObject(body, "the body")
	if no != nil {
		return p, no
	}
	for _, step := range []struct {
		name string
		read func(json.RawMessage) *refusal
	}{
		{"Offset", func(v json.RawMessage) *refusal { return readJSON(v, "Offset", &p.offset) }},
		{"Limit", func(v json.RawMessage) *refusal { return readJSON(v, "Limit", &p.limit) }},
		{"InstanceType", func(v json.RawMessage) *refusal { return readJSON(v, "InstanceType", &p.instanceType) }},
		{"ImageIds", func(v json.RawMessage) *refusal { return readList(v, "ImageIds", &p.imageIDs) }},
		{"Filters", func(v json.RawMessage) (no *refusal) { p.filters, no = readFilters(v); return no }},
	} {
		v, given := members[step.name]
		delete(members, step.name)
		if !given {
			continue
		}
		if no := step.read(v); no != nil {
			return p, no
		}
	}
	return p, noneLeft(members, "")
}

// noneLeft refuses unknown keys (common error code UnknownParameter).
func noneLeft(members map[string]json.RawMessage, where string) *refusal {
	if len(members) == 0 {
		return nil
	}
	name := where + slices.Sorted(maps.Keys(members))[0]
	return &refusal{
		code: "UnknownParameter",
		en:   fmt.Sprintf("The parameter `%s` is not recognized.", name),
		zh:   fmt.Sprintf("参数 `%s` 不被识别。", name),
	}
}

// parseObject and readJSON refuse wrong JSON with the common code InvalidParameter ("参数错误（包括参数格式、类型等错误）").
func parseObject(v []byte, name string) (map[string]json.RawMessage, *refusal) {
	members := map[string]json.RawMessage{}
	if no := readJSON(v, name, &members); no != nil {
		return nil, no
	}
	return members, nil
}

func readJSON(v []byte, name string, into any) *refusal {
	if bytes.Equal(bytes.TrimSpace(v), []byte("null")) {
		return unknown(name + ": null")
	}
	if err := json.Unmarshal(v, into); err != nil {
		return &refusal{code: "InvalidParameter", en: fmt.Sprintf("The value of `%s` has a wrong type or is not JSON.", name)}
	}
	return nil
}

// readList parses a list of strings. The service's reaction to an empty list, or one with null, is not known.
func readList(v json.RawMessage, name string, into *[]string) *refusal {
	var list []*string
	if no := readJSON(v, name, &list); no != nil {
		return no
	}
	if len(list) == 0 {
		return unknown(name + ": []")
	}
	for _, s := range list {
		if s == nil {
			return unknown(name + ": [null]")
		}
		*into = append(*into, *s)
	}
	return nil
}

func readFilters(v json.RawMessage) ([]filter, *refusal) {
	var list []json.RawMessage
	if no := readJSON(v, "Filters", &list); no != nil {
		return nil, no
	}
	if len(list) == 0 {
		return nil, unknown("Filters: []")
	}
	var out []filter
	for i, v := range list {
		f, no := readFilter(v, fmt.Sprintf("Filters.%d", i))
		if no != nil {
			return out, no
		}
		out = append(out, f)
	}
	return out, nil
}

// readFilter parses {Name, Values}. Both are required (data type Filter).
func readFilter(v json.RawMessage, where string) (filter, *refusal) {
	var f filter
	members, no := parseObject(v, where)
	if no != nil {
		return f, no
	}
	for _, name := range []string{"Name", "Values"} {
		if _, ok := members[name]; !ok {
			return f, missing(where + "." + name)
		}
	}
	if no := readJSON(members["Name"], where+".Name", &f.name); no != nil {
		return f, no
	}
	if no := readList(members["Values"], where+".Values", &f.values); no != nil {
		return f, no
	}
	delete(members, "Name")
	delete(members, "Values")
	return f, noneLeft(members, where+".")
}

// imageIDPattern matches ids: eight characters in every recording, nine in an example of the API page DeleteImages
// (img-34vaef8fe). That longer ids are valid and shorter ones malformed is inferred.
var imageIDPattern = regexp.MustCompile(`^img-[0-9a-z]{8,32}$`)

// check applies the rules of the API page, section 2, that don't depend on the inventory. Some codes are inferred, as
// the comments below state.
func (p *params) check() *refusal {
	switch {
	case len(p.imageIDs) > 0 && len(p.filters) > 0:
		return refuse("InvalidParameter.InvalidParameterCoexistImageIdsFilters", "ImageIds and Filters cannot be specified at the same time.")
	case p.limit == 0:
		return unknown("Limit: 0")
	case p.limit < 0 || p.limit > maxLimit:
		// Inferred for this API; the SDK's integration test sees InvalidParameterValue… for DescribeInstances with Limit -1.
		return refuse("InvalidParameterValue.InvalidParameterValueLimit", fmt.Sprintf("Limit must be at most %d.", maxLimit))
	case p.offset < 0:
		return unknown("a negative Offset")
	case len(p.imageIDs) > maxImageIDs:
		// Inferred.
		return refuse("InvalidParameterValue.LimitExceeded", fmt.Sprintf("The number of ImageIds exceeds the limit %d.", maxImageIDs))
	case len(p.filters) > maxFilters:
		// The maximum is documented, the code inferred.
		return refuse("InvalidParameterValue.LimitExceeded", fmt.Sprintf("The number of Filters exceeds the limit %d.", maxFilters))
	}
	if no := checkIDs(p.imageIDs, "ImageIds"); no != nil {
		return no
	}
	return checkFilters(p.filters)
}

func checkIDs(ids []string, where string) *refusal {
	seen := map[string]bool{}
	for _, id := range ids {
		if !imageIDPattern.MatchString(id) {
			return refuse("InvalidImageId.Malformed", fmt.Sprintf("The image ID `%.64s` is malformed.", id))
		}
		if seen[id] {
			return unknown("the same id twice in " + where)
		}
		seen[id] = true
	}
	return nil
}
