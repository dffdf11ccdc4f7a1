// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// root is the top of the checkout, relative to the package's folder.
const root = "../../.."

const chart = root + "/config/chart"

// namespace is where config/default installs.
const namespace = "image-catalog-system"

// tool returns the path of a tool, and builds it if it doesn't exist.
func tool(t *testing.T, name, module string) string {
	t.Helper()
	pinned, err := os.ReadFile(root + "/hack/tools/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(regexp.QuoteMeta(module) + " (v\\S+)").FindSubmatch(pinned)
	if version == nil {
		t.Fatalf("hack/tools/go.mod doesn't pin %s", module)
	}
	target := fmt.Sprintf("bin/tools/%s-%s", name, version[1])
	makeTarget(t, nil, target)
	path, err := filepath.Abs(filepath.Join(root, target))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// makeTarget runs make in the checkout, independent of a make that may have started the tests.
func makeTarget(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", append([]string{"--silent", "--directory=" + root}, args...)...)
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=", "MFLAGS=")
	return run(t, cmd, env)
}

// run runs a command and returns its output. It fails the test if the command fails.
func run(t *testing.T, cmd *exec.Cmd, env []string) string {
	t.Helper()
	out, err := attempt(cmd, env)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func attempt(cmd *exec.Cmd, env []string) (string, error) {
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, env...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, &out, &complaint)
	}
	return out.String(), nil
}

// parse parses YAML documents.
func parse(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// key returns the kind and name of an object.
func key(o *unstructured.Unstructured) string {
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}

// deployment returns the Deployment among objects.
func deployment(t *testing.T, objects []*unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == "Deployment" {
			return o
		}
	}
	t.Fatal("there is no Deployment")
	return nil
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
