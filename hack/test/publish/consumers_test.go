// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/fluxcd/pkg/envsubst"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

const root = "../../.."

// recipes are the blocks of docs/consumers.md and docs/consumers-infrastructure.md.
type recipes struct {
	*cluster.Cluster

	t     *testing.T
	cloud *cluster.Cloud
	page  string
}

// The recipes of both pages, as they stand there.
func TestConsumers(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	var page strings.Builder
	for _, name := range []string{"consumers.md", "consumers-infrastructure.md"} {
		content, err := os.ReadFile(root + "/docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		page.Write(content)
	}
	c.Kubectl("", "apply", "-f", "testdata/kinds.yaml")
	c.Kubectl("", "wait", "--for=condition=Established", "crd", "--all")
	r := &recipes{Cluster: c, t: t, page: page.String(), cloud: c.StartCloud("-public=false", "-private=0", "-shared=0")}
	r.cloud.Put(region, image("img-amd00001", "x86_64", 1), image("img-arm00001", "arm", 1))
	c.ConsentIn(docsNamespace)
	c.StartManager(r.cloud, "--publish-namespaces="+docsNamespace)
	c.ApplyQuery("name: "+docsQuery, "region: "+region)
	r.apply(r.block("A ConfigMap with the selection", "yaml", 0))
	r.untilPublished("img-amd00001")
	for _, recipe := range []struct {
		section string
		try     func(*recipes)
	}{
		{"Flux", (*recipes).flux},
		{"Argo CD", (*recipes).argo},
		{"Helm", (*recipes).helm},
		{"Kustomize", (*recipes).kustomize},
		{"envFrom", (*recipes).envFrom},
		{"Terraform", (*recipes).terraform},
		{"kro", (*recipes).kro},
		{"Crossplane", (*recipes).crossplane},
		{"Cluster API", (*recipes).clusterAPI},
		{"TKE", (*recipes).tke},
	} {
		t.Run(recipe.section, func(t *testing.T) {
			bound := *r
			bound.t, bound.Cluster = t, c.For(lasting{T: t, all: c})
			recipe.try(&bound)
		})
	}
}

// What the pages call things.
const docsNamespace, docsQuery, docsConfigMap = "default", "tke-nodes", "images"

// lasting starts processes that outlive the subtest.
type lasting struct {
	*testing.T
	all cluster.T
}

func (l lasting) Cleanup(f func()) { l.all.Cleanup(f) }

// block returns a fenced block of a section, by its kind and its number among those.
func (r *recipes) block(section, kind string, number int) string {
	r.t.Helper()
	_, text, found := strings.Cut(r.page, "\n## "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	blocks := regexp.MustCompile("(?ms)^```"+regexp.QuoteMeta(kind)+"\n(.*?)^```").FindAllStringSubmatch(text, -1)
	if !found || len(blocks) <= number {
		r.t.Fatalf("docs/consumers*.md have no block %d of the kind %q below %q", number, kind, section)
	}
	return blocks[number][1]
}

// apply applies a manifest, in which every field must be one that its kind has, and returns what is there then.
func (r *recipes) apply(manifest string) *unstructured.Unstructured {
	r.t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict([]byte(manifest), &o.Object); err != nil {
		r.t.Fatalf("%v:\n%s", err, manifest)
	}
	err := r.Client.Patch(r.t.Context(), o, client.RawPatch("application/apply-patch+yaml", []byte(manifest)),
		client.FieldOwner("consumer"), client.ForceOwnership, client.FieldValidation(metav1.FieldValidationStrict))
	if err != nil {
		r.t.Fatalf("%v:\n%s", err, manifest)
	}
	return o
}

// field returns a text within an object.
func (r *recipes) field(o map[string]any, path ...string) string {
	r.t.Helper()
	text, found, err := unstructured.NestedString(o, path...)
	if err != nil || !found {
		r.t.Fatalf("there is no %s in %v: %v", strings.Join(path, "."), o, err)
	}
	return text
}

// live returns the ConfigMap that the operator fills.
func (r *recipes) live() *corev1.ConfigMap { return read(r.Cluster, docsNamespace, docsConfigMap) }

func (r *recipes) untilPublished(amd64 string) {
	r.t.Helper()
	r.Until("the ConfigMap has "+amd64, func(context.Context) error {
		if got := r.live(); got.Data["image_id_amd64"] != amd64 {
			return fmt.Errorf("it has %v", got.Data)
		}
		return nil
	})
}

// amd64 and arm64 are what the query selects now.
func (r *recipes) amd64() string { return r.selected("amd64") }
func (r *recipes) arm64() string { return r.selected("arm64") }

func (r *recipes) selected(architecture imagev1alpha1.Architecture) string {
	r.t.Helper()
	image, ok := imagev1alpha1.Selected(r.Query(docsQuery), architecture)
	if !ok {
		r.t.Fatalf("nothing is selected of %s", architecture)
	}
	return image.ImageID
}

func (r *recipes) equal(what, got, want string) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("%s is %q, want %q", what, got, want)
	}
}

