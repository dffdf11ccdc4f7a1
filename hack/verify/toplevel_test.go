// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"os"
	"slices"
	"testing"
)

// The top level is what newcomers see first. Everything else belongs into one of the folders.
var (
	topLevel = []string{
		"Dockerfile", "LICENSE", "Makefile", "PROJECT", "README.md", "SECURITY.md",
		"api", "config", "controllers", "docs", "go.mod", "go.sum", "hack", "main.go",
		// Dotfiles that a tool or a forge requires at the top.
		".ci", ".dockerignore", ".github", ".gitignore", ".golangci.yml",
	}
	// Not part of the repository: Git's own files, and those in .gitignore.
	notOurs = []string{".DS_Store", ".git", ".idea", ".vscode", "bin", "dist", "go.work", "go.work.sum"}
)

func TestTopLevelHoldsOnlyWhatTheDesignNames(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatalf("reading the top level: %v", err)
	}
	for _, entry := range entries {
		if !slices.Contains(topLevel, entry.Name()) && !slices.Contains(notOurs, entry.Name()) {
			t.Errorf("%s doesn't belong at the top level: move it into hack (doesn't ship), config (a cluster consumes it), docs, or beside "+
				"the code that needs it", entry.Name())
		}
	}
}
