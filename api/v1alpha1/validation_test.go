// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// tc is one rule of a schema, with a document on either side of it.
type tc struct {
	// rule is what of the schema the case is about: kind, path and keyword, as
	// rulesOf writes them. The keyword "rule" is the CEL rule whose message is says.
	rule string
	// at is where the values go; by default the path of rule, in the first item of lists.
	at string
	// given is what both documents have different from the base document besides.
	given map[string]any
	// how the documents are sent; by default they are created, those of a status updated.
	how verb
	// accept and refuse are values; an accept that is nil stands for the base document as it is.
	accept, refuse any
	// says is what the refusal tells the user.
	says string
	// not is what the refusal doesn't say.
	not string
}

// engine is what CEL itself says of a rule that it can't evaluate: nothing that helps a user.
const engine = "evaluating rule"

const (
	queryMessage = "metadata.name must have at most 63 characters: it becomes the label query.imagecatalog.dev/<name> of the " +
		"query's CloudImages"
	filtersMessage = "filters and imageIDs exclude each other in DescribeImages: keep one of them (to narrow a list of ids " +
		"further, use match)"
	uniqueMessage = "filters must have different names: write all values of one name into one filter, of which an image needs any one"
	regionMessage = "region must be a region's id in lower case, such as ap-guangzhou or ap-shanghai-fsi"
	zoneMessage   = "region must be a region, and this is a zone of one: write it without the number at its end, such as " +
		"ap-guangzhou for ap-guangzhou-3"
	imageIDMessage    = "an image id must be img- and up to 32 lower-case letters and digits, such as img-487zeit5"
	instanceMessage   = "instanceType must be an instance type's name, such as SA5.MEDIUM2"
	secretMessage     = "credentialsRef.name must be a DNS label: lower-case letters, digits and '-', such as acct2"
	filterNameMessage = "a filter's name must be one of image-id, image-type, image-name, platform, tag-key, tag-value, tag:<key>, " +
		"dedicated-cluster-id, cdc-cache-status; what DescribeImages can't filter (state, architecture, creator, a regular expression) " +
		"goes into match"
	typeMessage = "values of the filter image-type must be PRIVATE_IMAGE (your own), PUBLIC_IMAGE (Tencent's) or SHARED_IMAGE " +
		"(other accounts')"
	idFilterMessage  = "values of the filter image-id must be image ids, such as img-487zeit5; for more than 5 ids use imageIDs"
	cdcMessage       = "values of the filter cdc-cache-status must be CACHED_ALL, CACHING, CACHED, CACHE_INVALID or CACHE_FAILED"
	intervalUnits    = "interval must be written in h, m, s or ms, such as 10m or 1h30m; days and weeks aren't known: write 24h for 1d"
	intervalMessage  = "interval must be between 1m and 168h, such as 10m or 1h30m"
	regexMessage     = "nameRegex must be a regular expression in RE2 syntax (no look-around, no back-references)"
	regexLineMessage = "nameRegex must be one line, since no image's name has a line's end: write it in single quotes after the colon, " +
		"not below | or >"
	archMessage      = `an architecture must go by its Kubernetes name: write amd64 for x86_64, arm64 for aarch64, and "386", in quotes, for i386`
	creatorsMessage  = `each of creators must be an account's id (uin) in quotes, of digits only, such as "3205597606"`
	trustedMessage   = `each of trustedCreators must be an account's id (uin) in quotes, of digits only, such as "3205597606"`
	conditionMessage = "lastTransitionTime must be a time as RFC 3339 writes it, such as 2026-08-20T08:00:00Z"
	nameMessage      = "metadata.name must be [<image.credentials>.]<image.region>-<image.id>, such as ap-guangzhou-img-487zeit5"
	identityMessage  = "image.id, image.region and image.credentials can't change: they are the image's identity; another image is " +
		"another CloudImage"
	observedIDMessage = "image.id must be img- and up to 32 lower-case letters and digits, such as img-487zeit5"
	observedRegion    = "image.region must be a region's id in lower case, such as ap-guangzhou"
	rangeMessage      = "selection.range can't be used with this order: it compares versions, so set selection.orderBy to SemVer, or " +
		"remove the range"
	extractMessage = "selection.extract can't be used with orderBy CreatedTime: it takes a part of the name, so set selection.orderBy " +
		"to SemVer or Name, or remove it"
	extractRegex = "extract must be a regular expression in RE2 syntax (no look-around, no back-references)"
	extractLine  = "extract must be one line, since no image's name has a line's end: write it in single quotes after the colon, " +
		"not below | or >"
	versionsMessage  = "range must be comparisons of versions, joined by a blank, a comma or ||, such as >=1.30 <1.32, ~1.30 or ^1.30 || ^1.32"
	groupMessage     = `extract must have a capturing group, in parentheses: what it captures is compared, such as v(\d+\.\d+\.\d+); (?:...) captures nothing`
	noneMessage      = "groupBy must be [None] alone, for one group of all members, or facts without None, such as [Architecture]"
	minAgeUnits      = "minAge must be written in h, m, s or ms, such as 72h; days and weeks aren't known: write 72h for 3d"
	minAgeMessage    = "minAge must be between 0s and 8760h, such as 72h"
	graceUnits       = "gracePeriod must be written in h, m, s or ms, such as 24h; days and weeks aren't known: write 168h for 1w"
	graceMessage     = "gracePeriod must be between 0s and 8760h, such as 24h"
	maxImagesMessage = "cloudImages.maxImages must be at most 500 unless policy is All: with another policy the members are known from " +
		"status.images only; write 500 or less, or leave it out"
	keyMessage = "each key of labels must be a label's key: at most 63 letters, digits, '-', '_' and '.', beginning and ending " +
		"with a letter or digit, after a DNS name and '/' if you like, such as team or example.com/team"
	reservedMessage = "keys of labels must not be in imagecatalog.dev, kubernetes.io, k8s.io, x-k8s.io, argoproj.io, fluxcd.io or " +
		"velero.io: these are the operator's, Kubernetes', the GitOps and the backup tools' own; use another prefix or none"
	valueMessage = "a label's value must be at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or " +
		"digit, such as infra"
	tagKeyMessage = "each of labelTagKeys must be a label's name, since it becomes tag.imagecatalog.dev/<key>: at most 63 letters, " +
		"digits, '-', '_' and '.', beginning and ending with a letter or digit, such as role; tags with other keys are in image.tags of " +
		"the CloudImage"
	observedSecret = "image.credentials must be the name of a Secret that is a DNS label, such as acct2"

	// What the API server itself says of a pattern: the pattern.
	timeMessage     = `should match '^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$'`
	digitsMessage   = `should match '^[0-9]+$'`
	durationMessage = `should match '^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$'`
)

func chars(n int) string { return strings.Repeat("a", n) }

// wide are n characters of three bytes each: bounds count characters.
func wide(n int) string { return strings.Repeat("镜", n) }

func many(n int, item func(i int) any) []any {
	items := make([]any, n)
	for i := range items {
		items[i] = item(i)
	}
	return items
}

func texts(n int) []any { return many(n, func(i int) any { return fmt.Sprintf("text-%d", i) }) }

func uins(n int) []any { return many(n, func(i int) any { return fmt.Sprintf("1000%d", i) }) }

func ids(n int) []any { return many(n, func(i int) any { return fmt.Sprintf("img-%05d", i) }) }

func filter(name string, values ...any) map[string]any {
	return map[string]any{"name": name, "values": values}
}

func condition(edits map[string]any) map[string]any {
	one := map[string]any{"type": "Ready", "status": "True", "reason": "Synced", "message": "", "lastTransitionTime": "2026-08-20T08:00:00Z"}
	maps.Copy(one, edits)
	return one
}

// label is the one label of that key.
func label(key string) map[string]any { return map[string]any{key: "v"} }

func labels(n int) map[string]any {
	all := map[string]any{}
	for i := range n {
		all[fmt.Sprintf("key-%d", i)] = "v"
	}
	return all
}

// images are n images of the history.
func images(n int) []any { return many(n, func(int) any { return map[string]any{"imageID": "img-1"} }) }

func pending(int) any { return map[string]any{"imageID": "img-1", "reason": "Gone"} }

func record(int) any {
	return map[string]any{"images": images(1), "selectedTime": "2026-08-20T08:00:00Z", "reason": "NewImage"}
}

func removing(int) any {
	return map[string]any{"imageID": "img-1", "reason": "Gone", "since": "2026-08-20T08:00:00Z", "deleteAfter": "2026-08-21T08:00:00Z"}
}

func leaving(i int) any {
	return map[string]any{"query": fmt.Sprintf("query-%d", i), "since": "2026-08-20T08:00:00Z", "deleteAfter": "2026-08-21T08:00:00Z"}
}

// byID turns the base query into one that asks by id.
func byID() map[string]any {
	return map[string]any{"spec.filters": absent, "spec.imageIDs": []any{"img-487zeit5"}}
}

