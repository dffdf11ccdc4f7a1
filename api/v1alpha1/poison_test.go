// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"pgregory.net/rapid"
)

// One object that a typed client can't decode stops every controller that watches
// its kind: its cache never syncs. So whatever the schemas admit must decode, and
// what a typed client then writes back must be admitted again.
//
// The documents are drawn from the schemas as they are installed, so a new field is
// covered the day it is generated; the API server itself says which are admitted.
func TestWhateverIsAdmittedDecodes(t *testing.T) {
	const documents = 10 // In each of rapid's 100 checks.
	for _, c := range []struct {
		kind string
		part string // Where the drawn values are; the rest is the base document.
		how  verb
	}{
		{kind: "ImageQuery", part: "spec", how: create},
		{kind: "ImageQuery", part: "status", how: updateStatus},
		{kind: "CloudImage", part: "", how: create},
	} {
		t.Run(c.kind+" "+c.part, func(t *testing.T) {
			t.Parallel()
			sent, admitted := 0, 0
			rapid.Check(t, func(rt *rapid.T) {
				for range documents {
					doc := drawDocument(rt, c.kind, c.part, c.how)
					sent++
					answer, err := send(t.Context(), c.how, doc)
					if err != nil {
						if !strings.Contains(err.Error(), "is invalid") && !strings.Contains(err.Error(), "cannot be handled as") {
							rt.Fatalf("the API server did not judge %s: %v", text(doc), err)
						}
						continue
					}
					admitted++
					typed, err := decoded(c.kind, answer)
					if err != nil {
						rt.Fatalf("admitted, but our Go types can't decode it: %v\n%s", err, text(doc))
					}
					body, err := json.Marshal(typed)
					if err != nil {
						rt.Fatalf("admitted and decoded, but can't be encoded again: %v\n%s", err, text(doc))
					}
					if _, err := sendBytes(t.Context(), api(), c.how, c.kind, body, "dryRun", "All"); err != nil {
						rt.Fatalf("admitted, but refused when a typed client writes it back: %v\n%s", err, text(doc))
					}
				}
			})
			t.Logf("%d documents, %d of them admitted", sent, admitted)
			if !t.Failed() && admitted*3 < sent {
				t.Errorf("only %d of %d documents were admitted: the generator has lost touch with the schema", admitted, sent)
			}
		})
	}
}

func text(doc document) string {
	body, err := json.Marshal(doc)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func drawDocument(t *rapid.T, kind, part string, how verb) document {
	doc := base(kind)
	if how != create {
		doc = stored(kind)
	}
	schema := schemaOf(kind)
	// Few oddities in one document: a document is refused for its worst field, and
	// would hide that another one should have been refused, too.
	d := &drawing{T: t, odd: rapid.SampledFrom([]int{0, 0, 1, 1, 2}).Draw(t, "oddities")}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		if property := schema.Properties[name]; name == part || part == "" && (name == "image" || name == "lifecycle") {
			doc[name] = d.value(&property, name)
		}
	}
	return doc
}

// drawing draws values that a schema is meant for, except for a few odd ones.
type drawing struct {
	*rapid.T
	odd int
}

