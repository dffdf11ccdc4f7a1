// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"path"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

// The forge silently ignores an invalid form.
func TestIssueFormsAreForms(t *testing.T) {
	for _, file := range files(t, func(p string) bool { return path.Dir(p) == ".github/ISSUE_TEMPLATE" && path.Base(p) != "config.yml" }) {
		var form struct {
			Name        string   `json:"name"`
			Description string   `json:"description"`
			Labels      []string `json:"labels"`
			Body        []struct {
				Type        string          `json:"type"`
				ID          string          `json:"id"`
				Attributes  map[string]any  `json:"attributes"`
				Validations map[string]bool `json:"validations"`
			} `json:"body"`
		}
		if err := yaml.UnmarshalStrict([]byte(read(t, file)), &form); err != nil {
			t.Errorf("%s is no issue form: %v", file, err)
			continue
		}
		if form.Name == "" || form.Description == "" || len(form.Body) == 0 {
			t.Errorf("%s needs a name, a description and a body", file)
		}
		var seen []string
		for i, field := range form.Body {
			switch {
			case field.Type == "markdown":
				continue
			case !slices.Contains([]string{"textarea", "input", "dropdown"}, field.Type):
				t.Errorf("%s: field %d has the type %q: write markdown, textarea, input or dropdown", file, i+1, field.Type)
			case field.ID == "" || field.Attributes["label"] == nil || slices.Contains(seen, field.ID):
				t.Errorf("%s: field %d needs a label and an id of its own", file, i+1)
			}
			seen = append(seen, field.ID)
		}
	}
}