var queryRules = map[string]tc{
	"a query's name fits into a label": {
		rule: "ImageQuery . rule", at: "metadata.name", accept: chars(63), refuse: chars(64), says: queryMessage,
	},
	"a query has a spec": {rule: "ImageQuery . required spec", at: "spec", refuse: absent, says: "spec: Required value"},

	"region is required": {
		rule: "ImageQuery .spec required region", at: "spec.region", refuse: absent,
		says: "spec.region: Required value",
	},
	"a region isn't empty": {
		rule: "ImageQuery .spec.region minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"a region has at most 32 characters": {
		rule: "ImageQuery .spec.region maxLength", accept: "ap-" + chars(29), refuse: "ap-" + chars(30),
		says: "may not be more than 32 bytes",
	},
	"a region is an id": {
		rule: "ImageQuery .spec.region rule", accept: "ap-shanghai-fsi", refuse: "Guangzhou", says: regionMessage,
	},
	"a region is in lower case": {
		rule: "ImageQuery .spec.region rule", accept: "me-saudi-arabia", refuse: "AP-GUANGZHOU", says: regionMessage,
	},
	"a region ends where its id does": {rule: "ImageQuery .spec.region rule", refuse: "ap-guangzhou\n", says: regionMessage},
	"a region that is an endpoint isn't one": {
		rule: "ImageQuery .spec.region rule", refuse: "evil.example.com/ap-guangzhou", says: regionMessage,
	},
	"a region isn't a zone": {
		rule: "ImageQuery .spec.region rule", accept: "ap-guangzhou-open", refuse: "ap-guangzhou-3", says: zoneMessage,
	},
	"a region isn't a zone of two digits": {
		rule: "ImageQuery .spec.region rule", accept: "na-ashburn2", refuse: "na-ashburn-12", says: zoneMessage,
	},
	"filters and imageIDs exclude each other": {
		rule: "ImageQuery .spec rule", at: "spec.imageIDs", accept: absent, refuse: []any{"img-487zeit5"},
		says: filtersMessage,
	},
	"a query may ask for all that the account sees": {
		rule: "ImageQuery .spec rule", at: "spec.filters", accept: absent,
		refuse: []any{filter("image-type", "PUBLIC_IMAGE")},
		given:  map[string]any{"spec.imageIDs": []any{"img-487zeit5"}}, says: filtersMessage,
	},

	"given filters aren't empty": {
		rule: "ImageQuery .spec.filters minItems", refuse: []any{}, says: "should have at least 1 items",
	},
	"filters are at most 10": {
		rule:   "ImageQuery .spec.filters maxItems",
		accept: many(10, func(i int) any { return filter(fmt.Sprintf("tag:k%d", i), "v") }),
		refuse: many(11, func(i int) any { return filter(fmt.Sprintf("tag:k%d", i), "v") }),
		says:   "must have at most 10 items",
	},
	"a filter's name is there once": {
		rule: "ImageQuery .spec.filters rule", accept: []any{filter("tag:a", "1"), filter("tag:b", "1")},
		refuse: []any{filter("tag:a", "1"), filter("tag:a", "2")}, says: uniqueMessage,
	},
	"a filter is an object": {
		rule: "ImageQuery .spec.filters[] required name", at: "spec.filters[0]", refuse: nil,
		says: "must be of type object",
	},
	"a filter has a name": {
		rule: "ImageQuery .spec.filters[] required name", at: "spec.filters[0].name", refuse: absent,
		says: "spec.filters[0].name: Required value",
	},
	"a filter has values": {
		rule: "ImageQuery .spec.filters[] required values", at: "spec.filters[0].values", refuse: absent,
		says: "spec.filters[0].values: Required value",
	},
	"a filter's name isn't empty": {
		rule: "ImageQuery .spec.filters[].name minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"a tag's key has at most 127 characters": {
		rule: "ImageQuery .spec.filters[].name maxLength", accept: "tag:" + wide(127), refuse: "tag:" + wide(128),
		given: map[string]any{"spec.filters[0].values": []any{"v"}}, says: "may not be more than 131 bytes",
	},
	"a filter's name is one that DescribeImages knows": {
		rule: "ImageQuery .spec.filters[].name rule", accept: "image-name", refuse: "image-state",
		says: filterNameMessage,
	},
	"a tag filter names the tag's key": {
		rule: "ImageQuery .spec.filters[].name rule", accept: "tag:role", refuse: "tag:", says: filterNameMessage,
	},
	"a filter's name is spelled exactly": {
		rule: "ImageQuery .spec.filters[].name rule", accept: "platform", refuse: "Platform", says: filterNameMessage,
	},
	"given values aren't empty": {
		rule: "ImageQuery .spec.filters[].values minItems", refuse: []any{}, says: "should have at least 1 items",
	},
	"values of a filter are at most 5": {
		rule: "ImageQuery .spec.filters[].values maxItems", accept: texts(5), refuse: texts(6),
		given: map[string]any{"spec.filters[0].name": "platform"}, says: "must have at most 5 items",
	},
	"a value isn't empty": {
		rule: "ImageQuery .spec.filters[].values[] minLength", accept: "a", refuse: "",
		given: map[string]any{"spec.filters[0].name": "platform"}, says: "should be at least 1 chars long",
	},
	"a value has at most 255 characters": {
		rule: "ImageQuery .spec.filters[].values[] maxLength", accept: wide(255), refuse: wide(256),
		given: map[string]any{"spec.filters[0].name": "image-name"}, says: "may not be more than 255 bytes",
	},
	"an image type is one of three": {
		rule: "ImageQuery .spec.filters[] rule", at: "spec.filters[0]",
		accept: filter("image-type", "PRIVATE_IMAGE", "PUBLIC_IMAGE", "SHARED_IMAGE"),
		refuse: filter("image-type", "PRIVATE_IMAGE", "private"), says: typeMessage,
	},
	"an image id in a filter is one": {
		rule: "ImageQuery .spec.filters[] rule", at: "spec.filters[0]", accept: filter("image-id", "img-487zeit5"),
		refuse: filter("image-id", "img-487zeit5", "ubuntu"), says: idFilterMessage,
	},
	"a cache status is one that the cloud knows": {
		rule: "ImageQuery .spec.filters[] rule", at: "spec.filters[0]",
		accept: filter("cdc-cache-status", "CACHED_ALL", "CACHING", "CACHED", "CACHE_INVALID", "CACHE_FAILED"),
		refuse: filter("cdc-cache-status", "cached"), says: cdcMessage,
	},

	"given imageIDs aren't empty": {
		rule: "ImageQuery .spec.imageIDs minItems", given: byID(), refuse: []any{},
		says: "should have at least 1 items",
	},
	"imageIDs are at most 100": {
		rule: "ImageQuery .spec.imageIDs maxItems", given: byID(), accept: ids(100), refuse: ids(101),
		says: "must have at most 100 items",
	},
	"an id isn't null": {
		rule: "ImageQuery .spec.imageIDs[] minLength", given: byID(), at: "spec.imageIDs[0]", accept: "img-1",
		refuse: nil, says: "must be of type string",
	},
	"an id has at least 5 characters": {
		rule: "ImageQuery .spec.imageIDs[] minLength", given: byID(), accept: "img-1", refuse: "img-",
		says: "should be at least 5 chars long",
	},
	"an id has at most 36 characters": {
		rule: "ImageQuery .spec.imageIDs[] maxLength", given: byID(), accept: "img-" + chars(32),
		refuse: "img-" + chars(33), says: "may not be more than 36 bytes",
	},
	"an id begins with img-": {
		rule: "ImageQuery .spec.imageIDs[] rule", given: byID(), accept: "img-487zeit5", refuse: "ami-487zeit5",
		says: imageIDMessage,
	},
	"an id is in lower case":   {rule: "ImageQuery .spec.imageIDs[] rule", given: byID(), refuse: "img-487ZEIT5", says: imageIDMessage},
	"an id ends where it ends": {rule: "ImageQuery .spec.imageIDs[] rule", given: byID(), refuse: "img-487zeit5\n", says: imageIDMessage},

	"an instance type isn't empty": {
		rule: "ImageQuery .spec.instanceType minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"an instance type has at most 64 characters": {
		rule: "ImageQuery .spec.instanceType maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"an instance type is a name": {
		rule: "ImageQuery .spec.instanceType rule", accept: "SA5.MEDIUM2", refuse: "SA5 MEDIUM2", says: instanceMessage,
	},
	"an instance type goes with ids as well": {
		rule: "ImageQuery .spec.instanceType rule", given: byID(), accept: "S5.2XLARGE16", refuse: ".S5",
		says: instanceMessage,
	},

	"an interval has at most 32 characters": {
		rule: "ImageQuery .spec.interval maxLength", accept: strings.Repeat("1m", 16), refuse: strings.Repeat("1m", 17),
		says: "may not be more than 32 bytes",
	},
	"an interval is a duration of Go's": {
		rule: "ImageQuery .spec.interval pattern", accept: "1h30m", refuse: "12 hours", says: durationMessage,
	},
	"an interval that isn't one is answered with one that is": {
		rule: "ImageQuery .spec.interval rule", accept: "10m", refuse: "12 hours", says: intervalUnits, not: engine,
	},
	"an interval in days is answered with hours": {
		rule: "ImageQuery .spec.interval rule", accept: "24h", refuse: "1d", says: intervalUnits, not: engine,
	},
	"an interval in days isn't said to be too short, too": {
		rule: "ImageQuery .spec.interval rule", accept: "0168h", refuse: "1d", says: intervalUnits,
		not: intervalMessage,
	},
	"an interval isn't in days": {
		rule: "ImageQuery .spec.interval pattern", accept: "24h", refuse: "1d", says: durationMessage,
	},
	"an interval isn't in words":                 {rule: "ImageQuery .spec.interval pattern", refuse: "5 minutes", says: durationMessage},
	"an interval isn't in ISO 8601":              {rule: "ImageQuery .spec.interval pattern", refuse: "PT5M", says: durationMessage},
	"an interval has no blank":                   {rule: "ImageQuery .spec.interval pattern", refuse: "60 s", says: durationMessage},
	"an interval has a unit":                     {rule: "ImageQuery .spec.interval pattern", refuse: "600", says: durationMessage},
	"an interval has no exponent":                {rule: "ImageQuery .spec.interval pattern", refuse: "1e3h", says: durationMessage},
	"an interval has no sign":                    {rule: "ImageQuery .spec.interval pattern", refuse: "-10m", says: durationMessage},
	"an interval isn't empty":                    {rule: "ImageQuery .spec.interval pattern", refuse: "", says: durationMessage},
	"an interval has no digits of other scripts": {rule: "ImageQuery .spec.interval pattern", refuse: "１０m", says: durationMessage},
	"an interval ends where it ends":             {rule: "ImageQuery .spec.interval pattern", refuse: "10m\n", says: durationMessage},
	"an interval isn't a number":                 {rule: "ImageQuery .spec.interval pattern", refuse: 600, says: "must be of type string"},
	"an interval is at least 1m": {
		rule: "ImageQuery .spec.interval rule", accept: "60000ms", refuse: "59.999s", says: intervalMessage,
	},
	"an interval below a millisecond is no interval": {
		rule: "ImageQuery .spec.interval rule", accept: "1m0.5ms", refuse: "0.5ms", says: intervalMessage,
	},
	"an interval is at most 168h": {
		rule: "ImageQuery .spec.interval rule", accept: "168h", refuse: "168h1ms", says: intervalMessage,
	},
	"an interval doesn't overflow": {
		rule: "ImageQuery .spec.interval rule", accept: "604800000ms", refuse: strings.Repeat("9", 31) + "h",
		says: intervalMessage, not: engine,
	},
	"an interval doesn't overflow by its sum": {
		rule: "ImageQuery .spec.interval rule", accept: "0.123456789123m10m", refuse: "2562047h2562047h",
		says: intervalMessage, not: engine,
	},

	"a credentialsRef has a name": {
		rule: "ImageQuery .spec.credentialsRef required name", at: "spec.credentialsRef.name", refuse: absent,
		says: "spec.credentialsRef.name: Required value",
	},
	"a Secret's name isn't empty": {
		rule: "ImageQuery .spec.credentialsRef.name minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"a Secret's name has at most 63 characters": {
		rule: "ImageQuery .spec.credentialsRef.name maxLength", accept: chars(63), refuse: chars(64),
		says: "may not be more than 63 bytes",
	},
	"a Secret's name is a DNS label": {
		rule: "ImageQuery .spec.credentialsRef.name rule", accept: "acct-2", refuse: "kube-system/acct2",
		says: secretMessage,
	},
	"a Secret's name has no dot": {rule: "ImageQuery .spec.credentialsRef.name rule", accept: "2", refuse: "acct.2", says: secretMessage},

	"minImages isn't negative": {
		rule: "ImageQuery .spec.minImages minimum", accept: 0, refuse: -1, says: "should be greater than or equal to 0",
	},
	"minImages is at most 20000": {
		rule: "ImageQuery .spec.minImages maximum", accept: 20000, refuse: 20001,
		says: "should be less than or equal to 20000",
	},
	"minImages fits into 32 bits": {
		rule: "ImageQuery .spec.minImages format", refuse: json.Number("4294967297"),
		says: "minImages: Invalid value",
	},
	"minImages is a whole number": {
		rule: "ImageQuery .spec.minImages format", accept: json.Number("1.0"), refuse: json.Number("1.5"),
		says: "must be of type integer",
	},
	"minImages isn't a text": {
		rule: "ImageQuery .spec.minImages format", accept: json.Number("1e3"), refuse: "1",
		says: "must be of type integer",
	},

	"a name's expression isn't empty": {
		rule: "ImageQuery .spec.match.nameRegex minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"a name's expression has at most 256 characters": {
		rule: "ImageQuery .spec.match.nameRegex maxLength", accept: chars(256), refuse: chars(257),
		says: "may not be more than 256 bytes",
	},
	"a name's expression closes its groups": {
		rule: "ImageQuery .spec.match.nameRegex rule", accept: "^(node|base)-v[0-9.]+$", refuse: "(",
		says: regexMessage,
	},
	"a name's expression doesn't look ahead": {
		rule: "ImageQuery .spec.match.nameRegex rule", accept: `(?i)ubuntu`, refuse: "(?=x)", says: regexMessage,
	},
	"a name's expression repeats at most 1000 times": {
		rule: "ImageQuery .spec.match.nameRegex rule", accept: "a{1000}", refuse: "a{1001}", says: regexMessage,
	},
	"a name's expression doesn't explode": {
		rule: "ImageQuery .spec.match.nameRegex rule", accept: "(a{10}){10}", refuse: "((a{100}){100}){100}",
		says: regexMessage,
	},
	"a name's expression doesn't refer back": {
		rule: "ImageQuery .spec.match.nameRegex rule", accept: `\p{Han}+`, refuse: `(a)\1`, says: regexMessage,
	},
	"a name's expression is one line": {
		rule: "ImageQuery .spec.match.nameRegex rule", accept: `^node-v1\.30\.\d+\n?$`, refuse: "^node-v1\\.30\n",
		says: regexLineMessage,
	},
	"a name's expression isn't two lines": {
		rule: "ImageQuery .spec.match.nameRegex rule", refuse: "node\r\nbase", says: regexLineMessage,
	},
	"given states aren't empty": {
		rule: "ImageQuery .spec.match.states minItems", refuse: []any{}, says: "should have at least 1 items",
	},
	"states are at most 6": {
		rule:   "ImageQuery .spec.match.states maxItems",
		accept: []any{"CREATING", "NORMAL", "CREATEFAILED", "SYNCING", "IMPORTING", "IMPORTFAILED"},
		refuse: []any{"CREATING", "NORMAL", "CREATEFAILED", "SYNCING", "IMPORTING", "IMPORTFAILED", "NORMAL"},
		says:   "must have at most 6 items",
	},
	"a state is one that the cloud knows": {
		rule: "ImageQuery .spec.match.states[] enum", accept: "IMPORTFAILED", refuse: "Normal",
		says: `supported values: "CREATING", "NORMAL", "CREATEFAILED", "SYNCING", "IMPORTING", "IMPORTFAILED"`,
	},
	"given architectures aren't empty": {
		rule: "ImageQuery .spec.match.architectures minItems", refuse: []any{}, says: "should have at least 1 items",
	},
	"architectures are at most 3": {
		rule: "ImageQuery .spec.match.architectures maxItems", accept: []any{"amd64", "arm64", "386"},
		refuse: []any{"amd64", "arm64", "386", "amd64"}, says: "must have at most 3 items",
	},
	"an architecture goes by its Kubernetes name": {
		rule: "ImageQuery .spec.match.architectures[] pattern", accept: "386", refuse: "x86_64",
		says: "should match '^(amd64|arm64|386)$'",
	},
	"an architecture isn't longer than a name": {
		rule: "ImageQuery .spec.match.architectures[] maxLength", accept: "amd64", refuse: chars(33),
		says: "may not be more than 32 bytes",
	},
	"an architecture isn't empty": {rule: "ImageQuery .spec.match.architectures[] rule", refuse: "", says: archMessage},
	"an architecture is answered with its name": {
		rule: "ImageQuery .spec.match.architectures[] rule", accept: "arm64", refuse: "x86_64", says: archMessage,
	},
	"an architecture is a text, in quotes": {
		rule: "ImageQuery .spec.match.architectures[] rule", accept: "386", refuse: 386, says: archMessage,
	},
	"given platforms aren't empty": {
		rule: "ImageQuery .spec.match.platforms minItems", refuse: []any{}, says: "should have at least 1 items",
	},
	"platforms are at most 32": {
		rule: "ImageQuery .spec.match.platforms maxItems", accept: texts(32), refuse: texts(33),
		says: "must have at most 32 items",
	},
	"a platform isn't empty": {
		rule: "ImageQuery .spec.match.platforms[] minLength", accept: "a", refuse: "",
		says: "should be at least 1 chars long",
	},
	"a platform has at most 128 characters": {
		rule: "ImageQuery .spec.match.platforms[] maxLength", accept: wide(128), refuse: wide(129),
		says: "may not be more than 128 bytes",
	},
	"given creators aren't empty": {
		rule: "ImageQuery .spec.match.creators minItems", refuse: []any{}, says: "should have at least 1 items",
	},
	"creators are at most 32": {
		rule: "ImageQuery .spec.match.creators maxItems", accept: uins(32), refuse: uins(33),
		says: "must have at most 32 items",
	},
	"a creator isn't empty": {
		rule: "ImageQuery .spec.match.creators[] minLength", accept: "1", refuse: "",
		says: "should be at least 1 chars long",
	},
	"a creator has at most 64 digits": {
		rule: "ImageQuery .spec.match.creators[] maxLength", accept: strings.Repeat("1", 64),
		refuse: strings.Repeat("1", 65), says: "may not be more than 64 bytes",
	},
	"a creator is a text, in quotes": {
		rule: "ImageQuery .spec.match.creators rule", at: "spec.match.creators[0]", accept: "3205597606",
		refuse: 3205597606, says: creatorsMessage, not: engine,
	},
	"a creator has no blank": {
		rule: "ImageQuery .spec.match.creators rule", accept: []any{"123"}, refuse: []any{"456", " 123"},
		says: creatorsMessage,
	},
	"a creator isn't true": {
		rule: "ImageQuery .spec.match.creators[] pattern", accept: "1", refuse: true,
		says: "must be of type integer,string",
	},
	"a creator isn't a fraction": {
		rule: "ImageQuery .spec.match.creators[] pattern", accept: "1", refuse: json.Number("1.5"),
		says: "must be of type integer,string",
	},
	"a creator isn't a list": {
		rule: "ImageQuery .spec.match.creators[] pattern", accept: "1", refuse: []any{"1"},
		says: "must be of type integer,string",
	},
	"a creator isn't null": {
		rule: "ImageQuery .spec.match.creators[] pattern", accept: "1", refuse: nil,
		says: "must be of type integer,string",
	},
	"a creator is an account's number": {
		rule: "ImageQuery .spec.match.creators[] pattern", accept: "100000750436", refuse: "platform-team",
		says: digitsMessage,
	},
	"a creator ends where its number does": {
		rule: "ImageQuery .spec.match.creators[] pattern", refuse: "100000750436\n", says: digitsMessage,
	},
	"given families aren't empty": {
		rule: "ImageQuery .spec.match.families minItems", refuse: []any{}, says: "should have at least 1 items",
	},
	"families are at most 32": {
		rule: "ImageQuery .spec.match.families maxItems", accept: texts(32), refuse: texts(33),
		says: "must have at most 32 items",
	},
	"a family isn't empty": {
		rule: "ImageQuery .spec.match.families[] minLength", accept: "a", refuse: "",
		says: "should be at least 1 chars long",
	},
	"a family has at most 128 characters": {
		rule: "ImageQuery .spec.match.families[] maxLength", accept: wide(128), refuse: wide(129),
		says: "may not be more than 128 bytes",
	},
	"given excludeImageIDs aren't empty": {
		rule: "ImageQuery .spec.match.excludeImageIDs minItems", refuse: []any{}, says: "should have at least 1 items",
	},
	"excludeImageIDs are at most 100": {
		rule: "ImageQuery .spec.match.excludeImageIDs maxItems", accept: ids(100), refuse: ids(101),
		says: "must have at most 100 items",
	},
	"an excluded id has at least 5 characters": {
		rule: "ImageQuery .spec.match.excludeImageIDs[] minLength", accept: "img-1", refuse: "img-",
		says: "should be at least 5 chars long",
	},
	"an excluded id has at most 36 characters": {
		rule: "ImageQuery .spec.match.excludeImageIDs[] maxLength", accept: "img-" + chars(32),
		refuse: "img-" + chars(33), says: "may not be more than 36 bytes",
	},
	"an excluded id is an id": {
		rule: "ImageQuery .spec.match.excludeImageIDs[] rule", accept: "img-bad00001", refuse: "bad00001",
		says: imageIDMessage,
	},

	"an order is one of three": {
		rule: "ImageQuery .spec.selection.orderBy enum", accept: "Name", refuse: "Semver",
		given: map[string]any{"spec.selection.range": absent},
		says:  `supported values: "CreatedTime", "Name", "SemVer"`,
	},
	"a range is for versions": {
		rule: "ImageQuery .spec.selection rule", at: "spec.selection.orderBy", accept: "SemVer", refuse: "Name",
		says: rangeMessage,
	},
	"a range is not for the default order": {
		rule: "ImageQuery .spec.selection rule", at: "spec.selection",
		accept: map[string]any{"orderBy": "SemVer", "range": "^1.30"}, refuse: map[string]any{"range": "^1.30"},
		says: rangeMessage,
	},
	"a part of the name is for names": {
		rule: "ImageQuery .spec.selection rule", at: "spec.selection.orderBy", accept: "Name", refuse: "CreatedTime",
		given: map[string]any{"spec.selection.range": absent}, says: extractMessage,
	},
	"a part of the name isn't for default order": {
		rule: "ImageQuery .spec.selection rule", at: "spec.selection", accept: map[string]any{},
		refuse: map[string]any{"extract": "(a)"}, says: extractMessage,
	},

	"given pins aren't empty": {
		rule: "ImageQuery .spec.selection.pin minItems", accept: ids(1), refuse: []any{},
		says: "should have at least 1 items",
	},
	"pins are at most 16": {
		rule: "ImageQuery .spec.selection.pin maxItems", accept: ids(16), refuse: ids(17),
		says: "must have at most 16 items",
	},
	"a pin has at least 5 characters": {
		rule: "ImageQuery .spec.selection.pin[] minLength", accept: "img-1", refuse: "img-",
		says: "should be at least 5 chars long",
	},
	"a pin has at most 36 characters": {
		rule: "ImageQuery .spec.selection.pin[] maxLength", accept: "img-" + chars(32), refuse: "img-" + chars(33),
		says: "may not be more than 36 bytes",
	},
	"a pin is an image's id": {
		rule: "ImageQuery .spec.selection.pin[] rule", accept: "img-9qabwvbn", refuse: "node-v1.30.4",
		says: imageIDMessage,
	},
	"given trustedCreators aren't empty": {
		rule: "ImageQuery .spec.selection.trustedCreators minItems", accept: uins(1), refuse: []any{},
		says: "should have at least 1 items",
	},
	"trusted creators are at most 32": {
		rule: "ImageQuery .spec.selection.trustedCreators maxItems", accept: uins(32), refuse: uins(33),
		says: "must have at most 32 items",
	},
	"a trusted creator isn't empty": {
		rule: "ImageQuery .spec.selection.trustedCreators[] minLength", accept: "1", refuse: "",
		says: "should be at least 1 chars long",
	},
	"a trusted creator has at most 64 digits": {
		rule: "ImageQuery .spec.selection.trustedCreators[] maxLength", accept: strings.Repeat("1", 64),
		refuse: strings.Repeat("1", 65), says: "may not be more than 64 bytes",
	},
	"a trusted creator is an account's number": {
		rule: "ImageQuery .spec.selection.trustedCreators[] pattern", accept: "100000750436", refuse: "platform-team",
		says: digitsMessage,
	},
	"a trusted creator is a text, in quotes": {
		rule: "ImageQuery .spec.selection.trustedCreators rule", at: "spec.selection.trustedCreators[0]",
		accept: "3205597606", refuse: 3205597606, says: trustedMessage, not: engine,
	},
	"a trusted creator has no blank": {
		rule: "ImageQuery .spec.selection.trustedCreators rule", accept: uins(32), refuse: []any{" 123"},
		says: trustedMessage,
	},

	"extract isn't empty": {
		rule: "ImageQuery .spec.selection.extract minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"extract has at most 256 characters": {
		rule: "ImageQuery .spec.selection.extract maxLength", accept: "(" + chars(254) + ")",
		refuse: "(" + chars(255) + ")", says: "may not be more than 256 bytes",
	},
	"extract is a regular expression": {
		rule: "ImageQuery .spec.selection.extract rule", accept: `^node-v(\d+(\.\d+){2})$`, refuse: "v(",
		says: extractRegex,
	},
	"extract doesn't look ahead": {
		rule: "ImageQuery .spec.selection.extract rule", accept: `(?i)NODE-(.+)`, refuse: "(a)(?=b)",
		says: extractRegex,
	},
	"extract has a group": {
		rule: "ImageQuery .spec.selection.extract rule", accept: "(.*)", refuse: `v\d+`, says: groupMessage,
	},
	"extract has a group that captures": {
		rule: "ImageQuery .spec.selection.extract rule", accept: "(?:v|ver)(?P<version>.+)", refuse: "(?:v).+",
		says: groupMessage,
	},
	"extract has a group, not a parenthesis": {
		rule: "ImageQuery .spec.selection.extract rule", accept: `\(v(.+)\)`, refuse: `\(v.+\)`, says: groupMessage,
	},
	"extract's group may follow a backslash": {
		rule: "ImageQuery .spec.selection.extract rule", accept: `\\(v.+)`, refuse: `\\\(v.+\)`, says: groupMessage,
	},
	"extract is one line": {
		rule: "ImageQuery .spec.selection.extract rule", accept: `v(.+)\n?`, refuse: "v(.+)\n", says: extractLine,
	},
	"a range isn't empty": {
		rule: "ImageQuery .spec.selection.range minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"a range has at most 128 characters": {
		rule: "ImageQuery .spec.selection.range maxLength", accept: strings.Repeat("1", 128),
		refuse: strings.Repeat("1", 129), says: "may not be more than 128 bytes",
	},
	"a range compares once": {
		rule: "ImageQuery .spec.selection.range rule", accept: ">=1.30.0-0 <2", refuse: ">>1.30", says: versionsMessage,
	},
	"a range has versions": {
		rule: "ImageQuery .spec.selection.range rule", accept: "1.30.x || v2.* || 1.2 - 1.4", refuse: "latest",
		says: versionsMessage,
	},
	"a range has versions on both sides of or": {
		rule: "ImageQuery .spec.selection.range rule", accept: "~1.30||^1.32", refuse: "~1.30 ||",
		says: versionsMessage,
	},
	"a range joins versions by a blank": {
		rule: "ImageQuery .spec.selection.range rule", accept: "> 1.30, != 1.31.2", refuse: ">1.30 && <1.32",
		says: versionsMessage,
	},
	"a given grouping isn't empty": {
		rule: "ImageQuery .spec.selection.groupBy minItems", refuse: []any{}, says: "should have at least 1 items",
	},
	"a grouping has at most 4 facts": {
		rule:   "ImageQuery .spec.selection.groupBy maxItems",
		accept: []any{"Architecture", "Platform", "OSName", "ImageFamily"},
		refuse: []any{"Architecture", "Platform", "OSName", "ImageFamily", "Platform"},
		says:   "must have at most 4 items",
	},
	"a fact to group by is one of four": {
		rule: "ImageQuery .spec.selection.groupBy[] enum", accept: "ImageFamily", refuse: "architecture",
		says: `supported values: "Architecture", "Platform", "OSName", "ImageFamily", "None"`,
	},
	"no grouping is written alone": {
		rule: "ImageQuery .spec.selection.groupBy rule", accept: []any{"None"}, refuse: []any{"None", "Architecture"},
		says: noneMessage,
	},
	"no grouping is written once": {
		rule: "ImageQuery .spec.selection.groupBy rule", accept: []any{"Platform", "OSName"},
		refuse: []any{"None", "None"}, says: noneMessage,
	},
	"at least one image is selected": {
		rule: "ImageQuery .spec.selection.limit minimum", accept: 1, refuse: 0,
		says: "should be greater than or equal to 1",
	},
	"at most 50 images are selected": {
		rule: "ImageQuery .spec.selection.limit maximum", accept: 50, refuse: 51,
		says: "should be less than or equal to 50",
	},
	"a limit is a number": {
		rule: "ImageQuery .spec.selection.limit format", refuse: json.Number("4294967297"),
		says: "limit: Invalid value",
	},
	"not fewer than no image are skipped": {
		rule: "ImageQuery .spec.selection.skip minimum", accept: 0, refuse: -1,
		says: "should be greater than or equal to 0",
	},
	"at most 20 images are skipped": {
		rule: "ImageQuery .spec.selection.skip maximum", accept: 20, refuse: 21,
		says: "should be less than or equal to 20",
	},
	"skip is a number": {rule: "ImageQuery .spec.selection.skip format", refuse: "1", says: "must be of type integer"},
	"minAge has at most 32 characters": {
		rule: "ImageQuery .spec.selection.minAge maxLength", accept: strings.Repeat("1m", 16),
		refuse: strings.Repeat("1m", 17), says: "may not be more than 32 bytes",
	},
	"minAge is none, or long enough to be written in milliseconds": {
		rule: "ImageQuery .spec.selection.minAge rule", accept: "1ms", refuse: "0.5ms", says: minAgeMessage, not: engine,
	},
	"minAge isn't in days": {
		rule: "ImageQuery .spec.selection.minAge pattern", accept: "72h", refuse: "3d", says: durationMessage,
	},
	"minAge in days is answered with hours": {
		rule: "ImageQuery .spec.selection.minAge rule", accept: "0s", refuse: "3d", says: minAgeUnits, not: engine,
	},
	"minAge is at most a year": {
		rule: "ImageQuery .spec.selection.minAge rule", accept: "8760h", refuse: "8760h1ms", says: minAgeMessage,
	},
	"minAge doesn't overflow": {
		rule: "ImageQuery .spec.selection.minAge rule", accept: "31536000000ms", refuse: "2562047h2562047h",
		says: minAgeMessage, not: engine,
	},
	"a grace period has at most 32 characters": {
		rule: "ImageQuery .spec.removal.gracePeriod maxLength", accept: strings.Repeat("1m", 16),
		refuse: strings.Repeat("1m", 17), says: "may not be more than 32 bytes",
	},
	"a grace period isn't negative": {
		rule: "ImageQuery .spec.removal.gracePeriod pattern", accept: "0s", refuse: "-1h", says: durationMessage,
	},
	"a grace period is in units that Go has": {
		rule: "ImageQuery .spec.removal.gracePeriod rule", accept: "1h30m", refuse: "1w", says: graceUnits, not: engine,
	},
	"a grace period is none, or long enough to be written in milliseconds": {
		rule: "ImageQuery .spec.removal.gracePeriod rule", accept: "1ms", refuse: "0.5ms", says: graceMessage, not: engine,
	},
	"a grace period is at most a year": {
		rule: "ImageQuery .spec.removal.gracePeriod rule", accept: "8760h", refuse: "8760h0.5s", says: graceMessage,
		not: engine,
	},
	"a share isn't negative": {
		rule: "ImageQuery .spec.removal.maxRemovedPercent minimum", accept: 0, refuse: -1,
		says: "should be greater than or equal to 0",
	},
	"a share is at most all": {
		rule: "ImageQuery .spec.removal.maxRemovedPercent maximum", accept: 100, refuse: 101,
		says: "should be less than or equal to 100",
	},
	"a share is a number": {rule: "ImageQuery .spec.removal.maxRemovedPercent format", refuse: "50%", says: "must be of type integer"},

	"a policy is one of three": {
		rule: "ImageQuery .spec.cloudImages.policy enum", given: map[string]any{"spec.cloudImages.maxImages": absent},
		accept: "None", refuse: "all", says: `supported values: "All", "Selected", "None"`,
	},
	"maxImages is at least 1": {
		rule: "ImageQuery .spec.cloudImages.maxImages minimum", accept: 1, refuse: 0,
		says: "should be greater than or equal to 1",
	},
	"the objects of a query are at most 20000": {
		rule: "ImageQuery .spec.cloudImages.maxImages maximum", accept: 20000, refuse: 20001,
		says: "should be less than or equal to 20000",
	},
	"maxImages is a number": {
		rule: "ImageQuery .spec.cloudImages.maxImages format", refuse: json.Number("1.5"),
		says: "must be of type integer",
	},
	"maxImages is smaller for selected images": {
		rule: "ImageQuery .spec.cloudImages rule", at: "spec.cloudImages",
		accept: map[string]any{"policy": "Selected", "maxImages": 500},
		refuse: map[string]any{"policy": "Selected", "maxImages": 501}, says: maxImagesMessage,
	},
	"maxImages is smaller without objects": {
		rule: "ImageQuery .spec.cloudImages rule", at: "spec.cloudImages", accept: map[string]any{"policy": "None"},
		refuse: map[string]any{"policy": "None", "maxImages": 1000}, says: maxImagesMessage,
	},
	"a policy may follow the one of the default": {
		rule: "ImageQuery .spec.cloudImages rule", at: "spec.cloudImages", how: update,
		accept: map[string]any{"policy": "Selected", "maxImages": 1000},
		refuse: map[string]any{"policy": "Selected", "maxImages": 1001}, says: maxImagesMessage,
	},

	"given labels aren't empty": {
		rule: "ImageQuery .spec.cloudImages.labels minProperties", refuse: map[string]any{},
		says: "should have at least 1 properties",
	},
	"labels are at most 16": {
		rule: "ImageQuery .spec.cloudImages.labels maxProperties", accept: labels(16), refuse: labels(17),
		says: "must have at most 16 items",
	},
	"a label's key isn't empty": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("t"), refuse: label(""), says: keyMessage,
	},
	"a label's key has no blank": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("a.b_c-D"), refuse: label("my team"),
		says: keyMessage,
	},
	"a label's key ends with a letter or digit": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("9"), refuse: label("team-"), says: keyMessage,
	},
	"a label's key has at most 63 characters": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label(chars(63)), refuse: label(chars(64)),
		says: keyMessage,
	},
	"a label's prefix has at most 253 characters": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label(chars(253) + "/" + chars(63)),
		refuse: label(chars(254) + "/team"), says: keyMessage,
	},
	"a label's prefix is a DNS name": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("a-b.example.com/team"),
		refuse: label("Example.com/team"), says: keyMessage,
	},
	"a label's prefix isn't empty": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("example/team"), refuse: label("/team"),
		says: keyMessage,
	},
	"a label has one prefix": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("example.com/a.b"),
		refuse: label("example.com/a/b"), says: keyMessage,
	},
	"a label isn't the operator's": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("imagecatalog.dev"),
		refuse: label("imagecatalog.dev/state"), says: reservedMessage,
	},
	"a label isn't a query's": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("query.imagecatalog.example.com/a"),
		refuse: label("query.imagecatalog.dev/a"), says: reservedMessage,
	},
	"a label isn't a tag's": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("tag.example.com/role"),
		refuse: label("tag.imagecatalog.dev/role"), says: reservedMessage,
	},
	"a label isn't Kubernetes'": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("notkubernetes.io/arch"),
		refuse: label("kubernetes.io/arch"), says: reservedMessage,
	},
	"a label isn't of Kubernetes' subdomain": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("kubernetes.io.example.com/x"),
		refuse: label("app.kubernetes.io/name"), says: reservedMessage,
	},
	"a label isn't of k8s.io": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("notk8s.io/name"),
		refuse: label("scheduling.k8s.io/x"), says: reservedMessage,
	},
	"a label isn't of x-k8s.io": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("max-k8s.io/name"),
		refuse: label("x-k8s.io/name"), says: reservedMessage,
	},
	"a label isn't Cluster API's": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("x-k8s.io.example.com/x"),
		refuse: label("cluster.x-k8s.io/cluster-name"), says: reservedMessage,
	},
	"a label isn't Velero's": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("myvelero.io/x"),
		refuse: label("velero.io/exclude-from-backup"), says: reservedMessage,
	},
	"a label isn't of Velero's subdomain": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("velero.io.example.com/x"),
		refuse: label("restore.velero.io/x"), says: reservedMessage,
	},
	"a label isn't Argo's": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("myargoproj.io/x"),
		refuse: label("argocd.argoproj.io/instance"), says: reservedMessage,
	},
	"a label isn't Flux's": {
		rule: "ImageQuery .spec.cloudImages.labels rule", accept: label("fluxcd.example.com/x"),
		refuse: label("kustomize.toolkit.fluxcd.io/name"), says: reservedMessage,
	},
	"a label's value isn't empty": {
		rule: "ImageQuery .spec.cloudImages.labels{} minLength", at: "spec.cloudImages.labels.team", refuse: "",
		says: "should be at least 1 chars long",
	},
	"a label's value has at most 63 characters": {
		rule: "ImageQuery .spec.cloudImages.labels{} maxLength", at: "spec.cloudImages.labels.team", accept: chars(63),
		refuse: chars(64), says: "may not be more than 63 bytes",
	},
	"a label's value has no blank": {
		rule: "ImageQuery .spec.cloudImages.labels{} rule", at: "spec.cloudImages.labels.team", accept: "a.b_c-D",
		refuse: "infra team", says: valueMessage,
	},
	"a label's value ends with a letter or digit": {
		rule: "ImageQuery .spec.cloudImages.labels{} rule", at: "spec.cloudImages.labels.team", accept: "9",
		refuse: "infra.", says: valueMessage,
	},
	"a label's value is a text": {
		rule: "ImageQuery .spec.cloudImages.labels{} minLength", at: "spec.cloudImages.labels.team", accept: "true",
		refuse: true, says: "must be of type string",
	},
	"given labelTagKeys aren't empty": {
		rule: "ImageQuery .spec.cloudImages.labelTagKeys minItems", refuse: []any{},
		says: "should have at least 1 items",
	},
	"labelTagKeys are at most 16": {
		rule: "ImageQuery .spec.cloudImages.labelTagKeys maxItems", accept: texts(16), refuse: texts(17),
		says: "must have at most 16 items",
	},
	"a tag's key isn't empty": {
		rule: "ImageQuery .spec.cloudImages.labelTagKeys[] minLength", accept: "r", refuse: "",
		says: "should be at least 1 chars long",
	},
	"a tag's key for a label has at most 127 chars": {
		rule: "ImageQuery .spec.cloudImages.labelTagKeys[] maxLength", accept: chars(63), refuse: wide(128),
		says: "may not be more than 127 bytes",
	},
	"a tag's key for a label is a label's name": {
		rule: "ImageQuery .spec.cloudImages.labelTagKeys rule", accept: []any{"Role.a-b_c", "9"},
		refuse: []any{"role", "角色"}, says: tagKeyMessage,
	},
	"a tag's key for a label has no prefix": {
		rule: "ImageQuery .spec.cloudImages.labelTagKeys rule", accept: texts(16), refuse: []any{"tke/role"},
		says: tagKeyMessage,
	},
	"a tag's key for a label has at most 63 chars": {
		rule: "ImageQuery .spec.cloudImages.labelTagKeys rule", accept: []any{chars(63)}, refuse: []any{chars(64)},
		says: tagKeyMessage,
	},
}