// What looks right to one reader and wrong to another.
var (
	otherTypes = []any{
		nil, true, false, 0, 1.5, "", "1", []any{}, []any{nil}, []any{"a"}, []any{0}, []any{[]any{}}, map[string]any{}, map[string]any{"a": nil},
	}
	strangeNumbers = []any{
		json.Number("1e3"), json.Number("1.0"), json.Number("-0.0"), json.Number("-0"), json.Number("1e20"), json.Number("1e400"), -1, 1.5,
		json.Number("2147483647"), json.Number("2147483648"), json.Number("-2147483649"),
		json.Number("9223372036854775807"), json.Number("9223372036854775808"), json.Number("9.223372036854775807e18"),
		json.Number("-9223372036854775809"),
	}
	strangeDurations = []any{
		"12 hours", "1d", "5 minutes", "PT5M", "60 s", "0.5ms", "1e3h", "1h-1m", "+1h", ".5h", "5.h", "1m1us", "60000000000ns",
		"99999999999999h", "2562047h2562047h", "1H", "１h", "1m\n", "Infinity", "1m0.0000000000000000000000001s",
	}
	strangeTimes = []any{
		"2024-01-01t00:00:00z", "2024-01-01T00:00:00z", "2024-01-01t00:00:00Z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00",
		"2024-01-01T00:00Z", "2024-01-01",
		"0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0000-12-31T23:59:59-00:01", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59",
		"-001-01-01T00:00:00Z", "+002024-01-01T00:00:00Z",
		"2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-00-00T00:00:00Z", "2024-01-01T24:00:00Z",
		"2016-12-31T23:59:60Z", "2024-01-01T00:60:00Z",
		"2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+23:60", "2024-01-01T00:00:00-25:00", "2024-01-01T00:00:00+0800",
		"2024-01-01T00:00:00-00:00", "2024-01-01T00:00:00+00:00",
		"2024-01-01T00:00:00.Z", "2024-01-01T00:00:00,5Z", "2024-01-01T00:00:00x5Z", "2024-01-01T00:00:00.123456789123456789Z",
		"2024-01-01T00:00:00ZT", "2024-01-01T00:00:00Zt1", "2024-01-01T00:00:00Z\n", "２０２４-01-01T00:00:00Z",
	}
	strangeTexts = []any{
		"(", "(?=x)", "a{1001}", `(a)\1`, "[[:foo:]]", `\pX`, `\C`, "\x00", "\u202e", "😀", " ", "null", "~", strings.Repeat("a", 300),
		strings.Repeat("镜", 300),
		"img-", "img-1\n", "IMG-1", "img-镜",
	}
)

func (d *drawing) value(s *apiextensionsv1.JSONSchemaProps, at string) any {
	if d.odd == 0 || rapid.IntRange(0, 11).Draw(d.T, at+" is odd") > 0 {
		return d.meant(s, at)
	}
	d.odd--
	oddities := [][]any{otherTypes}
	switch {
	case s.Format == "date-time":
		oddities = append(oddities, strangeTimes)
	case strings.Contains(s.Pattern, units):
		oddities = append(oddities, strangeDurations)
	case s.Type == "string":
		oddities = append(oddities, strangeTexts)
	case s.Type == "integer":
		oddities = append(oddities, strangeNumbers)
	case s.XIntOrString:
		oddities = append(oddities, []any{3205597606, 386, 0, -1, 1.5, " 1", "1 "}, strangeNumbers)
	}
	if s.Type == "string" && rapid.Bool().Draw(d.T, at+" is damaged") {
		return d.damaged(fmt.Sprint(d.meant(s, at)), at)
	}
	return rapid.SampledFrom(rapid.SampledFrom(oddities).Draw(d.T, at+" is of a kind")).Draw(d.T, at)
}

// damaged changes one character of a text that was right.
func (d *drawing) damaged(right, at string) string {
	characters := []rune(right)
	i := rapid.IntRange(0, len(characters)).Draw(d.T, at+" at")
	other := rapid.SampledFrom([]rune("0123456789tzTZ+-.,: \n_msuhd/aA")).Draw(d.T, at+" other")
	if i == len(characters) || rapid.Bool().Draw(d.T, at+" insert") {
		return string(slices.Insert(characters, i, other))
	}
	characters[i] = other
	return string(characters)
}

func (d *drawing) meant(s *apiextensionsv1.JSONSchemaProps, at string) any {
	if s.XIntOrString {
		return d.text(s, at)
	}
	switch s.Type {
	case "object":
		object := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			property := s.Properties[name]
			if slices.Contains(s.Required, name) || rapid.Bool().Draw(d.T, at+" has "+name) {
				object[name] = d.value(&property, at+"."+name)
			}
		}
		if s.AdditionalProperties != nil {
			for range rapid.Int64Range(or(s.MinProperties, 0), 3).Draw(d.T, at+" has keys") {
				object[d.key(at)] = d.value(s.AdditionalProperties.Schema, at+"{}")
			}
		}
		return d.obeying(s, object, at)
	case "array":
		least, most := or(s.MinItems, 0), or(s.MaxItems, 3)
		of := *s.Items.Schema
		for _, rule := range s.XValidations {
			if match := ruleIsOnItems.FindStringSubmatch(rule.Rule); match != nil {
				of.Pattern = match[1]
			}
		}
		item := rapid.Custom(func(t *rapid.T) any { return (&drawing{T: t, odd: d.odd}).value(&of, at+"[]") })
		return rapid.SliceOfNDistinct(item, int(least), int(min(most, least+3)), identity(s)).Draw(d.T, at)
	case "integer":
		least, most := int64(-1<<31), int64(1<<31-1)
		if s.Format == "int64" {
			least, most = -1<<63, 1<<63-1
		}
		if s.Minimum != nil {
			least = int64(*s.Minimum)
		}
		if s.Maximum != nil {
			most = int64(*s.Maximum)
		}
		return rapid.Int64Range(least, most).Draw(d.T, at)
	case "boolean":
		return rapid.Bool().Draw(d.T, at)
	case "string":
		return d.text(s, at)
	default:
		d.Fatalf("%s: the generator does not know the type %q", at, s.Type)
		return nil
	}
}

