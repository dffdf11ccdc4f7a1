// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
)

// executed is what a call of the binary comes to.
type executed struct {
	code             int
	out, errOut      string
	program, command string
}

// call runs the binary's commands in this process. The command is the arguments, separated by spaces.
func call(t *testing.T, program, arguments string) executed {
	t.Helper()
	var out, errOut bytes.Buffer
	code := execute(t.Context(), program, strings.Fields(arguments), &out, &errOut)
	return executed{code: code, out: out.String(), errOut: errOut.String(), program: program, command: arguments}
}

// expect compares what a call printed with parts of it; an empty part expects nothing at all.
func (e executed) expect(t *testing.T, code int, out, errOut string) {
	t.Helper()
	if e.code != code || !has(e.out, out) || !has(e.errOut, errOut) {
		t.Errorf("%s %s ends with %d, want %d\nstdout, want %q:\n%s\nstderr, want %q:\n%s",
			e.program, e.command, e.code, code, out, e.out, errOut, e.errOut)
	}
}

func has(text, part string) bool { return strings.Contains(text, part) && (part != "" || text == "") }

func TestWithoutACommandItIsTheOperator(t *testing.T) {
	t.Setenv("KUBECONFIG", "/nowhere")
	const needsACluster = "manager: finding the cluster: "
	call(t, "/manager", "").expect(t, 1, "", needsACluster)
	call(t, "manager", "--leader-elect --concurrent 2").expect(t, 1, "", needsACluster)
	call(t, "manager", "-leader-elect -concurrent=2 -zap-log-level debug").expect(t, 1, "", needsACluster)
	call(t, "manager", "--kubeconfig completion").expect(t, 1, "", "completion: no such file")
	call(t, "manager", "--concurrent=0").expect(t, 1, "", "manager: --concurrent must be at least 1")
	call(t, "manager", "--no-such").expect(t, 1, "", "manager: flag provided but not defined: -no-such")
	call(t, "manager", "--leader-elect preview").expect(t, 1, "", `manager: nothing but flags is understood, got "preview"`)
	call(t, "manager", "no-such").expect(t, 1, "", `manager: unknown command "no-such"`)
}

func TestThePluginIsNoOperator(t *testing.T) {
	for _, program := range []string{"kubectl-imgq", "/usr/local/bin/kubectl-imgq", "kubectl-imgq.exe"} {
		call(t, program, "--leader-elect").expect(t, 1, "", "kubectl imgq: unknown flag: --leader-elect")
		call(t, program, "").expect(t, 0, "kubectl imgq [command]", "")
	}
}

func TestHelpVersionAndCompletion(t *testing.T) {
	version := ", commit "
	call(t, "manager", "--version").expect(t, 0, version+"unknown, "+runtime.Version(), "")
	call(t, "kubectl-imgq", "--version").expect(t, 0, version, "")
	for _, help := range []string{"--help", "-h", "help"} {
		call(t, "manager", help).expect(t, 0, "--cvm-qps", "")
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		call(t, "manager", "completion "+shell).expect(t, 0, "__complete", "")
	}
	for _, command := range []string{"preview", "record", "status", "why", "id", "approve"} {
		call(t, "kubectl-imgq", command+" --help").expect(t, 0, "Examples:", "")
	}
	call(t, "manager", "__complete --cvm").expect(t, 0, "--cvm-qps", "Completion ended")
}