var statusRules = map[string]tc{
	"conditions are at most 8": {
		rule:   "ImageQuery .status.conditions maxItems",
		accept: many(8, func(i int) any { return condition(map[string]any{"type": fmt.Sprintf("C%d", i)}) }),
		refuse: many(9, func(i int) any { return condition(map[string]any{"type": fmt.Sprintf("C%d", i)}) }),
		says:   "must have at most 8 items",
	},
	"a condition's type is there once": {
		rule:   "ImageQuery .status.conditions list-type map",
		accept: []any{condition(nil), condition(map[string]any{"type": "Stalled"})},
		refuse: []any{condition(nil), condition(nil)}, says: `Duplicate value: {"type":"Ready"}`,
	},
	"a condition has a lastTransitionTime": {
		rule: "ImageQuery .status.conditions[] required lastTransitionTime",
		at:   "status.conditions[0].lastTransitionTime", refuse: absent, says: "Required value",
	},
	"a condition has a message": {
		rule: "ImageQuery .status.conditions[] required message", at: "status.conditions[0].message", refuse: absent,
		says: "Required value",
	},
	"a condition has a reason": {
		rule: "ImageQuery .status.conditions[] required reason", at: "status.conditions[0].reason", refuse: absent,
		says: "Required value",
	},
	"a condition has a status": {
		rule: "ImageQuery .status.conditions[] required status", at: "status.conditions[0].status", refuse: absent,
		says: "Required value",
	},
	"a condition has a type": {
		rule: "ImageQuery .status.conditions[] required type", at: "status.conditions[0].type", refuse: absent,
		says: "Required value",
	},
	"a condition's message is bounded": {
		rule: "ImageQuery .status.conditions[].message maxLength", accept: chars(32768), refuse: chars(32769),
		says: "may not be more than 32768 bytes",
	},
	"a condition's generation isn't negative": {
		rule: "ImageQuery .status.conditions[].observedGeneration minimum", accept: 0, refuse: -1,
		says: "should be greater than or equal to 0",
	},
	"a condition's generation is a number": {
		rule: "ImageQuery .status.conditions[].observedGeneration format", accept: json.Number("9223372036854775807"),
		refuse: json.Number("9223372036854775808"), says: "observedGeneration: Invalid value",
	},
	"a condition's reason isn't empty": {
		rule: "ImageQuery .status.conditions[].reason minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"a condition's reason is bounded": {
		rule: "ImageQuery .status.conditions[].reason maxLength", accept: chars(1024), refuse: chars(1025),
		says: "may not be more than 1024 bytes",
	},
	"a condition's reason is one word": {
		rule: "ImageQuery .status.conditions[].reason pattern", accept: "Synced", refuse: "Not synced",
		says: "should match",
	},
	"a condition's status is one of three": {
		rule: "ImageQuery .status.conditions[].status enum", accept: "Unknown", refuse: "true",
		says: `supported values: "True", "False", "Unknown"`,
	},
	"a condition's type is bounded": {
		rule: "ImageQuery .status.conditions[].type maxLength", accept: chars(316), refuse: chars(317),
		says: "may not be more than 316 bytes",
	},
	"a condition's type is one word": {
		rule: "ImageQuery .status.conditions[].type pattern", accept: "Ready", refuse: "Not Ready",
		says: "should match",
	},

	"a condition's time is a time": {
		rule: "ImageQuery .status.conditions[].lastTransitionTime format", accept: "2024-02-29T23:59:59Z",
		refuse: "yesterday", says: "must be of type date-time",
	},
	"a condition's time has no month 13": {
		rule: "ImageQuery .status.conditions[].lastTransitionTime format", accept: "2024-12-31T00:00:00Z",
		refuse: "2024-13-01T00:00:00Z", says: "must be of type date-time",
	},
	"a condition's time has no 30 February": {
		rule: "ImageQuery .status.conditions[].lastTransitionTime format", refuse: "2024-02-30T00:00:00Z",
		says: "must be of type date-time",
	},
	"a condition's time has a zone": {
		rule: "ImageQuery .status.conditions[].lastTransitionTime format", accept: "2024-01-01T00:00:00+08:00",
		refuse: "2024-01-01T00:00:00", says: "must be of type date-time",
	},
	"a condition's time has a date's T in upper case": {
		rule: "ImageQuery .status.conditions rule", at: "status.conditions[0].lastTransitionTime",
		accept: "2024-01-01T00:00:00Z", refuse: "2024-01-01t00:00:00Z", says: conditionMessage,
	},
	"a condition's time has a zone's Z in upper case": {
		rule: "ImageQuery .status.conditions rule", at: "status.conditions[0].lastTransitionTime",
		accept: "2024-01-01T00:00:00.123456789Z", refuse: "2024-01-01T00:00:00z", says: conditionMessage,
	},
	"a condition's time ends where it ends": {
		rule: "ImageQuery .status.conditions rule", at: "status.conditions[0].lastTransitionTime",
		refuse: "2024-01-01T00:00:00ZT", says: conditionMessage,
	},
	"a condition's time has no leap second": {
		rule: "ImageQuery .status.conditions[].lastTransitionTime format", refuse: "2016-12-31T23:59:60Z",
		says: "must be of type date-time",
	},
	"a condition's time is at most 23:59 away from UTC": {
		rule: "ImageQuery .status.conditions rule", at: "status.conditions[0].lastTransitionTime",
		accept: "2024-01-01T00:00:00-23:59", refuse: "2024-01-01T00:00:00+25:00", says: conditionMessage,
	},
	"a condition's time isn't Go's zero time": {
		rule: "ImageQuery .status.conditions rule", at: "status.conditions[0].lastTransitionTime",
		accept: "1000-01-01T00:00:00Z", refuse: "0001-01-01T00:00:00Z", says: conditionMessage,
	},
	"a condition's time isn't in the year 0": {
		rule: "ImageQuery .status.conditions rule", at: "status.conditions[0].lastTransitionTime",
		refuse: "0000-01-01T00:00:00Z", says: conditionMessage,
	},
	"a condition's time isn't past the year 9999 in UTC": {
		rule: "ImageQuery .status.conditions rule", at: "status.conditions[0].lastTransitionTime",
		accept: "9999-12-31T23:59:59Z", refuse: "9999-12-31T23:59:59-01:00", says: conditionMessage,
	},

	"observedGeneration is a number of 64 bits": {
		rule: "ImageQuery .status.observedGeneration format", accept: json.Number("9223372036854775807"),
		refuse: json.Number("1e20"), says: "observedGeneration: Invalid value",
	},
	"syncedGeneration is a number of 64 bits": {
		rule: "ImageQuery .status.syncedGeneration format", accept: json.Number("9223372036854775807"),
		refuse: json.Number("9223372036854775808"), says: "syncedGeneration: Invalid value",
	},
	"listedCount is a number of 32 bits": {
		rule: "ImageQuery .status.listedCount format", accept: json.Number("2147483647"),
		refuse: json.Number("2147483648"), says: "listedCount: Invalid value",
	},
	"listedCount isn't negative": {
		rule: "ImageQuery .status.listedCount minimum", accept: 0, refuse: -1, says: "should be greater than or equal to 0",
	},
	// Kubernetes 1.31 doesn't check the format, and what doesn't fit can't be decoded.
	"listedCount fits into 32 bits everywhere": {
		rule: "ImageQuery .status.listedCount maximum", refuse: json.Number("2147483648"), says: "listedCount: Invalid value",
	},
	"imageCount is a number of 32 bits": {
		rule: "ImageQuery .status.imageCount format", accept: json.Number("2147483647"),
		refuse: json.Number("2147483648"), says: "imageCount: Invalid value",
	},
	"imageCount isn't negative": {
		rule: "ImageQuery .status.imageCount minimum", accept: 0, refuse: -1, says: "should be greater than or equal to 0",
	},
	"imageCount fits into 32 bits everywhere": {
		rule: "ImageQuery .status.imageCount maximum", refuse: json.Number("2147483648"), says: "imageCount: Invalid value",
	},
	"observedQuery has at most 64 characters": {
		rule: "ImageQuery .status.observedQuery maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"revision has at most 64 characters": {
		rule: "ImageQuery .status.revision maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"the echo of a request has at most 256 characters": {
		rule: "ImageQuery .status.lastHandledReconcileAt maxLength", accept: wide(256), refuse: wide(257),
		says: "may not be more than 256 bytes",
	},
	"lastSyncTime is a time": {
		rule: "ImageQuery .status.lastSyncTime format", accept: "2024-02-29T23:59:59Z", refuse: "2023-02-29T23:59:59Z",
		says: "must be of type date-time",
	},
	"lastSyncTime is in upper case": {rule: "ImageQuery .status.lastSyncTime pattern", refuse: "2024-01-01t00:00:00z", says: timeMessage},
	"lastChangeTime is a time": {
		rule: "ImageQuery .status.lastChangeTime format", accept: "2024-12-31T00:00:00Z",
		refuse: "2024-13-01T00:00:00Z", says: "must be of type date-time",
	},
	"lastChangeTime is in upper case": {rule: "ImageQuery .status.lastChangeTime pattern", refuse: "2024-01-01t00:00:00z", says: timeMessage},

	"images are at most 2000": {
		rule:   "ImageQuery .status.images maxItems",
		accept: many(2000, func(int) any { return map[string]any{"imageID": "img-1"} }),
		refuse: many(2001, func(int) any { return map[string]any{"imageID": "img-1"} }),
		says:   "must have at most 2000 items",
	},
	"a member has an id": {
		rule: "ImageQuery .status.images[] required imageID", at: "status.images[0].imageID", refuse: absent,
		says: "Required value",
	},
	"a member's id isn't empty": {
		rule: "ImageQuery .status.images[].imageID minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"a member's id has at most 36 characters": {
		rule: "ImageQuery .status.images[].imageID maxLength", accept: chars(36), refuse: chars(37),
		says: "may not be more than 36 bytes",
	},
	"a member's name has at most 255 characters": {
		rule: "ImageQuery .status.images[].name maxLength", accept: wide(255), refuse: wide(256),
		says: "may not be more than 255 bytes",
	},
	"a member's architecture is bounded": {
		rule: "ImageQuery .status.images[].architecture maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"a member's type is bounded": {
		rule: "ImageQuery .status.images[].type maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"a member's creator is bounded": {
		rule: "ImageQuery .status.images[].creator maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"a member's creation is a time": {
		rule: "ImageQuery .status.images[].createdTime format", accept: "1970-01-01T00:00:00Z",
		refuse: "2024-00-01T00:00:00Z", says: "must be of type date-time",
	},
	"a member's creation is in upper case": {
		rule: "ImageQuery .status.images[].createdTime pattern", refuse: "2024-01-01t00:00:00z", says: timeMessage,
	},

	"a member's verdict is one of eleven": {
		rule: "ImageQuery .status.images[].selection enum", accept: "NoCreationTime", refuse: "Newest",
		says: `supported values: "Missing", "Selected", "HeldBack", "UntrustedCreator", "NotNormal", "NoVersion", "OutOfRange", "NoCreationTime", "TooYoung", "Skipped", "NotNewest"`,
	},
	"selected are at most 2000": {
		rule:   "ImageQuery .status.selected maxItems",
		accept: many(2000, func(int) any { return map[string]any{"imageID": "img-1"} }),
		refuse: many(2001, func(int) any { return map[string]any{"imageID": "img-1"} }),
		says:   "must have at most 2000 items",
	},
	"a selected image has an id": {
		rule: "ImageQuery .status.selected[] required imageID", at: "status.selected[0].imageID", refuse: absent,
		says: "Required value",
	},
	"a selected image's id isn't empty": {
		rule: "ImageQuery .status.selected[].imageID minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"a selected image's id has at most 36 characters": {
		rule: "ImageQuery .status.selected[].imageID maxLength", accept: chars(36), refuse: chars(37),
		says: "may not be more than 36 bytes",
	},
	"a selected image's name is bounded": {
		rule: "ImageQuery .status.selected[].name maxLength", accept: wide(255), refuse: wide(256),
		says: "may not be more than 255 bytes",
	},
	"a selected image's architecture is bounded": {
		rule: "ImageQuery .status.selected[].architecture maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"a selected image's type is bounded": {
		rule: "ImageQuery .status.selected[].type maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"a selected image's creator is bounded": {
		rule: "ImageQuery .status.selected[].creator maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"the summary of selected has at most 300 letters": {
		rule: "ImageQuery .status.selectedSummary maxLength", accept: wide(300), refuse: wide(301),
		says: "may not be more than 300 bytes",
	},
	"the history has at most 5 records": {
		rule: "ImageQuery .status.selectedHistory maxItems", accept: many(5, record), refuse: many(6, record),
		says: "must have at most 5 items",
	},
	"a record's image has an id": {
		rule: "ImageQuery .status.selectedHistory[].images[] required imageID",
		at:   "status.selectedHistory[0].images[0].imageID", refuse: absent, says: "imageID: Required value",
	},
	"a record has a reason": {
		rule: "ImageQuery .status.selectedHistory[] required reason", at: "status.selectedHistory[0].reason",
		refuse: absent, says: "reason: Required value",
	},
	"a record has a time": {
		rule: "ImageQuery .status.selectedHistory[] required selectedTime",
		at:   "status.selectedHistory[0].selectedTime", refuse: absent, says: "selectedTime: Required value",
	},
	"a record has at least one image": {
		rule: "ImageQuery .status.selectedHistory[].images minItems", accept: images(1), refuse: []any{},
		says: "should have at least 1 items",
	},
	"a record has at most 50 images": {
		rule: "ImageQuery .status.selectedHistory[].images maxItems", accept: images(50), refuse: images(51),
		says: "must have at most 50 items",
	},
	"a record's id isn't empty": {
		rule: "ImageQuery .status.selectedHistory[].images[].imageID minLength", refuse: "",
		says: "should be at least 1 chars long",
	},
	"a record's id has at most 36 characters": {
		rule: "ImageQuery .status.selectedHistory[].images[].imageID maxLength", accept: chars(36), refuse: chars(37),
		says: "may not be more than 36 bytes",
	},
	"a record's name has at most 255 characters": {
		rule: "ImageQuery .status.selectedHistory[].images[].name maxLength", accept: wide(255), refuse: wide(256),
		says: "may not be more than 255 bytes",
	},
	"a record's architecture is bounded": {
		rule: "ImageQuery .status.selectedHistory[].images[].architecture maxLength", accept: chars(64),
		refuse: chars(65), says: "may not be more than 64 bytes",
	},
	"a record's reason is one of nine": {
		rule: "ImageQuery .status.selectedHistory[].reason enum", accept: "Pinned", refuse: "Newer",
		says: `supported values: "First", "NewImage", "Gone", "NotMatched", "NotNormal", "Deprecated", "SpecChanged", "Aged", "Pinned"`,
	},
	"pendingRemoval are at most 100": {
		rule: "ImageQuery .status.pendingRemoval maxItems", accept: many(100, pending), refuse: many(101, pending),
		says: "must have at most 100 items",
	},
	"an image that would leave has an id": {
		rule: "ImageQuery .status.pendingRemoval[] required imageID", at: "status.pendingRemoval[0].imageID",
		refuse: absent, says: "imageID: Required value",
	},
	"an image that would leave has a reason": {
		rule: "ImageQuery .status.pendingRemoval[] required reason", at: "status.pendingRemoval[0].reason",
		refuse: absent, says: "reason: Required value",
	},
	"the id of one that would leave isn't empty": {
		rule: "ImageQuery .status.pendingRemoval[].imageID minLength", refuse: "",
		says: "should be at least 1 chars long",
	},
	"the id of one that would leave is bounded": {
		rule: "ImageQuery .status.pendingRemoval[].imageID maxLength", accept: chars(36), refuse: chars(37),
		says: "may not be more than 36 bytes",
	},
	"the name of one that would leave is bounded": {
		rule: "ImageQuery .status.pendingRemoval[].name maxLength", accept: wide(255), refuse: wide(256),
		says: "may not be more than 255 bytes",
	},
	"an image would leave for one of two reasons": {
		rule: "ImageQuery .status.pendingRemoval[].reason enum", accept: "NotMatched", refuse: "Blocked",
		says: `supported values: "NotMatched", "Gone"`,
	},
	"removing are at most 100": {
		rule: "ImageQuery .status.removing maxItems", accept: many(100, removing), refuse: many(101, removing),
		says: "must have at most 100 items",
	},
	"an image that is removed has an id": {
		rule: "ImageQuery .status.removing[] required imageID", at: "status.removing[0].imageID", refuse: absent,
		says: "imageID: Required value",
	},
	"an image that is removed has a reason": {
		rule: "ImageQuery .status.removing[] required reason", at: "status.removing[0].reason", refuse: absent,
		says: "reason: Required value",
	},
	"an image that is removed has left at a time": {
		rule: "ImageQuery .status.removing[] required since", at: "status.removing[0].since", refuse: absent,
		says: "since: Required value",
	},
	"an image that is removed has an end": {
		rule: "ImageQuery .status.removing[] required deleteAfter", at: "status.removing[0].deleteAfter",
		refuse: absent, says: "deleteAfter: Required value",
	},
	"a removed image's id isn't empty": {
		rule: "ImageQuery .status.removing[].imageID minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"a removed image's id has at most 36 characters": {
		rule: "ImageQuery .status.removing[].imageID maxLength", accept: chars(36), refuse: chars(37),
		says: "may not be more than 36 bytes",
	},
	"an image is removed for one of two reasons": {
		rule: "ImageQuery .status.removing[].reason enum", accept: "NotMatched", refuse: "Deleted",
		says: `supported values: "NotMatched", "Gone"`,
	},

	// The API server checks no type where a format is: a list passes for a date-time,
	// empty or not. No typed client decodes that, so CEL compares every time.
	"a condition's time isn't an empty list": {
		rule: "ImageQuery .status.conditions rule", at: "status.conditions[0].lastTransitionTime", refuse: []any{},
		says: conditionMessage,
	},
	"a condition's time isn't a list of times": {
		rule: "ImageQuery .status.conditions rule", at: "status.conditions[0].lastTransitionTime",
		refuse: []any{"2024-01-01T00:00:00Z"}, says: conditionMessage,
	},
	"lastSyncTime isn't a list": {
		rule: "ImageQuery .status.lastSyncTime rule", accept: "2024-01-01T00:00:00Z", refuse: []any{},
		says: "lastSyncTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z",
	},
	"lastChangeTime isn't a list": {
		rule: "ImageQuery .status.lastChangeTime rule", accept: "1000-01-01T00:00:00Z", refuse: []any{},
		says: "lastChangeTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z",
	},
	"a member's creation isn't a list": {
		rule: "ImageQuery .status.images[].createdTime rule", accept: "2024-01-01T00:00:00Z", refuse: []any{},
		says: "createdTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z",
	},
	"lastSyncTime is answered with one": {
		rule: "ImageQuery .status.lastSyncTime rule", refuse: "2024-01-01T00:00:00z",
		says: "lastSyncTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z",
	},
}