// What a CEL rule demands, when it is of a shape that says so.
var (
	ruleIsPattern   = regexp.MustCompile(`^self\.matches\('(.*)'\)$`)
	ruleIsOnItems   = regexp.MustCompile(`^self\.all\(k, k\.matches\('([^']*)'\)\) \|\| oldSelf`)
	ruleIsAgainst   = regexp.MustCompile(`^!self\.matches\(r?'([^']*)'\) \|\| oldSelf`)
	ruleIsRegexp    = regexp.MustCompile(`^'x'\.matches\(self\)`)
	ruleIsRange     = regexp.MustCompile(`^self\.split\(`)
	ruleIsWords     = regexp.MustCompile(`^self in \[(.*?)\]`)
	ruleIsExclusive = regexp.MustCompile(`^!\(has\(self\.(\w+)\) && has\(self\.(\w+)\)\)$`)
	ruleIsOnValues  = regexp.MustCompile(`^self\.name != '(.*)' \|\| self\.values\.all\(v, v(?: in \[(.*)\]|\.matches\('(.*)'\))\)$`)
	ruleIsImplied   = regexp.MustCompile(`^!has\(self\.(\w+)\) \|\| self\.(\w+) (==|!=) '(\w+)'`)
	quoted          = regexp.MustCompile(`'([^']*)'`)
)

func words(list string) []string {
	var found []string
	for _, word := range quoted.FindAllStringSubmatch(list, -1) {
		found = append(found, word[1])
	}
	return found
}

// obeying brings an object to the rules between its fields, most of the time.
func (d *drawing) obeying(s *apiextensionsv1.JSONSchemaProps, object map[string]any, at string) map[string]any {
	for i, rule := range s.XValidations {
		if rapid.IntRange(0, 11).Draw(d.T, fmt.Sprint(at, " disobeys rule ", i)) == 0 {
			continue
		}
		if match := ruleIsExclusive.FindStringSubmatch(rule.Rule); match != nil && object[match[1]] != nil {
			delete(object, match[rapid.IntRange(1, 2).Draw(d.T, at+" goes without")])
		}
		if match := ruleIsOnValues.FindStringSubmatch(rule.Rule); match != nil && object["name"] == match[1] {
			value := rapid.StringMatching(match[3])
			if match[2] != "" {
				value = rapid.SampledFrom(words(match[2]))
			}
			object["values"] = []any{value.Draw(d.T, at+".values")}
		}
		// The field that goes only with one value of another, or with all but one.
		if match := ruleIsImplied.FindStringSubmatch(rule.Rule); match != nil && object[match[1]] != nil {
			other := object[match[2]]
			if defaulted := s.Properties[match[2]].Default; other == nil && defaulted != nil {
				other = strings.Trim(string(defaulted.Raw), `"`)
			}
			if (other == match[4]) != (match[3] == "==") {
				delete(object, match[1])
			}
		}
	}
	return object
}

// key draws the key of a map: mostly one that a label may have.
func (d *drawing) key(at string) string {
	if d.odd > 0 && rapid.IntRange(0, 11).Draw(d.T, at+"'s key is odd") == 0 {
		d.odd--
		return rapid.SampledFrom([]string{
			"", " ", "a b", "/", "a/b/c", "A/b", "kubernetes.io/arch", "query.imagecatalog.dev/a", "镜像", "\x00",
			strings.Repeat("a", 64), strings.Repeat("a", 254) + "/b",
		}).Draw(d.T, at+"'s odd key")
	}
	return rapid.StringMatching(`([a-z0-9]{1,8}(\.[a-z0-9]{1,8}){0,2}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,6}[A-Za-z0-9])?`).Draw(d.T, at+"'s key")
}

