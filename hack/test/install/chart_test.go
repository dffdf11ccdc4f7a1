// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

var update = flag.Bool("update", false, "write the golden renderings anew")

// keepCRDs is the only annotation that the chart adds to an object of config.
const keepCRDs = "helm.sh/resource-policy"

// nameLabel is used by selectors. packageLabels state what installed an object, which differs between kustomize and
// Helm.
const nameLabel = "app.kubernetes.io/name"

var packageLabels = []string{"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"}

// oldest is the oldest supported Kubernetes.
const oldest = "v1.31.0"

// helmCommand returns helm without the caller's configuration, repositories and plugins.
func helmCommand(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	home := t.TempDir()
	cmd := exec.CommandContext(ctx, tool(t, "helm", "helm.sh/helm/v3"), args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	return cmd
}

// render renders the chart with values.
func render(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return attempt(helmCommand(t.Context(), t, append([]string{
		"template", "image-catalog", chart, "--namespace", namespace, "--kube-version", oldest,
	}, args...)...), nil)
}

// valueSets returns the files of values that the chart is tested with, by name.
func valueSets(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(chart + "/ci/*-values.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("there are %d sets of values: %v", len(files), err)
	}
	sets := map[string]string{}
	for _, file := range files {
		sets[strings.TrimSuffix(filepath.Base(file), "-values.yaml")] = file
	}
	return sets
}

func TestTheChartRendersWhatConfigDefaultHas(t *testing.T) {
	makeTarget(t, nil, "installer", "IMG=ghcr.io/image-catalog/image-catalog-operator:dev")
	text, err := render(t)
	if err != nil {
		t.Fatal(err)
	}
	want, got := parse(t, readInstaller(t)), parse(t, text)

	// Helm stores a release's records in the namespace, so it must exist before the release.
	want = slices.DeleteFunc(want, func(o *unstructured.Unstructured) bool { return key(o) == "Namespace /"+namespace })

	for _, o := range got {
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		annotations := o.GetAnnotations()
		if annotations[keepCRDs] != "keep" {
			t.Errorf("%s would be deleted with the release, and the catalogue with it", key(o))
		}
		delete(annotations, keepCRDs)
		o.SetAnnotations(annotations)
	}
	same(t, "config/default", want, got)
}

// Options that are off by default render the same as the corresponding folder of config.
func TestTheChartRendersTheFoldersOfConfig(t *testing.T) {
	for folder, args := range map[string][]string{
		"config/network-policy": {"--set", "networkPolicy.enabled=true"},
		"config/prometheus": {
			"--set", "metricsCertificate.secretName=image-catalog-operator-metrics-certificate",
			"--set", "serviceMonitor.enabled=true", "--set", "prometheusRule.enabled=true",
		},
		"config/grafana": {"--set", "grafanaDashboard.enabled=true"},
	} {
		kustomize := tool(t, "kustomize", "sigs.k8s.io/kustomize/kustomize/v5")
		shipped := run(t, exec.CommandContext(t.Context(), kustomize, "build", filepath.Join(root, folder)), nil)
		text, err := render(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		want := parse(t, shipped)
		kept := map[string]bool{}
		for _, o := range want {
			kept[key(o)] = true
		}
		got := slices.DeleteFunc(parse(t, text), func(o *unstructured.Unstructured) bool { return !kept[key(o)] })
		same(t, folder, want, got)
	}
}

// same compares objects of config with those of the chart, except for the labels of the installer.
func same(t *testing.T, folder string, want, got []*unstructured.Unstructured) {
	t.Helper()
	for _, o := range slices.Concat(want, got) {
		for _, path := range labelPaths(o) {
			for _, label := range packageLabels {
				unstructured.RemoveNestedField(o.Object, append(path, label)...)
			}
		}
	}
	if diff := cmp.Diff(byKey(t, want), byKey(t, got)); diff != "" {
		t.Errorf("%s (-) and the chart (+) differ:\n%s", folder, diff)
	}
}

// labelPaths returns where an object has labels: its own, and those of its pods.
func labelPaths(o *unstructured.Unstructured) [][]string {
	paths := [][]string{{"metadata", "labels"}}
	if o.GetKind() == "Deployment" {
		paths = append(paths, []string{"spec", "template", "metadata", "labels"})
	}
	return paths
}

// Every object has the standard labels. Selectors must not change with a version or a release's values.
func TestEveryObjectHasTheStandardLabelsAndNoSelectorDoes(t *testing.T) {
	// null resets a value, even an empty one.
	if _, err := render(t, "--set", "commonLabels=null,podLabels=null"); err != nil {
		t.Error(err)
	}
	for name, file := range valueSets(t) {
		text, err := render(t, "--values", file, "--set", "commonLabels.cost-centre=images")
		if err != nil {
			t.Fatal(err)
		}
		objects := parse(t, text)
		operator := deployment(t, objects).GetName()
		for _, o := range objects {
			named := operator
			if strings.HasSuffix(o.GetName(), "-page") {
				named += "-page" // pods of their own, which the operator's selectors must not find
			}
			for _, path := range labelPaths(o) {
				labels, _, _ := unstructured.NestedStringMap(o.Object, path...)
				for label, want := range map[string]string{
					nameLabel: named, packageLabels[0]: "image-catalog", packageLabels[1]: "dev", packageLabels[2]: "Helm",
					packageLabels[3]: "image-catalog-operator-0.0.0-dev", "cost-centre": "images",
				} {
					if labels[label] != want {
						t.Errorf("%s: %s has the label %s=%q at %v, want %q", name, key(o), label, labels[label], path, want)
					}
				}
			}
			if selector := podSelector(o); selector != nil && !maps.Equal(selector, map[string]string{nameLabel: named}) {
				t.Errorf("%s: %s selects by %v", name, key(o), selector)
			}
		}
	}
}

// podSelector returns the selector of pods, or of the pods' Service, or nil.
func podSelector(o *unstructured.Unstructured) map[string]string {
	for _, path := range [][]string{{"spec", "selector", "matchLabels"}, {"spec", "podSelector", "matchLabels"}, {"spec", "selector"}} {
		if selector, found, err := unstructured.NestedStringMap(o.Object, path...); found && err == nil {
			return selector
		}
	}
	return nil
}

func TestNamesAreThoseThatTheValuesSay(t *testing.T) {
	for values, want := range map[string]string{
		"":                                       "image-catalog-operator",
		"nameOverride=images":                    "image-catalog-images",
		"nameOverride=catalog":                   "image-catalog", // contained in the release's name
		"fullnameOverride=shanghai":              "shanghai",
		"fullnameOverride=x,nameOverride=images": "x",
		"nameOverride=" + strings.Repeat("x", 41): "image-catalog-" + strings.Repeat("x", 41),
		"nameOverride=" + strings.Repeat("x", 55): "image-catalog-" + strings.Repeat("x", 41),
	} {
		text, err := render(t, "--set", values)
		if err != nil {
			t.Fatal(err)
		}
		if got := deployment(t, parse(t, text)).GetName(); got != want {
			t.Errorf("with %q the Deployment is called %s, want %s", values, got, want)
		}
	}
}

func byKey(t *testing.T, objects []*unstructured.Unstructured) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for _, o := range objects {
		if out[key(o)] != nil {
			t.Errorf("%s is there twice", key(o))
		}
		out[key(o)] = o.Object
	}
	return out
}

// The golden files show the effect of a template change in a review. They omit what is copied unchanged from config:
// the CRDs, the alerts and the dashboard.
func TestRenderingsAreTheGoldenOnes(t *testing.T) {
	for name, file := range valueSets(t) {
		text, err := render(t, "--values", file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got strings.Builder
		for _, o := range parse(t, text) {
			switch o.GetKind() {
			case "CustomResourceDefinition":
				continue
			case "PrometheusRule":
				delete(o.Object, "spec")
			case "ConfigMap":
				delete(o.Object, "data")
			}
			document, err := yaml.Marshal(o.Object)
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString("---\n" + string(document))
		}
		golden := filepath.Join("testdata", name+".yaml")
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Errorf("%v: run go test ./install -run %s -update in hack/test", err, t.Name())
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-) and the rendering (+) differ; if that is meant, run go test ./install -run %s -update in hack/test:\n%s",
				golden, t.Name(), diff)
		}
	}
}