// variableName is what Flux takes as the name of a variable (fluxcd/pkg/kustomize, kustomize_varsub.go). Another one fails the whole
// Kustomization.
var variableName = regexp.MustCompile(`^[_[:alpha:]][_[:alpha:][:digit:]]*$`)

// substitute does to a manifest what a Kustomization asks for by postBuild.substituteFrom, with Flux's own library, strictly.
func (r *recipes) substitute(kustomization *unstructured.Unstructured, manifest string) string {
	r.t.Helper()
	sources, _, _ := unstructured.NestedSlice(kustomization.Object, "spec", "postBuild", "substituteFrom")
	variables, _, _ := unstructured.NestedStringMap(kustomization.Object, "spec", "postBuild", "substitute")
	if len(variables) == 0 {
		r.t.Error("Flux substitutes nothing as long as there is no variable at all, as before a query's first selection")
	}
	for _, source := range sources {
		for key, value := range read(r.Cluster, kustomization.GetNamespace(), source.(map[string]any)["name"].(string)).Data {
			if !variableName.MatchString(key) {
				r.t.Errorf("Flux refuses the variable %q", key)
			}
			variables[key] = strings.ReplaceAll(value, "\n", "")
		}
	}
	out, err := envsubst.Eval(manifest, func(name string) (string, bool) {
		value, found := variables[name]
		return value, found
	})
	if err != nil {
		r.t.Fatalf("Flux would fail with: %v", err)
	}
	return out
}

// fluxWatches is the default of kustomize-controller's flag --watch-configs-label-selector (v1.9.6).
const fluxWatches = "reconcile.fluxcd.io/watch=Enabled"

// flux follows a new image from the cloud to the substituted manifest, as kustomize-controller does: it watches labelled ConfigMaps.
func (r *recipes) flux() {
	kustomization, manifest := r.apply(r.block("Flux", "yaml", 0)), r.block("Flux", "yaml", 1)
	r.equal("imageID", r.field(r.apply(r.substitute(kustomization, manifest)).Object, "spec", "imageID"), r.amd64())
	checks, _, _ := unstructured.NestedSlice(kustomization.Object, "spec", "healthChecks")
	if checked := checks[0].(map[string]any); checked["kind"] != "ImageQuery" || checked["name"] != docsQuery {
		r.t.Errorf("the Kustomization waits for %v", checked)
	}

	clients, err := kubernetes.NewForConfig(r.Config)
	if err != nil {
		r.t.Fatal(err)
	}
	events, err := clients.CoreV1().ConfigMaps(docsNamespace).Watch(r.t.Context(), metav1.ListOptions{
		LabelSelector: fluxWatches, ResourceVersion: r.live().ResourceVersion,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	defer events.Stop()
	const next = "img-amd00002"
	r.cloud.Put(region, image(next, "x86_64", 2))
	asked := time.Now()
	r.RequestPoll(docsQuery, "a new build")
	published := nextEvent(r.t, events, next)
	r.equal("imageID", r.field(r.apply(r.substitute(kustomization, manifest)).Object, "spec", "imageID"), next)
	applied := time.Now()
	r.equal("the query's selection", r.amd64(), next)
	r.t.Logf("after requestedAt: the ConfigMap %s, the applied manifest %s",
		published.Sub(asked).Round(time.Millisecond), applied.Sub(asked).Round(time.Millisecond))
}

// nextEvent waits until a watch shows a ConfigMap with an image, and returns when.
func nextEvent(t *testing.T, events watch.Interface, amd64 string) time.Time {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case event := <-events.ResultChan():
			if configMap, ok := event.Object.(*corev1.ConfigMap); ok && configMap.Data["image_id_amd64"] == amd64 {
				return time.Now()
			}
		case <-timeout:
			t.Fatalf("the watch shows no ConfigMap with %s", amd64)
		}
	}
}