// units is what the pattern of a duration has in it.
const units = "ms|s|m|h"

func (d *drawing) text(s *apiextensionsv1.JSONSchemaProps, at string) string {
	least, most := int(or(s.MinLength, 0)), int(or(s.MaxLength, 40))
	pattern, against := s.Pattern, "$^"
	for _, rule := range s.XValidations {
		if match := ruleIsAgainst.FindStringSubmatch(rule.Rule); match != nil {
			against = match[1]
		}
		if match := ruleIsPattern.FindStringSubmatch(rule.Rule); match != nil {
			pattern = match[1]
		}
		if match := ruleIsWords.FindStringSubmatch(rule.Rule); match != nil {
			choice := words(match[1])
			if strings.Contains(rule.Rule, "startsWith('tag:')") {
				choice = append(choice, "tag:role")
			}
			return rapid.SampledFrom(choice).Draw(d.T, at)
		}
		if ruleIsRange.MatchString(rule.Rule) {
			return rapid.SampledFrom([]string{">=1.30 <1.32", "~1.30", "^1.30 || ^1.32", "1.2 - 1.4"}).Draw(d.T, at)
		}
		if ruleIsRegexp.MatchString(rule.Rule) {
			return rapid.SampledFrom([]string{
				`^node-(v1\.30)`, "(a{1000})", `(?i)(ubuntu|debian) \d+\.\d+`, `(\p{Han})`, "([[:alpha:]]+)$",
				`(\Qa(b\E)`, "(?P<version>.)", "镜像",
			}).Draw(d.T, at)
		}
	}
	switch {
	case s.Enum != nil:
		var word string
		if err := json.Unmarshal(rapid.SampledFrom(s.Enum).Draw(d.T, at).Raw, &word); err != nil {
			d.Fatalf("%s: an enum of something else than strings: %v", at, err)
		}
		return word
	case s.Format == "date-time":
		return d.time(at)
	case strings.Contains(pattern, units):
		return d.duration(at)
	case pattern != "":
		return rapid.StringMatching(pattern).Filter(func(text string) bool {
			return len([]rune(text)) >= least && len([]rune(text)) <= most && !regexp.MustCompile(against).MatchString(text)
		}).Draw(d.T, at)
	default:
		return rapid.StringN(least, min(most, least+12), -1).Draw(d.T, at)
	}
}

// time draws mostly times as our fields are meant to hold them, near every edge.
func (d *drawing) time(at string) string {
	part := func(name string, format string, values ...int) string {
		return fmt.Sprintf(format, rapid.SampledFrom(values).Draw(d.T, at+" "+name))
	}
	return part("year", "%04d", 1000, 1969, 1970, 2024, 2038, 9999) + "-" + part("month", "%02d", 1, 2, 12) + "-" +
		part("day", "%02d", 1, 12, 28) +
		"T" + part("hour", "%02d", 0, 12, 23) + ":" + part("minute", "%02d", 0, 59) + ":" + part("second", "%02d", 0, 59) + "Z"
}

func (d *drawing) duration(at string) string {
	var pieces strings.Builder
	pieces.WriteString(rapid.SampledFrom([]string{"1m", "60s", "60000ms", "2h", "167h", "0.5h", "0168h", "1s"}).Draw(d.T, at+" first"))
	for i := range rapid.IntRange(0, 2).Draw(d.T, at+" pieces") {
		number := rapid.SampledFrom([]string{"1", "5", "59", "60", "100", "0.5", "1.25", "0", "00", "0.000000001"}).Draw(d.T,
			fmt.Sprint(at, " number ", i))
		unit := rapid.SampledFrom([]string{"m", "m", "h", "s", "ms"}).Draw(d.T, fmt.Sprint(at, " unit ", i))
		pieces.WriteString(number + unit)
	}
	return pieces.String()
}

// identity is what must not be there twice in a list.
func identity(s *apiextensionsv1.JSONSchemaProps) func(any) string {
	return func(item any) string {
		if object, ok := item.(map[string]any); ok && len(s.XListMapKeys) == 1 {
			item = object[s.XListMapKeys[0]]
		}
		body, err := json.Marshal(item)
		if err != nil {
			return err.Error()
		}
		return string(body)
	}
}

func or[T any](pointer *T, otherwise T) T {
	if pointer == nil {
		return otherwise
	}
	return *pointer
}