// The API server doesn't know the Prometheus operator's kinds. This is the minimal definition that admits them.
const prometheusOperatorKind = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %[2]s.monitoring.coreos.com
  annotations: {api-approved.kubernetes.io: "https://github.com/prometheus-operator/prometheus-operator"}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: %[1]s, listKind: %[1]sList, plural: %[2]s, singular: %[3]s}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

func TestTheAPIServerTakesEveryRendering(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Empty: true, WithoutControllers: true, WithoutAudit: true})
	for _, kind := range []string{"ServiceMonitor", "PrometheusRule"} {
		singular := strings.ToLower(kind)
		c.Apply(fmt.Sprintf(prometheusOperatorKind, kind, singular+"s", singular))
	}
	c.Apply(`{apiVersion: v1, kind: Namespace,
		metadata: {name: image-catalog-system, labels: {pod-security.kubernetes.io/enforce: restricted}}}`)
	for _, consenting := range []string{"team-a", "team-b"} { // everything-values.yaml
		c.Kubectl("", "create", "namespace", consenting)
	}
	c.Kubectl("", "wait", "--for=condition=Established",
		"crd/servicemonitors.monitoring.coreos.com", "crd/prometheusrules.monitoring.coreos.com")
	for name, file := range valueSets(t) {
		text, err := render(t, "--values", file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		objects := parse(t, text)
		for _, o := range objects {
			err := c.Client.Create(c.Context(), o.DeepCopy(), client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
			if err != nil {
				t.Errorf("%s: %s: %v", name, key(o), err)
			}
		}
		if err := admit(c, deployment(t, objects)); err != nil {
			t.Errorf("%s: its pod is refused where the Pod Security Standard restricted is enforced: %v", name, err)
		}
	}
}

// admit asks the API server to admit the pod of a Deployment.
func admit(c *cluster.Cluster, deployment *unstructured.Unstructured) error {
	template, _, err := unstructured.NestedMap(deployment.Object, "spec", "template")
	if err != nil {
		return err
	}
	pod := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, pod); err != nil {
		return err
	}
	pod.Namespace, pod.Name = namespace, "manager"
	pod.Spec.ServiceAccountName = "" // the chart's ServiceAccount doesn't exist in a dry run
	pod.Spec.AutomountServiceAccountToken = new(false)
	return c.Client.Create(c.Context(), pod, client.DryRunAll)
}