// argo compares what Argo CD has with what is there, by both ways to apply. kubectl diff has the same semantics: exit code 1 is a
// difference.
func (r *recipes) argo() {
	r.apply(r.block("Argo CD", "yaml", 0))
	manifest := r.block("A ConfigMap with the selection", "yaml", 0)
	for _, flags := range [][]string{{"--server-side", "--force-conflicts"}, nil} {
		r.Kubectl(manifest, append([]string{"apply", "-f", "-"}, flags...)...)
		cmd := r.KubectlCommand(append([]string{"diff", "-f", "-"}, flags...)...)
		cmd.Stdin = strings.NewReader(manifest)
		if out, err := cmd.CombinedOutput(); err != nil {
			r.t.Errorf("with %v the ConfigMap is out of sync: %v\n%s", flags, err, out)
		}
		r.equal("image_id_amd64", r.live().Data["image_id_amd64"], r.amd64())
	}
}

func (r *recipes) helm() {
	chart := r.t.TempDir()
	r.write(chart, "Chart.yaml", "apiVersion: v2\nname: workers\nversion: 0.1.0\n")
	r.write(chart, "templates/nodeclass.yaml", r.block("Helm", "yaml helm", 0))
	helm := func(args ...string) (string, error) {
		cmd := exec.CommandContext(r.t.Context(), tool(r.t, "helm", "helm.sh/helm/v3"), args...)
		home := r.t.TempDir()
		cmd.Env = append(r.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	r.Kubectl("", "delete", "nodeclass", "workers") // another recipe's
	out, err := helm("install", "workers", chart, "--namespace="+docsNamespace, "--dry-run=server")
	if err != nil || !strings.Contains(out, "imageID: "+r.amd64()) {
		r.t.Errorf("helm install: %v\n%s", err, out)
	}
	const refusal = "the ConfigMap images has no key image_id_amd64"
	if out, err := helm("template", "workers", chart); err == nil || !strings.Contains(out, refusal) {
		r.t.Errorf("helm template, which Argo CD runs, must fail rather than leave the image out: %v\n%s", err, out)
	}

	release := r.apply(r.block("Helm", "yaml", 0))
	sources, _, _ := unstructured.NestedSlice(release.Object, "spec", "valuesFrom")
	source := sources[0].(map[string]any)
	value := read(r.Cluster, release.GetNamespace(), r.field(source, "name")).Data[r.field(source, "valuesKey")]
	r.write(chart, "templates/nodeclass.yaml", "imageID: {{ .Values.image.id }}\n")
	out, err = helm("template", "workers", chart, "--set", r.field(source, "targetPath")+"="+value)
	if err != nil || !strings.Contains(out, "imageID: "+r.amd64()) {
		r.t.Errorf("helm template with the value of the HelmRelease: %v\n%s", err, out)
	}
}

func (r *recipes) kustomize() {
	folder := r.t.TempDir()
	r.write(folder, "kustomization.yaml", r.block("Kustomize", "yaml kustomization", 0))
	r.write(folder, "nodeclass.yaml", strings.Replace(r.block("Flux", "yaml", 1), "${image_id_amd64}", "img-unset", 1))
	cmd := exec.CommandContext(r.t.Context(), "sh", "-eu", "-c", r.block("Kustomize", "sh", 0))
	kustomize := tool(r.t, "kustomize", "sigs.k8s.io/kustomize/kustomize/v5")
	r.link(kustomize, filepath.Join(folder, "bin", "kustomize"))
	cmd.Dir = folder
	cmd.Env = r.Environ()
	for i, variable := range cmd.Env {
		if path, ok := strings.CutPrefix(variable, "PATH="); ok {
			cmd.Env[i] = "PATH=" + filepath.Join(folder, "bin") + string(os.PathListSeparator) + path
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	r.equal("imageID", r.field(r.apply(string(out)).Object, "spec", "imageID"), r.amd64())
}

// envFrom expands what a kubelet expands: every key that is the name of a variable; others are left out with an event.
func (r *recipes) envFrom() {
	deployment := r.apply(r.block("envFrom", "yaml", 0))
	containers, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	from, _, _ := unstructured.NestedSlice(containers[0].(map[string]any), "envFrom")
	configMap := read(r.Cluster, deployment.GetNamespace(), r.field(from[0].(map[string]any), "configMapRef", "name"))
	for key := range configMap.Data {
		if wrong := validation.IsEnvVarName(key); len(wrong) > 0 || !identifier.MatchString(key) {
			r.t.Errorf("a shell has no variable %q: %v", key, wrong)
		}
	}
	r.equal("the variable image_id_amd64", configMap.Data["image_id_amd64"], r.amd64())
}

// identifier is the name of a variable in a shell.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// terraform evaluates the expressions with Terraform's own language, given what the two data sources read.
func (r *recipes) terraform() {
	values := r.evaluate(r.block("Terraform", "hcl", 0), "locals", "amd64", "arm64")
	r.equal("local.amd64", values[0], r.amd64())
	r.equal("local.arm64", values[1], r.arm64())
}

func (r *recipes) tke() {
	values := r.evaluate(r.block("TKE", "hcl", 0), "resource", "node_os")
	r.equal("node_os", values[0], r.amd64())
}

// evaluate returns the values of attributes in the first block of a type.
func (r *recipes) evaluate(text, blockType string, attributes ...string) []string {
	r.t.Helper()
	file, problems := hclsyntax.ParseConfig([]byte(text), "docs/consumers-infrastructure.md", hcl.InitialPos)
	if problems.HasErrors() {
		r.t.Fatal(problems)
	}
	var values []string
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		if block.Type != blockType {
			continue
		}
		for _, name := range attributes {
			attribute := block.Body.Attributes[name]
			if attribute == nil {
				r.t.Fatalf("%s has no %s", blockType, name)
			}
			value, problems := attribute.Expr.Value(r.terraformData())
			if problems.HasErrors() {
				r.t.Fatal(problems)
			}
			values = append(values, value.AsString())
		}
	}
	return values
}

// terraformData is what the data sources kubernetes_config_map and kubernetes_resource of hashicorp/kubernetes give: data is a map of
// texts, object is the object as the API server has it. The function one is Terraform's, not the language's.
func (r *recipes) terraformData() *hcl.EvalContext {
	r.t.Helper()
	query := []byte(r.Kubectl("", "get", "imagequery", docsQuery, "-o", "json"))
	object, err := ctyjson.ImpliedType(query)
	if err != nil {
		r.t.Fatal(err)
	}
	decoded, err := ctyjson.Unmarshal(query, object)
	if err != nil {
		r.t.Fatal(err)
	}
	data := map[string]cty.Value{}
	for key, value := range r.live().Data {
		data[key] = cty.StringVal(value)
	}
	one := function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if list := args[0].AsValueSlice(); len(list) == 1 {
				return list[0], nil
			}
			return cty.NilVal, errors.New("must have one element")
		},
	})
	return &hcl.EvalContext{
		Functions: map[string]function.Function{"one": one},
		Variables: map[string]cty.Value{"data": cty.ObjectVal(map[string]cty.Value{
			"kubernetes_config_map": cty.ObjectVal(map[string]cty.Value{"images": cty.ObjectVal(map[string]cty.Value{"data": cty.MapVal(data)})}),
			"kubernetes_resource":   cty.ObjectVal(map[string]cty.Value{"query": cty.ObjectVal(map[string]cty.Value{"object": decoded})}),
		})},
	}
}

