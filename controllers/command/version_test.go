// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

const root = "../.."

// The linker ignores unknown variables, so a wrong name shows only in the output of the binary.
func TestTheBuildTellsItsVersion(t *testing.T) {
	values := map[string]string{}
	for _, name := range []string{"version", "commit"} {
		values[reflect.TypeFor[options]().PkgPath()+"."+name] = "test-" + name
	}
	var flags []string
	for file, count := range map[string]int{"Makefile": 1, "Dockerfile": 2} {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`-X ([^ =]+)=`).FindAllStringSubmatch(string(content), -1)
		if len(found) != count {
			t.Errorf("%s sets %d variables, want %d", file, len(found), count)
		}
		for _, variable := range found {
			value, ok := values[variable[1]]
			if !ok {
				t.Errorf("%s sets %s, which isn't the version or the commit", file, variable[1])
			}
			flags = append(flags, "-X "+variable[1]+"="+value)
		}
	}
	binary := filepath.Join(t.TempDir(), "manager")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w "+strings.Join(flags, " "), "-o", binary, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), binary, "--version").CombinedOutput()
	if want := "manager test-version, commit test-commit, " + runtime.Version() + "\n"; err != nil || string(out) != want {
		t.Errorf("%v, %q, want %q", err, out, want)
	}
}

func TestCommitOfACheckout(t *testing.T) {
	revision, modified := debug.BuildSetting{Key: "vcs.revision", Value: "e3c851b"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, c := range []struct {
		settings []debug.BuildSetting
		want     string
	}{
		{nil, ""},
		{[]debug.BuildSetting{modified}, ""},
		{[]debug.BuildSetting{revision, {Key: "vcs.modified", Value: "false"}}, "e3c851b"},
		{[]debug.BuildSetting{revision, modified}, "e3c851b-dirty"},
	} {
		if got := vcsCommit(c.settings); got != c.want {
			t.Errorf("%v is %q, want %q", c.settings, got, c.want)
		}
	}
}
