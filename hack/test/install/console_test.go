// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
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
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

const quickStart = root + "/docs/quick-start.md"

// Each command in a console block of the documentation is run, unless its fence gives the reason why not, and a table that the page
// shows has the columns that kubectl prints. The quick start
// comes first and builds the cluster that the other pages need; its own last step takes it away.
func TestConsoleBlocksRun(t *testing.T) {
	r := &reader{Cluster: cluster.Start(t, cluster.Options{Empty: true, WithoutAudit: true}), t: t}
	page := readFile(t, quickStart)
	begin, cleanUp, found := strings.Cut(page, "\n## 7. Clean up\n")
	if !found {
		t.Fatal("docs/quick-start.md has no section 7, which cleans up")
	}
	r.run(quickStart, begin)
	if n := len(r.Images("golden-images")); n == 0 {
		t.Error("after the quick start there is no CloudImage")
	}
	pages, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(pages, root+"/README.md") {
		if file == quickStart || strings.HasSuffix(file, ".zh-CN.md") { // a translation has the blocks of its original
			continue
		}
		r.run(file, readFile(t, file))
	}
	r.run(quickStart, cleanUp)
}

// The quick start shows the query that it applies.
func TestTheQuickStartShowsTheSample(t *testing.T) {
	var shown, applied imagev1alpha1.ImageQuery
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(readFile(t, quickStart))
	for text, query := range map[string]*imagev1alpha1.ImageQuery{
		block[1]: &shown, readFile(t, root+"/config/samples/private_golden_images.yaml"): &applied,
	} {
		if err := yaml.UnmarshalStrict([]byte(text), query); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(applied.Spec, shown.Spec); diff != "" || shown.Name != applied.Name {
		t.Errorf("%s and %s (-applied +shown):\n%s", applied.Name, shown.Name, diff)
	}
}

// reader follows the documentation like a person with a shell.
type reader struct {
	*cluster.Cluster

	t       *testing.T
	cloud   *cluster.Cloud
	keys    keys
	manager *cluster.Manager
}

var (
	docBlock = regexp.MustCompile("(?ms)^```(console|yaml)\n(.*?)^```")
	ours     = regexp.MustCompile(`(?m)^kind: (ImageQuery|ConfigMap)$`)
)

// run follows one page: it applies the queries and ConfigMaps, and runs the commands, in their order.
func (r *reader) run(file, text string) {
	r.t.Helper()
	for _, block := range docBlock.FindAllStringSubmatch(text, -1) {
		if block[1] == "yaml" {
			if file != quickStart && ours.MatchString(block[2]) { // the quick start applies a file instead
				r.Apply(block[2])
			}
			continue
		}
		for _, step := range stepsIn(block[2]) {
			r.t.Logf("%s: %s", filepath.Base(file), step.command)
			got, _, _ := strings.Cut(r.command(step.command), "\n")
			if strings.HasPrefix(step.shown, "NAME ") && !slices.Equal(strings.Fields(got), strings.Fields(step.shown)) {
				r.t.Errorf("%s: %s shows the columns\n%s, not\n%s", filepath.Base(file), step.command, got, step.shown)
			}
		}
	}
}

// step is a command, and the first line of the output that the page shows, if any.
type step struct{ command, shown string }

// stepsIn returns the lines of a block that follow a prompt; the others are output.
func stepsIn(block string) []step {
	var steps []step
	for line := range strings.Lines(block) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, step{command: strings.TrimSpace(command)})
		} else if n := len(steps); n > 0 && steps[n-1].shown == "" {
			steps[n-1].shown = strings.TrimSpace(line)
		}
	}
	return steps
}

// command runs a line at the top of the checkout and returns its output. There are no nodes: what the Deployment would start and
// stop, the test does.
func (r *reader) command(line string) string {
	r.t.Helper()
	line = strings.Replace(line, "secretId=AKID...", "secretId="+r.keys.id, 1)
	line = strings.Replace(line, "secretKey=...", "secretKey="+r.keys.key, 1)
	if strings.HasPrefix(line, "make undeploy") {
		if err := r.manager.Stop(); err != nil {
			r.t.Error(err)
		}
	}
	out := sh(r.t, r.Cluster, line)
	if strings.HasPrefix(line, "make deploy") && r.manager == nil {
		r.startCloud()
		r.startDeployment()
	}
	return out
}

// sh runs a line at the top of the checkout, with kubectl and the plugin in the PATH.
func sh(t *testing.T, c *cluster.Cluster, line string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euc", "PATH=$PWD/bin:$PATH; "+line)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=", "MFLAGS=")
	out := run(t, cmd, c.Environ())
	t.Log(out)
	return out
}

type keys struct{ id, key string }

// startCloud starts a cloud, and removes its keys from the cluster: a command of the quick start adds them.
func (r *reader) startCloud() {
	r.t.Helper()
	r.cloud = r.StartCloud("-public=false", "-private=5")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: imagev1alpha1.DefaultCredentialsSecret}}
	if err := r.Client.Get(r.t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Client.Delete(r.t.Context(), secret); err != nil {
		r.t.Fatal(err)
	}
	r.keys = keys{id: string(secret.Data["secretId"]), key: string(secret.Data["secretKey"])}
}

// startDeployment runs the Deployment's process: the manager, with its arguments, variables and a token of its ServiceAccount.
func (r *reader) startDeployment() {
	r.t.Helper()
	deployment := &unstructured.Unstructured{}
	deployment.SetAPIVersion("apps/v1")
	deployment.SetKind("Deployment")
	if err := r.Client.Get(r.t.Context(), client.ObjectKey{Namespace: namespace, Name: cluster.ServiceAccount}, deployment); err != nil {
		r.t.Fatal(err)
	}
	account, _, _ := unstructured.NestedString(deployment.Object, "spec", "template", "spec", "serviceAccountName")
	shipped := container(r.t, deployment)
	for _, variable := range shipped.Env {
		r.t.Setenv(variable.Name, variable.Value)
	}
	r.OperatorKubeconfig = r.KubeconfigOf(account, r.Config)
	r.manager = r.StartManager(&cluster.Cloud{Endpoint: r.cloud.Endpoint}, shipped.Args...)
}
