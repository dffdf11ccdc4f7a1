// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// goMod returns the requirements of a folder's go.mod by module path.
func goMod(t *testing.T, folder string) (goVersion string, requires map[string]string) {
	t.Helper()
	requires = map[string]string{}
	replaced := false
	for text := range strings.Lines(read(t, path.Join(folder, "go.mod"))) {
		text, _, _ = strings.Cut(text, "//")
		words := strings.Fields(text)
		switch {
		case len(words) == 2 && words[0] == "go":
			goVersion = words[1]
		case len(words) > 0 && words[0] == "replace":
			replaced = true
		case len(words) > 0 && words[0] == ")":
			replaced = false
		case replaced: // the replacement has the version
			if len(words) == 4 && words[1] == "=>" {
				requires[words[0]] = words[3]
			}
		case len(words) == 3 && words[0] == "require":
			if _, ok := requires[words[1]]; !ok {
				requires[words[1]] = words[2]
			}
		case len(words) == 2 && strings.HasPrefix(words[1], "v"):
			requires[words[0]] = words[1]
		}
	}
	return goVersion, requires
}

func modules(t *testing.T) []string {
	t.Helper()
	var folders []string
	for _, file := range files(t, func(p string) bool { return path.Base(p) == "go.mod" }) {
		folders = append(folders, path.Dir(file))
	}
	return folders
}

func TestModulesAgreeOnVersions(t *testing.T) {
	goVersion, requires := goMod(t, ".")
	_, controlPlane := goMod(t, "hack/controlplane")

	// v1.37.2 of Kubernetes is v0.37.2 of its libraries.
	kubernetes := controlPlane["k8s.io/kubernetes"]
	libraries := strings.Replace(kubernetes, "v1.", "v0.", 1)
	for _, library := range []string{"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go"} {
		if requires[library] != libraries {
			t.Errorf("go.mod requires %s %s, but hack/controlplane builds Kubernetes %s: change them together, so that tests run against the "+
				"version the operator is made for", library, requires[library], kubernetes)
		}
	}

	for _, folder := range modules(t) {
		version, others := goMod(t, folder)
		if strings.HasPrefix(folder, "hack/controlplane") {
			replacesAgree(t, folder, others)
		}
		if version != goVersion {
			t.Errorf("%s/go.mod says go %s and go.mod says go %s: one version of Go is what a contributor needs, so write the same", folder,
				version, goVersion)
		}
		if folder != "hack/test" {
			continue // tools and the control plane aren't linked with our code
		}
		for _, shared := range []string{
			"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go", "sigs.k8s.io/controller-runtime", sdk + "/common", sdk + "/cvm",
		} {
			if others[shared] != "" && others[shared] != requires[shared] {
				t.Errorf("%s/go.mod requires %s %s and go.mod %s: the tests must be made of what ships", folder, shared, others[shared],
					requires[shared])
			}
		}
	}

	minor := strings.Join(strings.SplitN(goVersion, ".", 3)[:2], ".")
	if image := "ARG GO_IMAGE=golang:" + minor; !slices.ContainsFunc(strings.Split(read(t, "Dockerfile"), "\n"), func(line string) bool {
		return strings.HasPrefix(line, image+".") || strings.HasPrefix(line, image+"@")
	}) {
		t.Errorf("go.mod says go %s, but the Dockerfile has no line that begins with %q: compile with the same release everywhere", goVersion, image)
	}
}

// replacesAgree checks that a control plane is of one version of Kubernetes.
func replacesAgree(t *testing.T, folder string, requires map[string]string) {
	t.Helper()
	kubernetes := requires["k8s.io/kubernetes"]
	libraries := strings.Replace(kubernetes, "v1.", "v0.", 1)
	for library, version := range requires {
		if strings.HasPrefix(library, "k8s.io/") && strings.HasPrefix(version, "v0.") && !strings.HasPrefix(version, "v0.0.0-") &&
			version != libraries {
			t.Errorf("%s/go.mod has %s %s beside k8s.io/kubernetes %s: its replace lines must all say %s", folder, library, version,
				kubernetes, libraries)
		}
	}
}

func TestGeneratedFilesComeFromThePinnedTools(t *testing.T) {
	_, tools := goMod(t, "hack/tools")
	want := tools["sigs.k8s.io/controller-tools"]
	for _, file := range files(t, func(p string) bool { return path.Dir(p) == "config/crd/bases" }) {
		if got := crd(t, file).Metadata.Annotations["controller-gen.kubebuilder.io/version"]; got != want {
			t.Errorf("%s was written by controller-gen %s, and hack/tools pins %s: run make manifests", file, got, want)
		}
	}
}

// TestProjectAndCRDsAgree also finds files left behind when a kind is removed.
func TestProjectAndCRDsAgree(t *testing.T) {
	var project struct {
		Resources []struct {
			API            struct{ Namespaced bool }
			Domain, Kind   string
			Version, Group string
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "PROJECT")), &project); err != nil {
		t.Fatalf("PROJECT isn't YAML: %v", err)
	}
	var inProject, inCRDs []string
	for _, resource := range project.Resources {
		group := strings.TrimPrefix(resource.Group+"."+resource.Domain, ".")
		scope := "Cluster"
		if resource.API.Namespaced {
			scope = "Namespaced"
		}
		inProject = append(inProject, strings.Join([]string{group, resource.Version, resource.Kind, scope}, " "))
	}
	for _, file := range files(t, func(p string) bool { return path.Dir(p) == "config/crd/bases" }) {
		spec := crd(t, file).Spec
		for _, version := range spec.Versions {
			inCRDs = append(inCRDs, strings.Join([]string{spec.Group, version.Name, spec.Names.Kind, spec.Scope}, " "))
		}
	}
	slices.Sort(inProject)
	slices.Sort(inCRDs)
	if !slices.Equal(inProject, inCRDs) {
		t.Errorf("PROJECT has the kinds %q and config/crd/bases has %q: they describe the same API, so correct the one that is out of date",
			inProject, inCRDs)
	}
}

type customResourceDefinition struct {
	Metadata struct{ Annotations map[string]string }
	Spec     struct {
		Group, Scope string
		Names        struct{ Kind string }
		Versions     []struct{ Name string }
	}
}

func crd(t *testing.T, file string) customResourceDefinition {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatalf("%s can't be read: %v", file, err)
	}
	var found customResourceDefinition
	if err := yaml.Unmarshal(content, &found); err != nil {
		t.Fatalf("%s isn't a CRD: %v", file, err)
	}
	return found
}
