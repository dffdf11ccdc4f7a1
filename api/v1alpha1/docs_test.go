// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const root = "../.."

// documents returns README.md and what is below docs, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{"README.md": read(t, "README.md")}
	err := filepath.WalkDir(root+"/docs", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			name, _ := filepath.Rel(root, path)
			found[name] = read(t, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

var yamlBlock = regexp.MustCompile("(?ms)^```ya?ml\n(.*?)^```")

// What people copy must work: every YAML in the documentation is judged by the API
// server as it stands. One that begins with status is a state of a query. Blocks of another kind (yaml values, yaml
// kustomization) are no objects; the module hack/test tries them.
func TestEveryYAMLInTheDocumentationIsApplied(t *testing.T) {
	api() // starts the server
	if _, err := envtest.InstallCRDs(server.Config, envtest.CRDInstallOptions{CRDs: foreignKinds()}); err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for name, content := range documents(t) {
		for _, found := range yamlBlock.FindAllStringSubmatchIndex(content, -1) {
			block := content[found[2]:found[3]]
			where := fmt.Sprintf("%s:%d", name, 1+strings.Count(content[:found[2]], "\n"))
			for part := range strings.SplitSeq(block, "\n---\n") {
				blocks++
				doc, err := parse(part)
				if err != nil {
					t.Errorf("%s is no YAML: %v", where, err)
					continue
				}
				if err := try(t, doc, part); err != nil {
					t.Errorf("%s: %v", where, err)
				}
			}
		}
	}
	if blocks < 15 {
		t.Errorf("only %d YAML blocks were found", blocks)
	}
}

// foreignKinds are those of other projects that docs/consumers*.md show. Their own schemas aren't here: it is only tried
// that they are objects of such a kind.
func foreignKinds() []*apiextensionsv1.CustomResourceDefinition {
	var crds []*apiextensionsv1.CustomResourceDefinition
	for _, kind := range []struct {
		group, version, kind, plural string
		scope                        apiextensionsv1.ResourceScope
	}{
		{"example.com", "v1", "NodeClass", "nodeclasses", apiextensionsv1.ClusterScoped},
		{"kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations", apiextensionsv1.NamespaceScoped},
		{"helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases", apiextensionsv1.NamespaceScoped},
		{"argoproj.io", "v1alpha1", "Application", "applications", apiextensionsv1.NamespaceScoped},
		{"apiextensions.crossplane.io", "v1", "Composition", "compositions", apiextensionsv1.ClusterScoped},
		{"cluster.x-k8s.io", "v1beta1", "Cluster", "clusters", apiextensionsv1.NamespaceScoped},
		{"kro.run", "v1alpha1", "ResourceGraphDefinition", "resourcegraphdefinitions", apiextensionsv1.ClusterScoped},
		{"kubernetes.crossplane.io", "v1alpha2", "Object", "objects", apiextensionsv1.ClusterScoped},
		{"kyverno.io", "v1", "ClusterPolicy", "clusterpolicies", apiextensionsv1.ClusterScoped},
	} {
		crds = append(crds, &apiextensionsv1.CustomResourceDefinition{
			ObjectMeta: metav1.ObjectMeta{Name: kind.plural + "." + kind.group},
			Spec: apiextensionsv1.CustomResourceDefinitionSpec{
				Group: kind.group, Scope: kind.scope,
				Names: apiextensionsv1.CustomResourceDefinitionNames{
					Plural: kind.plural, Singular: strings.ToLower(kind.kind), Kind: kind.kind,
					ListKind: kind.kind + "List",
				},
				Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
					Name: kind.version, Served: true, Storage: true,
					Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
						Type: "object", Required: []string{"spec"},
						Properties: map[string]apiextensionsv1.JSONSchemaProps{"spec": {Type: "object", XPreserveUnknownFields: new(true)}},
					}},
				}},
			},
		})
	}
	return crds
}

func try(t *testing.T, doc document, part string) error {
	t.Helper()
	how := create
	switch {
	case doc["kind"] == nil && doc["status"] != nil && len(doc) == 1:
		status := doc["status"]
		doc, how = stored("ImageQuery"), updateStatus
		doc["status"] = status
	case doc["apiVersion"] != "imagecatalog.dev/v1alpha1":
		_, err := kubectl(t.Context(), part, "apply", "--server-side", "--dry-run=server", "-f", "-")
		return err
	}
	answer, err := send(t.Context(), how, doc, "fieldValidation", "Strict")
	if err != nil {
		return err
	}
	return decode(doc.kind(), answer)
}

// The reference has a row for every field of both kinds.
func TestTheReferenceNamesEveryField(t *testing.T) {
	reference := read(t, "docs/reference.md")
	for _, kind := range []string{"ImageQuery", "CloudImage"} {
		walk(schemaOf(kind), "", func(path string, _ *apiextensionsv1.JSONSchemaProps) {
			name := path[strings.LastIndex(path, ".")+1:]
			if name == "" || strings.HasSuffix(name, "[]") || strings.HasSuffix(name, "{}") || strings.HasPrefix(path, ".status.conditions[]") {
				return
			}
			if !strings.Contains(reference, "\n| `"+name+"` _") {
				t.Errorf("docs/reference.md has no row for %s of %s: run make generate", path, kind)
			}
		})
	}
}

// A reason is what a person searches for: it has a heading in the pages about an ImageQuery, with the YAML of that state below, and
// there is no heading for a reason that doesn't exist.
func TestThePagesShowTheStateOfEveryReason(t *testing.T) {
	const pages = "docs/imagequery-reasons.md and docs/imagequery-debugging.md"
	page := read(t, "docs/imagequery-reasons.md") + read(t, "docs/imagequery-debugging.md")
	reasons := constants(t, "conditions.go", "Reason")
	if len(reasons) < 10 {
		t.Fatalf("only the reasons %q were found in conditions.go", reasons)
	}
	sections := map[string]string{}
	for _, section := range strings.Split(page, "\n### ")[1:] {
		heading, text, _ := strings.Cut(section, "\n")
		text, _, _ = strings.Cut(text, "\n## ")
		sections[strings.Trim(heading, "`")] = text
	}
	for _, reason := range reasons {
		switch text, ok := sections[reason]; {
		case reason == "ProgressingWithRetry":
			if !strings.Contains(page, "reason: "+reason) {
				t.Errorf("%s have no YAML with the reason %s", pages, reason)
			}
		case !ok:
			t.Errorf("%s have no section for the reason %s", pages, reason)
		case !strings.Contains(text, "reason: "+reason+"\n"):
			t.Errorf("%s: the section %s does not show the YAML of that state", pages, reason)
		}
	}
	for heading := range sections {
		if !slices.Contains(reasons, heading) {
			t.Errorf("%s have a section for %s, which is no reason", pages, heading)
		}
	}
	// A condition's reason stands on a line of its own; those of removals and selections don't.
	for _, found := range regexp.MustCompile(`(?m)^ +reason: (\w+)$`).FindAllStringSubmatch(page, -1) {
		if !slices.Contains(reasons, found[1]) {
			t.Errorf("%s show the reason %s, which doesn't exist", pages, found[1])
		}
	}
	for _, condition := range constants(t, "conditions.go", "Condition") {
		if !strings.Contains(page, "`"+condition+"`") {
			t.Errorf("%s don't name the condition %s", pages, condition)
		}
	}
}

// constants returns the values of a file's string constants whose name begins so.
func constants(t *testing.T, file, prefix string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if literal, ok := spec.Values[i].(*ast.BasicLit); ok && strings.HasPrefix(name.Name, prefix) {
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
		}
		return true
	})
	return values
}
