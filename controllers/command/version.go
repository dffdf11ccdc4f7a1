// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker (-X). The image needs both: its build has no .git. A build in a checkout finds them in the build info.
var version, commit string

// buildVersion returns the line that --version prints.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return fmt.Sprintf("manager %s, commit %s, %s",
		cmp.Or(version, info.Main.Version, "unknown"), cmp.Or(commit, vcsCommit(info.Settings), "unknown"), runtime.Version())
}

// vcsCommit returns the commit that the go command recorded, with the suffix -dirty if files were changed since; empty if it
// recorded none.
func vcsCommit(settings []debug.BuildSetting) string {
	var revision, suffix string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			suffix = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + suffix
}
