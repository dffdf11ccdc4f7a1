// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// firstSchema is the schema of ImageQueries at commit 9175938. Objects that it admitted are in somebody's cluster.
const firstSchema = "testdata/first_imagequeries.yaml"

// heldBefore are rules that the first schema held by other means, so that no stored object can break them.
var heldBefore = map[string]string{
	uniqueMessage:   "spec.filters was a map by name",
	intervalUnits:   "the pattern",
	intervalMessage: "the same bounds",
	minAgeUnits:     "the pattern",
	minAgeMessage:   "the same bounds",
	graceUnits:      "the pattern",
	graceMessage:    "the same bounds",
	archMessage:     "the enum",
	noneMessage:     "the enum had no None",
}

// Kubernetes 1.31 judges the whole object by CEL at each write of its status: a rule tighter than before would keep the
// operator from ever telling its state. (The control plane of these tests passes over what didn't change, so it can't show
// that by itself.)
func TestARuleThatTheFirstSchemaLackedPassesWhatIsStored(t *testing.T) {
	before, fields := map[string]bool{}, map[string]bool{}
	walk(firstQueries(t).Spec.Versions[0].Schema.OpenAPIV3Schema, "", func(path string, s *apiextensionsv1.JSONSchemaProps) {
		fields[path] = true
		for _, rule := range s.XValidations {
			before[path+rule.Rule] = true
		}
	})
	if len(before) < 10 {
		t.Fatalf("the first schema has %d rules only", len(before))
	}
	walk(schemaOf("ImageQuery"), "", func(path string, s *apiextensionsv1.JSONSchemaProps) {
		for _, rule := range s.XValidations {
			switch optional := rule.OptionalOldSelf != nil && *rule.OptionalOldSelf; {
			case before[path+rule.Rule], heldBefore[rule.Message] != "":
			case !strings.HasPrefix(path, ".spec"), !fields[path]:
			case strings.Contains(path, "[]"):
				t.Errorf("%s: %q is in a list, where nothing tells what was stored before: write a pattern, or a rule at the list", path, rule.Message)
			case !optional || !strings.Contains(rule.Rule, "oldSelf"):
				t.Errorf("%s: %q doesn't pass a value that is stored: add optionalOldSelf, and compare with oldSelf", path, rule.Message)
			}
		}
	})
}

func firstQueries(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	content, err := os.ReadFile(firstSchema)
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(content, crd); err != nil {
		t.Fatal(err)
	}
	return crd
}

// onlyFirst is a query that only the first schema admits.
func onlyFirst() document {
	doc := stored("ImageQuery")
	doc.set("spec.cloudImages.labels", map[string]any{"team": "infra", "velero.io/backup": "no", "cluster.x-k8s.io/cluster-name": "prod"})
	doc.set("spec.match.creators", []any{"platform-team"})
	doc.set("spec.match.nameRegex", "^node\n")
	doc.set("spec.region", "ap-guangzhou-3")
	doc.set("spec.selection.extract", "v(.+)\n")
	doc.set("spec.selection.range", ">>1.30")
	doc.set("spec.cloudImages.labelTagKeys", []any{"角色"})
	return doc
}

