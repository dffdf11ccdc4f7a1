// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// TestMain runs cvmsim if the variable is set, so that tests can run it as a process without building it.
func TestMain(m *testing.M) {
	if os.Getenv("CVMSIM_TEST_RUN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a running cvmsim.
type process struct {
	*exec.Cmd
	stdin io.WriteCloser
	ready ready
}

func launch(t *testing.T, args ...string) process {
	t.Helper()
	p := process{Cmd: exec.CommandContext(t.Context(), os.Args[0], args...)}
	p.Env = append(os.Environ(), "CVMSIM_TEST_RUN=1")
	p.Stderr = t.Output()
	stdin, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &p.ready); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCvmsimServesWhatItsFlagsSay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ready")
	p := launch(t, "-private", "7", "-shared", "2", "-public=false", "-regions", "ap-tokyo,ap-seoul", "-ready-file", file)
	defer func() { _ = p.stdin.Close(); _ = p.Wait() }()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var written ready
	if err := json.Unmarshal(b, &written); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.ready, written); diff != "" {
		t.Errorf("printed and written differ (-printed +written):\n%s", diff)
	}
	c := cvmtest.Dial(p.ready.Control)
	defer c.Close()
	if c.URL() != p.ready.URL {
		t.Errorf("URL %s, want %s", c.URL(), p.ready.URL)
	}
	got := map[string]int{}
	for _, region := range []string{"ap-tokyo", "ap-seoul", "ap-guangzhou"} {
		got[region] = len(c.Images(region))
	}
	if diff := cmp.Diff(map[string]int{"ap-tokyo": 9, "ap-seoul": 9, "ap-guangzhou": 0}, got); diff != "" {
		t.Errorf("images by region (-want +got):\n%s", diff)
	}
}

func TestCvmsimServesThePageExample(t *testing.T) {
	p := launch(t, "-page-example")
	defer func() { _ = p.stdin.Close(); _ = p.Wait() }()
	c := cvmtest.Dial(p.ready.Control)
	defer c.Close()
	private := 0
	for _, img := range c.Images("ap-guangzhou") {
		if img.Owner == cvmtest.DefaultCredential.UIN {
			private++
		}
	}
	if private != 408 {
		t.Errorf("%d private images, want 408", private)
	}
}

func TestCvmsimEnds(t *testing.T) {
	for name, end := range map[string]func(*testing.T, process){
		"when its stdin is closed": func(t *testing.T, p process) {
			t.Helper()
			if err := p.stdin.Close(); err != nil {
				t.Error(err)
			}
		},
		"on SIGTERM": func(t *testing.T, p process) {
			t.Helper()
			if err := p.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		},
		"on SIGINT": func(t *testing.T, p process) {
			t.Helper()
			if err := p.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t)
			end(t, p)
			if err := p.Wait(); err != nil {
				t.Errorf("cvmsim ended with %v", err)
			}
		})
	}
}

func TestDetachedCvmsimGoesOnWithoutStdin(t *testing.T) {
	p := launch(t, "-detach")
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	c := cvmtest.Dial(p.ready.Control)
	defer c.Close()
	for range 20 {
		c.Unknown() // panics when it has ended
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

func TestOnlyAPipeIsWatched(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	got := []bool{isPipe(r), isPipe(null)}
	for _, f := range []*os.File{r, w, null} {
		_ = f.Close()
	}
	if diff := cmp.Diff([]bool{true, false}, got); diff != "" {
		t.Errorf("a pipe and /dev/null (-want +got):\n%s", diff)
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"an unknown flag":                     {"-port", "1"},
		"an argument":                         {"serve"},
		"a rate limit of 0":                   {"-rate-limit", "0"},
		"a control address for everyone":      {"-control", "0.0.0.0:1"},
		"a control address without host":      {"-control", ":1"},
		"a control address without port":      {"-control", "127.0.0.1"},
		"a control address with another name": {"-control", "example.com:1"},
	} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := parse([]string{"-control", "", "-rate-limit", "-1"}, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestItFailsWhenItCannotListenOrWrite(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, args := range map[string][]string{
		"an address of nobody":   {"-addr", "127.0.0.1:x"},
		"a control port of it":   {"-control", "127.0.0.1:x"},
		"a folder that's absent": {"-ready-file", filepath.Join(t.TempDir(), "absent", "ready")},
	} {
		cfg, err := parse(args, io.Discard)
		if err == nil {
			err = run(ctx, cfg, io.Discard)
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestEveryFlagIsDocumented(t *testing.T) {
	var usage strings.Builder
	_, _ = parse([]string{"-help"}, &usage)
	page, err := os.ReadFile("../../docs/simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllStringSubmatch(usage.String(), -1)
	if len(flags) < 10 {
		t.Errorf("found only %d flags in\n%s", len(flags), usage.String())
	}
	for _, f := range flags {
		if !strings.Contains(string(page), "| `-"+f[1]+"` |") {
			t.Errorf("docs/simulator.md does not explain -%s", f[1])
		}
	}
}
