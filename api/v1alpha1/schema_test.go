// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
)

// kubectl explain prints these words: they are the documentation that everyone has.
func TestEveryFieldIsExplainedByASentence(t *testing.T) {
	// A sentence begins with the field's name and ends like one.
	sentence := regexp.MustCompile(`(?s)^\w+ .+[.)]$`)
	example := regexp.MustCompile(`(?i)\bexample\b|, such as `)
	for kind := range crds() {
		walk(schemaOf(kind), "", func(path string, s *apiextensionsv1.JSONSchemaProps) {
			name := path[strings.LastIndexByte(path, '.')+1:]
			switch {
			case strings.HasPrefix(path, ".status.conditions[]"), path == ".apiVersion", path == ".kind", strings.HasPrefix(path, ".metadata"):
				return // Kubernetes' own words.
			case strings.HasSuffix(path, "[]") && (s.Type == "string" || s.XIntOrString) && s.Description == "":
				return // The list says what its items are.
			case path == "":
				name = kind
			case strings.HasSuffix(path, "[]"), strings.HasSuffix(path, "{}"):
				name = "" // An item begins with its type's name.
			}
			if !sentence.MatchString(s.Description) || !strings.HasPrefix(s.Description, name) {
				t.Errorf("%s %s: %q is not a sentence that begins with %q and ends with a full stop", kind, path, s.Description, name)
			}
			if s.Default != nil && path != ".status" && !saysDefault(s.Description, s.Default.Raw) {
				t.Errorf("%s %s: %q doesn't say that the default is %s", kind, path, s.Description, s.Default.Raw)
			}
			if strings.HasPrefix(path, ".spec.") && name != "" && !strings.HasSuffix(path, "[]") && s.Type != "boolean" && s.Default == nil &&
				!example.MatchString(s.Description) {
				t.Errorf("%s %s: %q gives no example of what to write", kind, path, s.Description)
			}
		})
	}
}

// saysDefault tells whether a description names the default as a user writes it: in
// YAML, wherever the line breaks.
func saysDefault(description string, raw []byte) bool {
	plain := strings.NewReplacer(`"`, "", " ", "", "\n", "").Replace
	return strings.Contains(plain(description), "Default"+plain(string(raw)))
}

// What Git says is what there is: with a list that is merged item by item, server-side apply leaves there what somebody
// added by hand, and kubectl diff doesn't show it.
func TestEveryListOfASpecIsAppliedWhole(t *testing.T) {
	walk(schemaOf("ImageQuery"), "", func(path string, s *apiextensionsv1.JSONSchemaProps) {
		if strings.HasPrefix(path, ".spec") && s.Type == "array" && ptr.Deref(s.XListType, "") != "atomic" {
			t.Errorf("%s is a list of the type %s; mark it +listType=atomic", path, ptr.Deref(s.XListType, "none"))
		}
	})
}

// Only the operator writes CloudImages. A manager of each single field would be an eighth of an object's bytes, in etcd and in every watch.
func TestTheFactsOfAnImageHaveOneManager(t *testing.T) {
	for _, name := range []string{"image", "lifecycle"} {
		if ptr.Deref(schemaOf("CloudImage").Properties[name].XMapType, "") != "atomic" {
			t.Errorf(".%s is merged field by field; mark it +structType=atomic", name)
		}
	}
}

// saysQuotes are texts that look like numbers. Their schema takes a number, too, so that a rule can refuse it in words:
// where a type is wrong, Kubernetes tries no rule. TestWhateverIsAdmittedDecodes draws numbers for them.
var saysQuotes = map[string]bool{
	"ImageQuery .spec.match.architectures[]":       true,
	"ImageQuery .spec.match.creators[]":            true,
	"ImageQuery .spec.selection.trustedCreators[]": true,
}

// A schema without a bound lets one object grow until it hurts every watcher.
func TestEveryStringAndListIsBounded(t *testing.T) {
	for kind := range crds() {
		walk(schemaOf(kind), "", func(path string, s *apiextensionsv1.JSONSchemaProps) {
			if path == ".apiVersion" || path == ".kind" {
				return
			}
			if (s.Type == "string" || s.XIntOrString) && s.MaxLength == nil && s.Enum == nil && s.Format != "date-time" {
				t.Errorf("%s %s: a string without maxLength", kind, path)
			}
			if s.Type == "array" && s.MaxItems == nil {
				t.Errorf("%s %s: a list without maxItems", kind, path)
			}
			if s.Type == "array" && s.XListType == nil {
				t.Errorf("%s %s: a list without a list type: server-side apply would replace it whole without anyone having decided so", kind, path)
			}
			if s.AdditionalProperties != nil && (s.MaxProperties == nil || s.AdditionalProperties.Schema == nil ||
				s.AdditionalProperties.Schema.MaxLength == nil) {
				t.Errorf("%s %s: a map without maxProperties, or whose values have no maxLength", kind, path)
			}
			if s.XPreserveUnknownFields != nil || s.XEmbeddedResource || s.XIntOrString && !saysQuotes[kind+" "+path] {
				t.Errorf("%s %s: admits what our Go types may not decode", kind, path)
			}
			if s.Type == "number" {
				t.Errorf("%s %s: a number that isn't whole", kind, path)
			}
			for _, rule := range s.XValidations {
				if len(rule.Message) < 30 || !regexp.MustCompile(`must|exclude|can't`).MatchString(rule.Message) {
					t.Errorf("%s %s: the message %q doesn't tell what to write", kind, path, rule.Message)
				}
			}
		})
	}
}
