// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	root   = "../.." // tests run in the package's folder
	module = "github.com/image-catalog/image-catalog-operator"
)

// read returns a file of the repository, which must exist: a check that skips missing files would pass on an empty
// folder.
func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatalf("%s can't be read, and this check is about it: %v", path, err)
	}
	return string(content)
}

// files returns the selected paths relative to the top of the repository, without build output (bin, dist), Git's own
// files and fixtures (testdata).
func files(t *testing.T, keep func(path string) bool) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if slices.Contains([]string{".git", "bin", "dist", ".idea", ".vscode"}, rel) || entry.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if keep(rel) {
			found = append(found, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("walking the repository: %v", err)
	}
	if len(found) == 0 {
		t.Fatal("no file was found to check: the check looks in the wrong place")
	}
	return found
}

func goFiles(t *testing.T) []string {
	t.Helper()
	return files(t, func(path string) bool { return strings.HasSuffix(path, ".go") })
}

// matches returns the first group of every match, sorted and without duplicates.
func matches(pattern, text string) []string {
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}
