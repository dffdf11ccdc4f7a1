// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/image-catalog/image-catalog-operator/controllers/preview/admission"
)

// What is judged without a cluster is judged as the API server does: the same words where it is refused, the same object where it
// is admitted.
func TestWithoutAClusterTheSameIsRefused(t *testing.T) {
	judged := 0
	for sentence, c := range allRules() {
		kind, path := c.where()
		if strings.HasPrefix(path, "status") || c.how != "" && c.how != create {
			continue
		}
		judged++
		t.Run(sentence, func(t *testing.T) {
			for _, value := range []any{c.accept, c.refuse} {
				doc := base(kind)
				for at, given := range c.given {
					doc.set(at, given)
				}
				if value != nil {
					doc.set(path, value)
				}
				sameVerdict(t, kind, doc.named())
			}
		})
	}
	if judged < 150 {
		t.Errorf("only %d rules were tried", judged)
	}
}

func TestWithoutAClusterMetadataAndUnknownFieldsAreRefusedToo(t *testing.T) {
	for _, edit := range []map[string]any{
		{"spec.unknown": 1},
		{"spec.filters[0].value": "x", "spec.match.nameregex": "x", "kindd": "x"},
		{"metadata.label": map[string]any{}, "metadata.unknown": "x"},
		{"metadata.name": "UPPER"},
		{"metadata.name": absent},
		{"metadata.name": absent, "spec.region": 7},
		{"metadata.labels": map[string]any{"no/good/key": "v"}},
		{"metadata.annotations": map[string]any{"no good": "v"}},
		{"spec": absent},
		{"spec": nil},
		{"spec": "text"},
		{"spec.region": nil},
		{"spec.region": absent, "spec.interval": "1s"},
		{"spec.interval": nil, "spec.suspend": nil, "spec.minImages": nil},
		{"spec.selection.limit": "1", "spec.suspend": "true"},
		{"spec.filters": map[string]any{}},
		{"spec.removal": absent, "spec.cloudImages": absent, "spec.selection": absent, "spec.match": absent},
		{"spec.region": "nowhere", "spec.interval": "1s", "spec.match.nameRegex": "("},
	} {
		doc := base("ImageQuery")
		for at, value := range edit {
			doc.set(at, value)
		}
		sameVerdict(t, "ImageQuery", doc)
	}
}

// sameVerdict has the API server and the library judge a document to be created.
func sameVerdict(t *testing.T, kind string, doc document) {
	t.Helper()
	body, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	here := map[string]any{}
	if err := utiljson.Unmarshal(body, &here); err != nil {
		t.Fatal(err)
	}
	judge := map[string]*admission.Kind{"ImageQuery": admission.ImageQuery(), "CloudImage": admission.CloudImage()}[kind]
	refusedHere := judge.Create(t.Context(), here)
	answer, refused := send(t.Context(), create, doc, "fieldValidation", "Strict")
	compared := inOrder
	if serverNamesTypes() {
		compared = withoutValues
	}
	if diff := cmp.Diff(compared(refused), compared(refusedHere)); diff != "" {
		t.Errorf("refused with a cluster, but otherwise without one (-with +without):\n%s", diff)
	}
	if refused != nil || refusedHere != nil {
		return
	}
	there, again := map[string]any{}, map[string]any{}
	if err := json.Unmarshal(answer, &there); err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(here)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(stored, &again); err != nil {
		t.Fatal(err)
	}
	for _, side := range []map[string]any{there, again} {
		delete(side, "metadata")
		delete(side, "status") // its default
	}
	if diff := cmp.Diff(there, again); diff != "" {
		t.Errorf("stored by the API server, but otherwise without it (-with +without):\n%s", diff)
	}
}

// inOrder are the parts of a refusal in alphabetical order: the API server has them in any.
func inOrder(err error) []string {
	return slices.Sorted(strings.SplitSeq(strings.NewReplacer("[", "", "]", "", " is invalid: ", ", ").Replace(fmt.Sprint(err)), ", "))
}

// serverNamesTypes reports whether refusals have the type of a value, as in Kubernetes 1.31: Invalid value: "string". Newer ones, and so
// the library, have the value.
var serverNamesTypes = sync.OnceValue(func() bool {
	doc := base("ImageQuery")
	doc.set("spec.region", "nowhere")
	_, err := send(context.Background(), create, doc)
	return strings.Contains(fmt.Sprint(err), `Invalid value: "string"`)
})

var (
	invalidValue = regexp.MustCompile(`Invalid value: (("([^"\\]|\\.)*"|[^ ]+): )?`)
	numberOfBits = regexp.MustCompile(`must be of type int(32|64): "float64"`)
)

// withoutValues are the parts of a refusal as Kubernetes 1.31 has them, too, which names no value and no size of numbers.
func withoutValues(err error) []string {
	text := invalidValue.ReplaceAllString(fmt.Sprint(err), "Invalid value: ")
	parts := inOrder(errors.New(numberOfBits.ReplaceAllString(text, `must be of type integer: "number"`)))
	return slices.DeleteFunc(parts, func(part string) bool { return strings.Contains(part, "must be of type integer with format int") })
}
