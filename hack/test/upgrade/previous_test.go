// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// release is a version of the operator.
type release struct {
	checkout, manager string
	isTagged          bool
}

// previousRelease builds the previous release, unless an earlier run did.
func previousRelease(t *testing.T) release {
	t.Helper()
	commit := strings.TrimSpace(run(t, nil, ".", "./previous.sh"))
	cache := filepath.Join(cacheFolder(t), "image-catalog-operator", "previous")
	folder := filepath.Join(cache, commit)
	previous := release{
		checkout: filepath.Join(folder, "checkout"), manager: filepath.Join(folder, "manager"),
		isTagged: run(t, nil, ".", "git", "tag", "--points-at", commit) != "",
	}
	if _, err := os.Stat(folder); err == nil {
		return previous
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(cache, ".build-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	checkOut(t, commit, filepath.Join(fresh, "checkout"))
	run(t, []string{"CGO_ENABLED=0", "GOWORK=off"}, filepath.Join(fresh, "checkout"),
		"go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(fresh, "manager"), ".")
	// Another run may have finished before.
	if err := os.Rename(fresh, folder); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return previous
}

// checkOut writes the files of a commit into a folder, without a change to the repository.
func checkOut(t *testing.T, commit, folder string) {
	t.Helper()
	top := strings.TrimSpace(run(t, nil, ".", "git", "rev-parse", "--show-toplevel"))
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(t.TempDir(), "index")}
	run(t, index, top, "git", "read-tree", commit)
	run(t, index, top, "git", "checkout-index", "--all", "--prefix="+folder+"/")
}

// cacheFolder is where hack/controlplane keeps its binaries, too.
func cacheFolder(t *testing.T) string {
	t.Helper()
	if folder := os.Getenv("XDG_CACHE_HOME"); folder != "" {
		return folder
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(home, ".cache")
}

func run(t *testing.T, env []string, folder, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, complaint.String())
	}
	return out.String()
}

func TestAShallowCloneSaysHowToGetThePreviousRelease(t *testing.T) {
	clone := filepath.Join(t.TempDir(), "clone")
	top := strings.TrimSpace(run(t, nil, ".", "git", "rev-parse", "--show-toplevel"))
	run(t, nil, ".", "git", "clone", "--quiet", "--depth=1", "file://"+top, clone)
	cmd := exec.CommandContext(t.Context(), filepath.Join(clone, "hack", "test", "upgrade", "previous.sh"))
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "git fetch --unshallow --tags") {
		t.Errorf("previous.sh ended with %v and said: %s", err, out)
	}
	run(t, nil, clone, "git", "fetch", "--quiet", "--unshallow", "--tags")
	if got, want := run(t, nil, clone, "hack/test/upgrade/previous.sh"), run(t, nil, ".", "./previous.sh"); got != want {
		t.Errorf("with the whole history the previous release is %s, want %s", got, want)
	}
}
