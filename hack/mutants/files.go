// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// filesOf returns the files to mutate, by folder: those of the scope that differ from a commit and match a regular expression,
// if there is one.
func filesOf(ctx context.Context, since, only string) (map[string][]string, error) {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	changed, err := changedSince(ctx, since)
	if err != nil {
		return nil, err
	}
	files := map[string][]string{}
	for folder, part := range scope {
		found, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			name := path.Base(file)
			if !strings.HasSuffix(name, "_test.go") && part.files.MatchString(name) && wanted.MatchString(file) && (since == "" || changed[file]) {
				files[folder] = append(files[folder], file)
			}
		}
	}
	return files, nil
}

// changedSince returns the files that differ from the commit at which the work tree left another one.
func changedSince(ctx context.Context, commit string) (map[string]bool, error) {
	if commit == "" {
		return nil, nil
	}
	out, err := exec.CommandContext(ctx, "git", "diff", "--name-only", "--merge-base", commit).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("git can't compare with %s: %s", commit, out)
	}
	changed := map[string]bool{}
	for file := range strings.FieldsSeq(string(out)) {
		changed[file] = true
	}
	return changed, nil
}