// Otherwise a misspelt argument would only be found by a crashing pod.
func TestTheManagerHasEveryFlagOfTheChart(t *testing.T) {
	makeTarget(t, nil, "build")
	usage, _ := exec.CommandContext(t.Context(), root+"/bin/manager", "-help").CombinedOutput()
	flags := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^ +--([a-z-]+)`).FindAllSubmatch(usage, -1) {
		flags[string(found[1])] = true
	}
	if len(flags) < 10 {
		t.Fatalf("the manager's -help shows only %d flags", len(flags))
	}
	for name, file := range valueSets(t) {
		text, err := render(t, "--values", file)
		if err != nil {
			t.Fatal(err)
		}
		for _, argument := range arguments(t, deployment(t, parse(t, text))) {
			flag, _, _ := strings.Cut(strings.TrimPrefix(argument, "--"), "=")
			if !flags[flag] {
				t.Errorf("%s has the argument %s, and the manager has no such flag", name, argument)
			}
		}
	}
}

// container returns the manager's container of a Deployment.
func container(t *testing.T, deployment *unstructured.Unstructured) corev1.Container {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		t.Fatalf("the Deployment has %d containers: %v", len(containers), err)
	}
	var found corev1.Container
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(containers[0].(map[string]any), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

func arguments(t *testing.T, deployment *unstructured.Unstructured) []string {
	t.Helper()
	return container(t, deployment).Args
}

func TestValuesThatCannotWorkAreRefused(t *testing.T) {
	for what, tc := range map[string]struct{ value, want string }{
		"a misspelt value":              {"replica=3", "replica"},
		"no replica":                    {"replicaCount=0", "replicaCount"},
		"an unknown kind of identity":   {"defaultCredentials=profile", "defaultCredentials"},
		"an endpoint with a path":       {"cloud.cvmEndpoint=example.com/x", "cvmEndpoint"},
		"a placeholder for no region":   {"cloud.cvmEndpoint=cvm.{zone}.example.com", "cvmEndpoint"},
		"more than the cloud admits":    {"cloud.qps=41", "qps"},
		"a digest that is none":         {"image.digest=latest", "digest"},
		"an argument that is no flag":   {"extraArgs[0]=leader-elect", "extraArgs"},
		"a limit that Go can't read":    {"goMemLimit=460Mi", "goMemLimit"},
		"a reader without a namespace":  {"rbac.metricsReaders[0].name=prometheus", "namespace"},
		"a log level that is none":      {"logLevel=warn", "logLevel"},
		"a DNS policy that is none":     {"dnsPolicy=Never", "value must be one of"},
		"an alias without a name":       {"hostAliases[0].ip=10.0.0.9", "missing property 'hostnames'"},
		"a mount without a path":        {"volumeMounts[0].name=ca", "missing property 'mountPath'"},
		"a writer that is no account":   {"admissionPolicy.writers[0]=image-catalog-system/shanghai", "writers"},
		"a name that no object has":     {"fullnameOverride=Shanghai", "fullnameOverride"},
		"an account without quotes":     {"defaultAccountID=100000000001,defaultCredentials=env", "defaultAccountID"},
		"a standard label of one's own": {"commonLabels.app\\.kubernetes\\.io/name=images", "commonLabels"},
		"a timeout without a unit":      {"serviceMonitor.scrapeTimeout=20", "scrapeTimeout"},
		"a strategy that is none":       {"strategy.type=BlueGreen", "strategy"},
		"a scrape that checks nothing":  {"serviceMonitor.enabled=true", "metricsCertificate.secretName"},
	} {
		if _, err := render(t, "--set", tc.value); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s (%s) is to be refused with the name %s, but: %v", what, tc.value, tc.want, err)
		}
	}
}

// The manager would refuse to start.
func TestAnAccountIDBesideASecretIsRefused(t *testing.T) {
	_, err := render(t, "--set-string", "defaultAccountID=100000000001")
	if err == nil || !strings.Contains(err.Error(), "a Secret says it by its key accountID") {
		t.Errorf("an account for the keys of a Secret is to be refused with what to do instead, but: %v", err)
	}
}

// The schema and the values must agree. config/chart/README.md documents both.
func TestTheSchemaKnowsExactlyTheValues(t *testing.T) {
	var values, schema map[string]any
	for file, into := range map[string]*map[string]any{"values.yaml": &values, "values.schema.json": &schema} {
		content, err := os.ReadFile(filepath.Join(chart, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(content, into); err != nil {
			t.Fatal(err)
		}
	}
	delete(schema["properties"].(map[string]any), "global")
	compareValues(t, "", values, schema["properties"].(map[string]any))
}

func compareValues(t *testing.T, parent string, values, properties map[string]any) {
	t.Helper()
	for name := range properties {
		if _, ok := values[name]; !ok {
			t.Errorf("values.yaml doesn't show %s%s", parent, name)
		}
	}
	for name, value := range values {
		property, ok := properties[name].(map[string]any)
		if !ok {
			t.Errorf("values.schema.json doesn't describe %s%s", parent, name)
			continue
		}
		// An empty object is defined by Kubernetes, so the schema may have more properties.
		inner, isObject := value.(map[string]any)
		if known, ok := property["properties"].(map[string]any); ok && isObject && len(inner) > 0 {
			compareValues(t, parent+name+".", inner, known)
		}
	}
}

// The examples that Artifact Hub shows must work.
func TestTheExamplesOfTheChartAreTaken(t *testing.T) {
	var metadata struct{ Annotations map[string]string }
	content, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, &metadata); err != nil {
		t.Fatal(err)
	}
	var examples []map[string]any
	if err := yaml.Unmarshal([]byte(metadata.Annotations["artifacthub.io/crdsExamples"]), &examples); err != nil || len(examples) == 0 {
		t.Fatalf("Chart.yaml has %d examples: %v", len(examples), err)
	}
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	for _, example := range examples {
		o := &unstructured.Unstructured{Object: example}
		if err := c.Client.Create(c.Context(), o, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
			t.Errorf("%s: %v", key(o), err)
		}
	}
}
