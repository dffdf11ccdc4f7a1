// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// transform evaluates a JSONata rule as Renovate does, with the same library.
const transform = `
const jsonata = require("jsonata");
let input = "";
process.stdin.on("data", d => input += d).on("end", async () =>
  console.log(JSON.stringify(await jsonata(process.argv[1]).evaluate(JSON.parse(input)))));`

// release is one of those that Renovate chooses from.
type release struct{ Version, Digest, ReleaseTimestamp string }

// The transformation that docs/page.md gives makes of a feed what Renovate's custom datasource asks for.
func testRenovate(t *testing.T, w *world) {
	t.Helper()
	docs, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "page.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"transformTemplates": \[("(?:[^"\\]|\\.)*")\]`).FindSubmatch(docs)
	if found == nil {
		t.Fatal("docs/page.md has no transformTemplates")
	}
	var rule string
	if err := json.Unmarshal(found[1], &rule); err != nil {
		t.Fatal(err)
	}
	query := w.Query("tke-nodes")
	node := exec.CommandContext(t.Context(), "node", "-e", transform, rule)
	node.Stdin = strings.NewReader(w.feed(t, query.Name))
	out, err := node.CombinedOutput()
	var got struct {
		Releases []release
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err != nil {
		t.Fatal(err)
	}
	var want []release
	for _, record := range query.Status.SelectedHistory {
		for _, image := range record.Images {
			if image.Architecture == "amd64" {
				want = append(want, release{image.Name, image.ImageID, record.SelectedTime.UTC().Format(time.RFC3339)})
			}
		}
	}
	if !slices.Equal(got.Releases, want) || len(want) < 2 {
		t.Errorf("the releases are %s, want %v", out, want)
	}
}

// Flux Operator's ExternalService takes a JSON object with a list of inputs, each an object with an id of its own.
func testFlux(t *testing.T, w *world) {
	t.Helper()
	query := w.Query("tke-nodes")
	var got struct{ Inputs []map[string]any }
	if err := json.Unmarshal([]byte(w.feed(t, query.Name)), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Inputs) != len(query.Status.Selected) {
		t.Errorf("%d inputs, want %d", len(got.Inputs), len(query.Status.Selected))
	}
	for i, image := range query.Status.Selected {
		input := got.Inputs[i]
		if input["id"] != image.ImageID || input["imageID"] != image.ImageID || input["architecture"] != image.Architecture {
			t.Errorf("input %d is %v, want %v", i, input, image)
		}
	}
}

func (w *world) feed(t *testing.T, query string) string {
	t.Helper()
	status, body, err := get(t.Context(), w.page+"/feed/"+query+".json")
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d, %v", status, err)
	}
	return string(body)
}
