// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What kubectl get shows, as the API server prints it; "wide" columns only with -o wide.
func TestColumns(t *testing.T) {
	const some = "some" // A time since: what it says moves.
	type column struct {
		name string
		wide bool
		cell string
	}
	for kind, want := range map[string][]column{
		"ImageQuery": {
			{name: "Name", cell: "stored"},
			{name: "Ready", cell: "True"},
			{name: "Reason", cell: "Synced"},
			{name: "Region", cell: "ap-guangzhou"},
			{name: "Images", cell: "1"},
			{name: "Selected", cell: "node-v1.30.4"},
			{name: "Changed", cell: some},
			{name: "Age", cell: some},
			{name: "Image-ID", wide: true, cell: "img-9qabwvbn"},
			{name: "Credentials", wide: true, cell: "acct2"},
			{name: "Last-Written", wide: true, cell: some},
			{name: "Message", wide: true, cell: "2 images."},
		},
		"CloudImage": {
			{name: "Name", cell: "acct2.ap-guangzhou-img-stored"},
			{name: "Title", cell: "node-v1.30.4"},
			{name: "Type", cell: "PRIVATE_IMAGE"},
			{name: "Arch", cell: "amd64"},
			{name: "State", cell: "NORMAL"},
			{name: "Presence", cell: "Present"},
			{name: "Created", cell: some},
			{name: "Platform", wide: true, cell: "TencentOS"},
			{name: "Size", wide: true, cell: "50"},
			{name: "Deprecated", wide: true, cell: "false"},
			{name: "Credentials", wide: true, cell: "acct2"},
			{name: "Age", wide: true, cell: some},
		},
	} {
		t.Run(kind, func(t *testing.T) {
			answer, err := api().Get().Resource(crds()[kind].Spec.Names.Plural).Name(stored(kind).name()).
				SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(t.Context()).Raw()
			if err != nil {
				t.Fatal(err)
			}
			var table metav1.Table
			if err := json.Unmarshal(answer, &table); err != nil {
				t.Fatal(err)
			}
			var got []column
			for i, definition := range table.ColumnDefinitions {
				cell := fmt.Sprint(table.Rows[0].Cells[i])
				if i < len(want) && want[i].cell == some && cell != "" && !strings.HasPrefix(cell, "<") {
					cell = some
				}
				got = append(got, column{name: definition.Name, wide: definition.Priority > 0, cell: cell})
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(column{})); diff != "" {
				t.Errorf("the columns of a %s (-want +got):\n%s", kind, diff)
			}
		})
	}
}

func TestNamesForKubectl(t *testing.T) {
	for _, name := range []string{"imagequeries", "imagequery", "imgq", "cloudimages", "cloudimage", "cimg", "imagecatalog"} {
		if out, err := kubectl(t.Context(), "", "get", name, "-o", "name"); err != nil || !strings.Contains(out, "stored") {
			t.Errorf("kubectl get %s does not find the stored object: %q %v", name, out, err)
		}
	}
}

// A consumer watches what it needs by field: each field that design promises selects
// the stored object by its value, and nothing by another one.
func TestSelectableFields(t *testing.T) {
	for kind, fields := range map[string]map[string]string{
		"ImageQuery": {"spec.region": "ap-guangzhou"},
		"CloudImage": {
			"image.id": "img-stored", "image.region": "ap-guangzhou", "image.type": "PRIVATE_IMAGE", "image.state": "NORMAL",
			"image.architecture": "amd64", "image.family": "node", "image.deprecated": "false", "lifecycle.presence": "Present",
		},
	} {
		if declared := len(crds()[kind].Spec.Versions[0].SelectableFields); declared != len(fields) {
			t.Errorf("%s declares %d selectable fields, the test knows %d", kind, declared, len(fields))
		}
		list := func(selector string) (int, error) {
			answer, err := api().Get().Resource(crds()[kind].Spec.Names.Plural).Param("fieldSelector", selector).Do(t.Context()).Raw()
			if err != nil {
				return 0, fmt.Errorf("%w: %s", err, answer)
			}
			var found metav1.PartialObjectMetadataList
			err = json.Unmarshal(answer, &found)
			return len(found.Items), err
		}
		for field, value := range fields {
			for selector, want := range map[string]int{field + "=" + value: 1, field + "!=" + value: 0, field + "=other": 0} {
				if got, err := list(selector); err != nil || got != want {
					t.Errorf("%s: %s selects %d objects, want %d: %v", kind, selector, got, want, err)
				}
			}
		}
		if _, err := list("metadata.uid=1"); err == nil || !strings.Contains(err.Error(), "field label not supported") {
			t.Errorf("%s: a field that isn't selectable selects: %v", kind, err)
		}
	}
}
