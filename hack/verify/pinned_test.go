// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Only the release workflow runs the script on the checkout itself, so that CI can try a new version by its tag.
func TestAReleaseTakesNothingByATagAlone(t *testing.T) {
	script, err := filepath.Abs("pinned.sh")
	if err != nil {
		t.Fatal(err)
	}
	commit, digest := strings.Repeat("0123456789", 4), "@sha256:"+strings.Repeat("0a1b2c3d", 8)
	for what, c := range map[string]struct{ file, line, want string }{
		"an action by its tag":               {".github/workflows/ci.yml", "    - uses: actions/checkout@v4", "actions/checkout@v4"},
		"an action by its branch":            {".github/workflows/ci.yml", "      uses: someone/action@main", "someone/action@main"},
		"an action by a short commit":        {".github/workflows/ci.yml", "    - uses: actions/cache@0057852", "actions/cache@0057852"},
		"an action by its commit":            {".github/workflows/ci.yml", "    - uses: actions/checkout@" + commit + " # v4.4.0", ""},
		"an action of the repository":        {".github/workflows/ci.yml", "    - uses: ./.github/actions/setup", ""},
		"an action in another action":        {".github/actions/setup/action.yaml", "    - uses: actions/cache@v4", "actions/cache@v4"},
		"a file of an image by its tag":      {"Dockerfile", "COPY --from=alpine:3.22 /etc/passwd /etc/", "alpine:3.22"},
		"a file of a stage":                  {"Dockerfile", "COPY --from=build /manager /", ""},
		"a frontend by its tag":              {"Dockerfile", "# syntax=docker/dockerfile:1", "docker/dockerfile:1"},
		"a base image by its tag":            {"Dockerfile", "ARG GO_IMAGE=golang:1.26", "golang:1.26"},
		"a base image by its digest":         {"Dockerfile", "ARG GO_IMAGE=golang:1.26.8" + digest, ""},
		"a stage of an image by its tag":     {"Dockerfile", "FROM alpine:3.22", "alpine:3.22"},
		"a stage of an argument":             {"Dockerfile", "FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build", ""},
		"the builder by its tag":             {".github/workflows/release.yml", "  docker buildx create --driver-opt image=moby/buildkit:v0.32.0", "moby/buildkit:v0.32.0"},
		"the builder by its digest":          {".github/workflows/release.yml", "  docker buildx create --driver-opt image=moby/buildkit:v0.32.0" + digest, ""},
		"the builder of buildx":              {".github/workflows/release.yml", "  docker buildx create --use", "buildx create --use"},
		"the scanner of buildx":              {".github/workflows/release.yml", "  docker buildx build --sbom=true", "--sbom=true"},
		"the scanner for the SBOM by a tag":  {".github/workflows/release.yml", "  --attest type=sbom,generator=docker/scanner:1.12.0", "docker/scanner:1.12.0"},
		"the scanner for the SBOM, digested": {".github/workflows/release.yml", "  --attest type=sbom,generator=docker/scanner:1.12.0" + digest, ""},
	} {
		t.Run(what, func(t *testing.T) {
			checkout := t.TempDir()
			for _, file := range []string{
				"Dockerfile", ".github/workflows/ci.yml", ".github/workflows/release.yml", ".github/actions/setup/action.yaml",
			} {
				path := filepath.Join(checkout, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				content := "# nothing to pin\n"
				if file == c.file {
					content += c.line + "\n"
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := exec.CommandContext(t.Context(), script, checkout).CombinedOutput()
			switch {
			case c.want == "" && err != nil:
				t.Errorf("it was refused: %v\n%s", err, out)
			case c.want != "" && (err == nil || !strings.Contains(string(out), c.want)):
				t.Errorf("it is to be refused by its name, but: %v\n%s", err, out)
			}
		})
	}
}