// An operator of today meets a query that was stored under the first schema.
func TestAQueryThatOnlyTheFirstSchemaAdmitsStillGetsItsStatus(t *testing.T) {
	environment := envtest.Environment{CRDs: []*apiextensionsv1.CustomResourceDefinition{firstQueries(t)}}
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Log(err)
		}
	})
	client, err := newClient(config)
	if err != nil {
		t.Fatal(err)
	}
	version := ""
	write := func(how verb, doc document, params ...string) error {
		if how != create {
			doc.set("metadata.resourceVersion", version)
		}
		body, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := sendBytes(t.Context(), client, how, "ImageQuery", body, params...)
		var object metav1.PartialObjectMetadata
		if err == nil && json.Unmarshal(answer, &object) == nil && object.Name == "stored" {
			version = object.ResourceVersion
		}
		return err
	}
	first := onlyFirst()
	for _, later := range []string{"spec.selection.trustedCreators", "spec.selection.pin", "spec.match.families", "status.pendingRemoval"} {
		first.set(later, absent) // the first schema has no such field
	}
	if err := write(create, first); err != nil {
		t.Fatal(err)
	}
	first.set("status.selectedHistory", []any{map[string]any{
		"imageIDs": []any{"img-1"}, "selectedTime": "2026-08-23T08:00:00Z", "reason": "First",
	}})
	if err := write(updateStatus, first); err != nil {
		t.Fatal(err)
	}
	if _, err := envtest.InstallCRDs(config,
		envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{crds()["ImageQuery"].DeepCopy()}}); err != nil {
		t.Fatal(err)
	}
	untilRefused(t, func() error {
		doc := onlyFirst()
		doc.set("metadata.name", "another")
		return write(create, doc, "dryRun", "All")
	})

	if err := writeBack(t, client, write); err != nil {
		t.Errorf("the status of the first operator, as one of today reads it, is refused: %v", err)
	}
	if err := write(updateStatus, onlyFirst(), "fieldValidation", "Strict"); err != nil {
		t.Errorf("its status is refused: %v", err)
	}
	// With another label beside, the rule is not passed over as a whole: this is what Kubernetes 1.31 does at each write.
	edited := onlyFirst()
	edited.set("spec.cloudImages.labels.team", "web")
	if err := write(update, edited); err != nil {
		t.Errorf("an edit that leaves what is stored as it is, is refused: %v", err)
	}
	for _, c := range []struct {
		at    string
		value any
		says  string
	}{
		{"spec.cloudImages.labels", map[string]any{"velero.io/backup": "yes"}, reservedMessage},
		{"spec.cloudImages.labels", map[string]any{"velero.io/another": "no"}, reservedMessage},
		{"spec.cloudImages.labelTagKeys", []any{"角色", "镜像"}, tagKeyMessage},
		{"spec.match.creators", []any{"platform-team", "another-team"}, creatorsMessage},
		{"spec.match.nameRegex", "^base\n", regexLineMessage},
		{"spec.region", "ap-guangzhou-4", zoneMessage},
		{"spec.selection.extract", "w(.+)\n", extractLine},
		{"spec.selection.range", ">>1.31", versionsMessage},
	} {
		doc := onlyFirst()
		doc.set(c.at, c.value)
		if err := write(update, doc, "dryRun", "All"); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v was admitted, or refused for another reason: %v", c.at, c.value, err)
		}
	}
}

// writeBack writes the status of the stored query with one condition more, as an operator of today knows it.
func writeBack(t *testing.T, client *rest.RESTClient, write func(verb, document, ...string) error) error {
	t.Helper()
	query := &imagev1alpha1.ImageQuery{}
	if err := client.Get().Resource("imagequeries").Name("stored").Do(t.Context()).Into(query); err != nil {
		t.Fatal(err)
	}
	if len(query.Status.SelectedHistory) != 1 {
		t.Fatalf("the history that was stored is %+v", query.Status.SelectedHistory)
	}
	meta.SetStatusCondition(&query.Status.Conditions, metav1.Condition{
		Type: imagev1alpha1.ConditionSelected, Status: metav1.ConditionTrue, Reason: imagev1alpha1.ReasonSelected,
	})
	query.SetGroupVersionKind(imagev1alpha1.GroupVersion.WithKind("ImageQuery"))
	next := imagev1alpha1.SelectionRecord{
		SelectedTime: metav1.Now(), Reason: imagev1alpha1.SelectedNewImage,
		Images: []imagev1alpha1.RecordedImage{{ImageID: "img-2"}},
	}
	query.Status.SelectedHistory = append([]imagev1alpha1.SelectionRecord{next}, query.Status.SelectedHistory...)
	body, err := json.Marshal(query)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := parse(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return write(updateStatus, doc, "fieldValidation", "Strict")
}

// untilRefused waits until the API server judges by the new schema.
func untilRefused(t *testing.T, write func() error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		err := write()
		if err != nil && strings.Contains(fmt.Sprint(err), reservedMessage) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new schema isn't there after a minute: %v", err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
