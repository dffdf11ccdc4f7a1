// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The overlays of docs/install.md, laid out as their first lines say.
func TestTheOverlaysOfTheDocumentationConsent(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Selections in ConfigMaps\n")
	section, _, _ = strings.Cut(section, "\n## ")
	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "config"), os.DirFS(root+"/config")); err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```yaml kustomization\n# (\\S+)\n(.*?)^```").FindAllStringSubmatch(section, -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/install.md has %d overlays", len(blocks))
	}
	for _, block := range blocks {
		(&recipes{t: t}).write(folder, block[1], block[2])
	}
	build := exec.CommandContext(context.WithoutCancel(t.Context()), tool(t, "kustomize", "sigs.k8s.io/kustomize/kustomize/v5"), "build",
		filepath.Join(folder, "overlays", "production"))
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{
		"- --publish-namespaces=team-a\n",
		"  name: image-catalog-operator-publish\n  namespace: team-a\nroleRef:",
		"  name: image-catalog-operator\n  namespace: image-catalog-system\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("what is built lacks %q", want)
		}
	}
}