// kro resolves the path of an expression in the object that externalRef names. The rest of the language is kro's.
func (r *recipes) kro() {
	definition := r.apply(r.block("kro", "yaml", 0))
	resources, _, _ := unstructured.NestedSlice(definition.Object, "spec", "resources")
	reference, node := resources[0].(map[string]any), resources[1].(map[string]any)
	expression := strings.Trim(r.field(node, "template", "spec", "imageID"), "${}")
	path, ok := strings.CutPrefix(expression, r.field(reference, "id")+".")
	if !ok {
		r.t.Fatalf("%s is about another resource than %v", expression, reference)
	}
	read := &unstructured.Unstructured{Object: reference["externalRef"].(map[string]any)}
	if err := r.Client.Get(r.t.Context(), client.ObjectKeyFromObject(read), read); err != nil {
		r.t.Fatal(err)
	}
	r.equal(expression, r.field(read.Object, strings.Split(path, ".")...), r.amd64())
}

// crossplane renders the template as function-go-templating does: with the request to the function, which has required resources by name.
func (r *recipes) crossplane() {
	composition := r.apply(r.block("Crossplane", "yaml", 0))
	steps, _, _ := unstructured.NestedSlice(composition.Object, "spec", "pipeline")
	step := steps[0].(map[string]any)
	required, _, _ := unstructured.NestedSlice(step, "requirements", "requiredResources")
	selector := required[0].(map[string]any)
	found := &unstructured.Unstructured{Object: map[string]any{"apiVersion": selector["apiVersion"], "kind": selector["kind"]}}
	key := client.ObjectKey{Namespace: r.field(selector, "namespace"), Name: r.field(selector, "name")}
	if err := r.Client.Get(r.t.Context(), key, found); err != nil {
		r.t.Fatal(err)
	}
	parsed, err := template.New("").Option("missingkey=error").Parse(r.field(step, "input", "inline", "template"))
	if err != nil {
		r.t.Fatal(err)
	}
	var out strings.Builder
	request := map[string]any{"requiredResources": map[string]any{
		r.field(selector, "requirementName"): map[string]any{"items": []any{map[string]any{"resource": found.Object}}},
	}}
	if err := parsed.Execute(&out, request); err != nil {
		r.t.Fatal(err)
	}
	named := strings.Replace(out.String(), "metadata:\n", "metadata:\n  name: worker\n", 1) // Crossplane names what is composed
	r.equal("imageId", r.field(r.apply(named).Object, "spec", "forProvider", "imageId"), r.amd64())
}

func (r *recipes) clusterAPI() {
	kustomization := r.apply(r.block("Flux", "yaml", 0))
	made := r.apply(r.substitute(kustomization, r.block("Cluster API", "yaml", 0)))
	variables, _, _ := unstructured.NestedSlice(made.Object, "spec", "topology", "variables")
	r.equal("the variable", r.field(variables[0].(map[string]any), "value"), r.amd64())
}

func (r *recipes) write(folder, name, content string) {
	r.t.Helper()
	path := filepath.Join(folder, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *recipes) link(from, to string) {
	r.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.Symlink(from, to)); err != nil {
		r.t.Fatal(err)
	}
}

// tool builds a tool of make, if it isn't there, and returns its path.
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
	make := exec.CommandContext(t.Context(), "make", "--silent", "--directory="+root, target)
	make.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=", "MFLAGS=")
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	path, err := filepath.Abs(filepath.Join(root, target))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