var imageRules = map[string]tc{
	"a CloudImage has an image": {
		rule: "CloudImage . required image", at: "image",
		given: map[string]any{"metadata": map[string]any{"name": "acct2.ap-guangzhou-img-9qabwvbn"}}, refuse: absent,
		says: "image: Required value",
	},
	"a CloudImage has a lifecycle": {
		rule: "CloudImage . required lifecycle", at: "lifecycle", refuse: absent, says: "lifecycle: Required value",
	},
	"a CloudImage's name is its identity": {
		rule: "CloudImage . rule", at: "metadata", accept: map[string]any{"name": "acct2.ap-guangzhou-img-9qabwvbn"},
		refuse: map[string]any{"name": "ap-guangzhou-img-9qabwvbn"}, says: nameMessage,
	},
	"a CloudImage of the default credentials has no prefix": {
		rule: "CloudImage . rule", at: "metadata", given: map[string]any{"image.credentials": absent},
		accept: map[string]any{"name": "ap-guangzhou-img-9qabwvbn"},
		refuse: map[string]any{"name": "acct2.ap-guangzhou-img-9qabwvbn"}, says: nameMessage,
	},
	"a CloudImage's name has nothing more": {
		rule: "CloudImage . rule", at: "metadata", refuse: map[string]any{"name": "acct2.ap-guangzhou-img-9qabwvbn0"},
		says: nameMessage,
	},

	"image.id never changes": {
		rule: "CloudImage .image rule", at: "image.id", how: update, refuse: "img-00000000", says: identityMessage,
	},
	"image.region never changes": {
		rule: "CloudImage .image rule", at: "image.region", how: update, refuse: "ap-shanghai", says: identityMessage,
	},
	"image.credentials never changes": {
		rule: "CloudImage .image rule", at: "image.credentials", how: update, refuse: "acct3", says: identityMessage,
	},
	"image.credentials never goes": {
		rule: "CloudImage .image rule", at: "image.credentials", how: update, refuse: absent, says: identityMessage,
	},
	"image.id is required": {
		rule: "CloudImage .image required id", at: "image.id", refuse: absent, says: "image.id: Required value",
	},
	"image.region is required": {
		rule: "CloudImage .image required region", at: "image.region", refuse: absent,
		says: "image.region: Required value",
	},
	"image.sizeGiB is required": {
		rule: "CloudImage .image required sizeGiB", at: "image.sizeGiB", refuse: absent,
		says: "image.sizeGiB: Required value",
	},
	"image.cloudInit is required": {
		rule: "CloudImage .image required cloudInit", at: "image.cloudInit", refuse: absent,
		says: "image.cloudInit: Required value",
	},
	"image.deprecated is required": {
		rule: "CloudImage .image required deprecated", at: "image.deprecated", refuse: absent,
		says: "image.deprecated: Required value",
	},
	"image.id has at least 5 characters": {
		rule: "CloudImage .image.id minLength", refuse: "img-", says: "should be at least 5 chars long",
	},
	"image.id has at most 36 characters": {
		rule: "CloudImage .image.id maxLength", accept: "img-" + chars(32), refuse: "img-" + chars(33),
		says: "may not be more than 36 bytes",
	},
	"image.id is an id": {
		rule: "CloudImage .image.id rule", accept: "img-487zeit5", refuse: "img-487.zeit5", says: observedIDMessage,
	},
	"image.region isn't empty": {
		rule: "CloudImage .image.region minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"image.region has at most 32 characters": {
		rule: "CloudImage .image.region maxLength", accept: "ap-" + chars(29), refuse: "ap-" + chars(30),
		says: "may not be more than 32 bytes",
	},
	"image.region is an id": {
		rule: "CloudImage .image.region rule", accept: "na-siliconvalley", refuse: "guangzhou", says: observedRegion,
	},
	"image.credentials isn't empty": {
		rule: "CloudImage .image.credentials minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"image.credentials has at most 63 characters": {
		rule: "CloudImage .image.credentials maxLength", accept: chars(63), refuse: chars(64),
		says: "may not be more than 63 bytes",
	},
	"image.credentials is a DNS label": {rule: "CloudImage .image.credentials rule", accept: "acct-3", refuse: "acct.3", says: observedSecret},

	"image.name has at most 255 characters": {
		rule: "CloudImage .image.name maxLength", accept: wide(255), refuse: wide(256),
		says: "may not be more than 255 bytes",
	},
	"image.description has at most 512 characters": {
		rule: "CloudImage .image.description maxLength", accept: wide(512), refuse: wide(513),
		says: "may not be more than 512 bytes",
	},
	"image.type is bounded, not enumerated": {
		rule: "CloudImage .image.type maxLength", accept: "MARKET_IMAGE" + chars(52), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"image.source is bounded, not enumerated": {
		rule: "CloudImage .image.source maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"image.creator is bounded": {
		rule: "CloudImage .image.creator maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"image.state is bounded, not enumerated": {
		rule: "CloudImage .image.state maxLength", accept: "EXPORTING" + chars(55), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"image.osName has at most 255 characters": {
		rule: "CloudImage .image.osName maxLength", accept: wide(255), refuse: wide(256),
		says: "may not be more than 255 bytes",
	},
	"image.platform has at most 128 characters": {
		rule: "CloudImage .image.platform maxLength", accept: wide(128), refuse: wide(129),
		says: "may not be more than 128 bytes",
	},
	"image.architecture is bounded, not enumerated": {
		rule: "CloudImage .image.architecture maxLength", accept: "riscv64" + chars(57), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"image.licenseType is bounded, not enumerated": {
		rule: "CloudImage .image.licenseType maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"image.family has at most 128 characters": {
		rule: "CloudImage .image.family maxLength", accept: wide(128), refuse: wide(129),
		says: "may not be more than 128 bytes",
	},
	"image.sizeGiB is a number of 64 bits": {
		rule: "CloudImage .image.sizeGiB format", accept: json.Number("9223372036854775807"),
		refuse: json.Number("9223372036854775808"), says: "sizeGiB: Invalid value",
	},

	"tags are at most 64": {
		rule: "CloudImage .image.tags maxItems", accept: many(64, func(int) any { return map[string]any{"key": "k"} }),
		refuse: many(65, func(int) any { return map[string]any{"key": "k"} }), says: "must have at most 64 items",
	},
	"a tag's stored key has at most 255 characters": {
		rule: "CloudImage .image.tags[].key maxLength", accept: wide(255), refuse: wide(256),
		says: "may not be more than 255 bytes",
	},
	"a tag has a key": {
		rule: "CloudImage .image.tags[] required key", at: "image.tags[0].key", accept: "", refuse: absent,
		says: "image.tags[0].key: Required value",
	},
	"a tag's value has at most 255 characters": {
		rule: "CloudImage .image.tags[].value maxLength", accept: wide(255), refuse: wide(256),
		says: "may not be more than 255 bytes",
	},
	"snapshots are at most 64": {
		rule:   "CloudImage .image.snapshots maxItems",
		accept: many(64, func(int) any { return map[string]any{"diskSizeGiB": 0} }),
		refuse: many(65, func(int) any { return map[string]any{"diskSizeGiB": 0} }), says: "must have at most 64 items",
	},
	"a snapshot has a size": {
		rule: "CloudImage .image.snapshots[] required diskSizeGiB", at: "image.snapshots[0].diskSizeGiB",
		refuse: absent, says: "Required value",
	},
	"a snapshot's size is a number of 64 bits": {
		rule: "CloudImage .image.snapshots[].diskSizeGiB format", accept: json.Number("9223372036854775807"),
		refuse: json.Number("1e19"), says: "diskSizeGiB: Invalid value",
	},
	"a snapshot's use is bounded": {
		rule: "CloudImage .image.snapshots[].diskUsage maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},
	"a snapshot's id is bounded": {
		rule: "CloudImage .image.snapshots[].id maxLength", accept: chars(64), refuse: chars(65),
		says: "may not be more than 64 bytes",
	},

	"lifecycle.presence is required": {
		rule: "CloudImage .lifecycle required presence", at: "lifecycle.presence", refuse: absent,
		says: "lifecycle.presence: Required value",
	},
	"lifecycle.presence is one of three": {
		rule: "CloudImage .lifecycle.presence enum", accept: "Gone", refuse: "Missing",
		says: `supported values: "Present", "NotMatched", "Gone"`,
	},
	"lifecycle.firstSeenTime is required": {
		rule: "CloudImage .lifecycle required firstSeenTime", at: "lifecycle.firstSeenTime", refuse: absent,
		says: "lifecycle.firstSeenTime: Required value",
	},
	"lifecycle.firstSeenTime is a time": {
		rule: "CloudImage .lifecycle.firstSeenTime format", accept: "2024-02-29T00:00:00Z",
		refuse: "2024-02-30T00:00:00Z", says: "must be of type date-time",
	},
	"lifecycle.firstSeenTime isn't Go's zero time": {
		rule: "CloudImage .lifecycle.firstSeenTime pattern", accept: "1000-01-01T00:00:00Z",
		refuse: "0001-01-01T00:00:00Z", says: timeMessage,
	},
	"lifecycle.lastChangeTime is required": {
		rule: "CloudImage .lifecycle required lastChangeTime", at: "lifecycle.lastChangeTime", refuse: absent,
		says: "lifecycle.lastChangeTime: Required value",
	},
	"lifecycle.lastChangeTime is a time": {
		rule: "CloudImage .lifecycle.lastChangeTime format", accept: "2024-02-29T00:00:00Z",
		refuse: "2024-04-31T00:00:00Z", says: "must be of type date-time",
	},
	"lifecycle.lastChangeTime is in upper case": {
		rule: "CloudImage .lifecycle.lastChangeTime pattern", refuse: "2024-01-01t00:00:00Z", says: timeMessage,
	},

	"leaving are at most 64": {
		rule: "CloudImage .lifecycle.leaving maxItems", accept: many(64, leaving), refuse: many(65, leaving),
		says: "must have at most 64 items",
	},
	"a query lets go of an image once": {
		rule: "CloudImage .lifecycle.leaving list-type map", accept: []any{leaving(1), leaving(2)},
		refuse: []any{leaving(1), leaving(1)}, says: `Duplicate value: {"query":"query-1"}`,
	},
	"who lets go has a name": {
		rule: "CloudImage .lifecycle.leaving[] required query", at: "lifecycle.leaving[0].query", refuse: absent,
		says: "query: Required value",
	},
	"who lets go did so at a time": {
		rule: "CloudImage .lifecycle.leaving[] required since", at: "lifecycle.leaving[0].since", refuse: absent,
		says: "since: Required value",
	},
	"who lets go has an end": {
		rule: "CloudImage .lifecycle.leaving[] required deleteAfter", at: "lifecycle.leaving[0].deleteAfter",
		refuse: absent, says: "deleteAfter: Required value",
	},
	"the name of who lets go isn't empty": {
		rule: "CloudImage .lifecycle.leaving[].query minLength", refuse: "", says: "should be at least 1 chars long",
	},
	"the name of who lets go has at most 63 characters": {
		rule: "CloudImage .lifecycle.leaving[].query maxLength", accept: chars(63), refuse: chars(64),
		says: "may not be more than 63 bytes",
	},

	"image.createdTime is a time": {
		rule: "CloudImage .image.createdTime format", accept: "2024-12-31T00:00:00Z", refuse: "2024-13-01T00:00:00Z",
		says: "must be of type date-time",
	},
	"image.createdTime has its T in upper case": {
		rule: "CloudImage .image.createdTime pattern", refuse: "2024-01-01t00:00:00Z", says: timeMessage,
	},
	"image.createdTime has its Z in upper case": {
		rule: "CloudImage .image.createdTime pattern", refuse: "2024-01-01T00:00:00z", says: timeMessage,
	},
	"image.createdTime is in UTC": {
		rule: "CloudImage .image.createdTime pattern", refuse: "2024-01-01T08:00:00+08:00", says: timeMessage,
	},
	"image.createdTime has no offset of a day": {
		rule: "CloudImage .image.createdTime pattern", refuse: "2024-01-01T00:00:00+24:00", says: timeMessage,
	},
	"image.createdTime is to the second": {
		rule: "CloudImage .image.createdTime pattern", refuse: "2024-01-01T00:00:00.5Z", says: timeMessage,
	},
	"image.createdTime has no leap second": {
		rule: "CloudImage .image.createdTime pattern", accept: "2016-12-31T23:59:59Z", refuse: "2016-12-31T23:59:60Z",
		says: timeMessage,
	},
	"image.createdTime has no hour 24": {
		rule: "CloudImage .image.createdTime pattern", refuse: "2024-01-01T24:00:00Z", says: timeMessage,
	},
	"image.createdTime isn't in the year 0": {
		rule: "CloudImage .image.createdTime pattern", refuse: "0000-01-01T00:00:00Z", says: timeMessage,
	},
	"image.createdTime isn't in a year of 5 digits": {
		rule: "CloudImage .image.createdTime pattern", accept: "9999-12-31T23:59:59Z", refuse: "10000-01-01T00:00:00Z",
		says: timeMessage,
	},
	"image.createdTime ends where it ends": {
		rule: "CloudImage .image.createdTime pattern", refuse: "2024-01-01T00:00:00Z\n", says: timeMessage,
	},
	"image.createdTime isn't a number": {rule: "CloudImage .image.createdTime pattern", refuse: 1704067200, says: "must be of type date-time"},

	"image.createdTime isn't an empty list": {
		rule: "CloudImage .image.createdTime rule", accept: "2024-01-01T00:00:00Z", refuse: []any{},
		says: "createdTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z",
	},
	"image.createdTime isn't a list of times": {
		rule: "CloudImage .image.createdTime rule", refuse: []any{"2024-01-01T00:00:00Z"},
		says: "createdTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z",
	},
	"lifecycle.firstSeenTime isn't a list": {
		rule: "CloudImage .lifecycle.firstSeenTime rule", accept: "2024-01-01T00:00:00Z", refuse: []any{},
		says: "firstSeenTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z",
	},
	"lifecycle.lastChangeTime isn't a list": {
		rule: "CloudImage .lifecycle.lastChangeTime rule", accept: "2024-01-01T00:00:00Z", refuse: []any{},
		says: "lastChangeTime must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z",
	},
	"lifecycle.lastChangeTime is not a number": {
		rule: "CloudImage .lifecycle.lastChangeTime format", refuse: 1704067200.5, says: "must be of type date-time",
	},
}

// moments are the times that the operator writes; each is held by the same three rules.
var moments = []string{
	"ImageQuery .status.selected[].createdTime",
	"ImageQuery .status.selectedHistory[].selectedTime",
	"ImageQuery .status.selectedHistory[].replacedTime",
	"ImageQuery .status.removing[].since",
	"ImageQuery .status.removing[].deleteAfter",
	"CloudImage .lifecycle.deleteAfter",
	"CloudImage .lifecycle.leaving[].since",
	"CloudImage .lifecycle.leaving[].deleteAfter",
}

func timeRules() map[string]tc {
	rules := map[string]tc{}
	for _, moment := range moments {
		field := moment[strings.LastIndexByte(moment, '.')+1:]
		rules[moment+" is a time"] = tc{
			rule: moment + " format", accept: "2024-02-29T23:59:59Z", refuse: "2023-02-29T23:59:59Z",
			says: "must be of type date-time",
		}
		rules[moment+" is in UTC"] = tc{
			rule: moment + " pattern", accept: "9999-12-31T23:59:59Z", refuse: "2024-01-01T08:00:00+08:00",
			says: timeMessage,
		}
		rules[moment+" isn't a list"] = tc{
			rule: moment + " rule", accept: "1000-01-01T00:00:00Z", refuse: []any{},
			says: field + " must be a time in UTC, to the second, such as 2026-08-20T08:00:00Z",
		}
	}
	return rules
}

func allRules() map[string]tc {
	all := timeRules()
	maps.Copy(all, queryRules)
	maps.Copy(all, statusRules)
	maps.Copy(all, imageRules)
	return all
}

func TestEveryRuleAdmitsWhatIsMeantAndTellsWhatToWriteOtherwise(t *testing.T) {
	if all := allRules(); len(all) != len(timeRules())+len(queryRules)+len(statusRules)+len(imageRules) {
		t.Fatal("two cases have the same sentence: the sentence is what tells them apart")
	}
	for sentence, c := range allRules() {
		t.Run(sentence, func(t *testing.T) {
			kind, path := c.where()
			how := c.how
			if how == "" && strings.HasPrefix(path, "status") {
				how = updateStatus
			} else if how == "" {
				how = create
			}
			write := func(value any, edit bool) ([]byte, error) {
				doc := base(kind)
				if how != create {
					doc = stored(kind)
				}
				for at, given := range c.given {
					doc.set(at, given)
				}
				if edit {
					doc.set(path, value)
				}
				return send(t.Context(), how, doc, "fieldValidation", "Strict")
			}

			answer, err := write(c.accept, c.accept != nil)
			if err != nil {
				t.Errorf("%.80v was refused: %v", fmt.Sprint(c.accept), err)
			} else if err := decode(kind, answer); err != nil {
				t.Errorf("%.80v was admitted, but our Go types can't decode it: %v", fmt.Sprint(c.accept), err)
			}
			switch _, err := write(c.refuse, true); {
			case err == nil:
				t.Errorf("%.80v was admitted; want a refusal that says %q", fmt.Sprint(c.refuse), c.says)
			case !strings.Contains(err.Error(), c.says):
				t.Errorf("%.80v was refused, but not in these words\n got: %v\nwant: %s", fmt.Sprint(c.refuse), err, c.says)
			case c.not != "" && strings.Contains(err.Error(), c.not):
				t.Errorf("%.80v was refused, but in these words, too: %s\n got: %v", fmt.Sprint(c.refuse), c.not, err)
			}
		})
	}
}

// where returns the kind that a case is about and the path its values go to.
func (c tc) where() (kind, path string) {
	kind, rest, _ := strings.Cut(c.rule, " ")
	schemaPath, _, _ := strings.Cut(rest, " ")
	if path = c.at; path == "" {
		path = strings.ReplaceAll(strings.TrimPrefix(schemaPath, "."), "[]", "[0]")
	}
	return kind, path
}

// newest is what spec.selection is for those who don't write it.
var newest = map[string]any{"orderBy": "CreatedTime", "groupBy": []any{"Architecture"}, "limit": 1.0, "skip": 0.0}

// A default, and that a value of one's own, or none, doesn't get in its way.
var defaults = map[string]struct {
	rule, at  string
	given     map[string]any
	want, own any
}{
	"a query is polled every 10 minutes": {rule: "ImageQuery .spec.interval default", at: "spec.interval", want: "10m", own: "1h"},
	"a query isn't suspended":            {rule: "ImageQuery .spec.suspend default", at: "spec.suspend", want: false, own: true},
	"one image is believed":              {rule: "ImageQuery .spec.minImages default", at: "spec.minImages", want: 1.0, own: 0.0},
	"every listed image is a member": {
		rule: "ImageQuery .spec.match default", at: "spec.match", want: map[string]any{},
		own: map[string]any{"states": []any{"NORMAL"}},
	},
	"the newest image is selected": {
		rule: "ImageQuery .spec.selection default", at: "spec.selection", want: newest,
		own: map[string]any{"orderBy": "Name", "groupBy": []any{"None"}, "limit": 2.0, "skip": 1.0},
	},
	"the newest of each architecture": {
		rule: "ImageQuery .spec.selection.groupBy default", at: "spec.selection.groupBy",
		given: map[string]any{"spec.selection": map[string]any{}}, want: []any{"Architecture"}, own: []any{"None"},
	},
	"the newest is the last created": {
		rule: "ImageQuery .spec.selection.orderBy default", at: "spec.selection.orderBy",
		given: map[string]any{"spec.selection": map[string]any{}}, want: "CreatedTime", own: "Name",
	},
	"one image is selected": {
		rule: "ImageQuery .spec.selection.limit default", at: "spec.selection.limit", want: 1.0, own: 50.0,
	},
	"no image is skipped": {
		rule: "ImageQuery .spec.selection.skip default", at: "spec.selection.skip", want: 0.0, own: 1.0,
	},
	"an image leaves carefully": {
		rule: "ImageQuery .spec.removal default", at: "spec.removal",
		want: map[string]any{"gracePeriod": "24h", "maxRemovedPercent": 50.0},
		own:  map[string]any{"gracePeriod": "0s", "maxRemovedPercent": 0.0},
	},
	"an image has a day's grace": {
		rule: "ImageQuery .spec.removal.gracePeriod default", at: "spec.removal.gracePeriod", want: "24h", own: "0s",
	},
	"half of the images don't go at once": {
		rule: "ImageQuery .spec.removal.maxRemovedPercent default", at: "spec.removal.maxRemovedPercent", want: 50.0,
		own: 0.0,
	},
	"every member has an object": {
		rule: "ImageQuery .spec.cloudImages default", at: "spec.cloudImages",
		want: map[string]any{"policy": "All", "maxImages": 1000.0}, own: map[string]any{"policy": "Selected"},
	},
	"members have objects unless told": {
		rule: "ImageQuery .spec.cloudImages.policy default", at: "spec.cloudImages.policy", want: "All", own: "All",
	},
	"a new query has been observed by nobody": {
		rule: "ImageQuery .status default", at: "status", want: map[string]any{"observedGeneration": -1.0},
	},
}

func TestDefaults(t *testing.T) {
	for sentence, c := range defaults {
		t.Run(sentence, func(t *testing.T) {
			for what, value := range map[string]any{"absent": absent, "null": nil, "own": c.own} {
				want := c.want
				if what == "own" {
					if want = c.own; want == nil {
						continue // A status is the operator's: what a user gives is dropped, see below.
					}
				}
				doc := base("ImageQuery")
				doc.set("status", absent)
				for at, given := range c.given {
					doc.set(at, given)
				}
				doc.set(c.at, value)
				answer, err := send(t.Context(), create, doc)
				if err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				stored := document{}
				if err := json.Unmarshal(answer, &stored); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, stored.get(c.at)); diff != "" {
					t.Errorf("%s: %s is not as expected (-want +got):\n%s", what, c.at, diff)
				}
			}
		})
	}
}

// A user's YAML may hold a status, copied from somewhere: it is not the operator's.
func TestAStatusThatAUserGivesIsDropped(t *testing.T) {
	answer, err := send(t.Context(), create, base("ImageQuery"))
	if err != nil {
		t.Fatal(err)
	}
	stored := document{}
	if err := json.Unmarshal(answer, &stored); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(any(map[string]any{"observedGeneration": -1.0}), stored["status"]); diff != "" {
		t.Errorf("the status of a new query (-want +got):\n%s", diff)
	}
}

// The other way round: what the schemas hold, so that a new rule needs a case.
func TestEveryRuleHasACase(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range allRules() {
		rule := c.rule
		if strings.HasSuffix(rule, " rule") {
			rule += " " + c.says
		}
		covered[rule] = true
	}
	for _, c := range defaults {
		covered[c.rule] = true
	}
	for kind := range crds() {
		for _, rule := range rulesOf(kind) {
			if !covered[rule] {
				t.Errorf("no case is about %q: add one to validation_test.go, with a document on either side of it", rule)
			}
			delete(covered, rule)
		}
	}
	for rule := range covered {
		t.Errorf("a case is about %q, which is in no schema", rule)
	}
}

// rulesOf lists what a kind's schema demands, each as kind, path and keyword.
func rulesOf(kind string) []string {
	var rules []string
	walk(schemaOf(kind), "", func(path string, s *apiextensionsv1.JSONSchemaProps) {
		if path == "" {
			path = "."
		}
		add := func(there bool, keyword string) {
			if there {
				rules = append(rules, kind+" "+path+" "+keyword)
			}
		}
		add(s.MinLength != nil, "minLength")
		add(s.MaxLength != nil, "maxLength")
		add(s.MinItems != nil, "minItems")
		add(s.MaxItems != nil, "maxItems")
		add(s.Minimum != nil, "minimum")
		add(s.Maximum != nil, "maximum")
		add(s.MinProperties != nil, "minProperties")
		add(s.MaxProperties != nil, "maxProperties")
		add(s.MultipleOf != nil, "multipleOf")
		add(s.Pattern != "", "pattern")
		add(s.Format != "", "format")
		add(s.Enum != nil, "enum")
		add(s.Default != nil, "default")
		if s.XListType != nil && *s.XListType != "atomic" {
			add(true, "list-type "+*s.XListType)
		}
		for _, name := range s.Required {
			add(true, "required "+name)
		}
		for _, rule := range s.XValidations {
			add(true, "rule "+rule.Message)
		}
	})
	return rules
}

// walk visits every schema of a tree with its path, such as .spec.filters[].name.
func walk(s *apiextensionsv1.JSONSchemaProps, path string, visit func(string, *apiextensionsv1.JSONSchemaProps)) {
	visit(path, s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		child := s.Properties[name]
		walk(&child, path+"."+name, visit)
	}
	if s.Items != nil && s.Items.Schema != nil {
		walk(s.Items.Schema, path+"[]", visit)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		walk(s.AdditionalProperties.Schema, path+"{}", visit)
	}
}
