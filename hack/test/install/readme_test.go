// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// The commands of README.md for a cluster are run line by line, with nothing but kubectl. There is no node, so the test
// runs the Deployment's process: the manager, with its arguments, variables and a token of its ServiceAccount.
func TestTheREADMEInstallsTheOperator(t *testing.T) {
	makeTarget(t, nil, "installer")
	c := cluster.Start(t, cluster.Options{Empty: true, WithoutControllers: true, WithoutAudit: true})
	lines := readmeCommands(t)

	apply, rest := lines[0], lines[1:]
	if apply != "kubectl apply -f dist/install.yaml" {
		t.Fatalf("the first line is %q", apply)
	}
	sh(t, c, apply)
	keys := startCloud(t, c)
	startDeployment(t, c, keys.endpoint)
	for _, line := range rest {
		line = strings.Replace(line, "secretId=AKID...", "secretId="+keys.id, 1)
		line = strings.Replace(line, "secretKey=...", "secretKey="+keys.key, 1)
		sh(t, c, line) // the last command waits until the query is Ready
	}
	query := &imagev1alpha1.ImageQuery{}
	if err := c.Client.Get(t.Context(), client.ObjectKey{Name: "golden-images"}, query); err != nil {
		t.Fatal(err)
	}
	if n := len(c.Images("golden-images")); n == 0 || len(query.Status.Images) != n {
		t.Errorf("the query has %d images and there are %d CloudImages of it", len(query.Status.Images), n)
	}
}

// readmeCommands returns the lines of the first block of commands in the section Installing.
func readmeCommands(t *testing.T) []string {
	t.Helper()
	_, section, _ := strings.Cut(readFile(t, root+"/README.md"), "\n## Installing\n")
	block := regexp.MustCompile("(?s)```sh\n(.*?)\n```").FindStringSubmatch(section)
	if block == nil {
		t.Fatal("README.md has no commands under Installing")
	}
	lines := strings.Split(block[1], "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, "kubectl ") {
			t.Errorf("this takes more than kubectl: %s", line)
		}
	}
	if len(lines) != 4 || !strings.HasPrefix(lines[3], "kubectl wait --for=condition=Ready ") {
		t.Fatalf("to install, to give keys, to ask and to wait are four lines, and these are %q", lines)
	}
	return lines
}

// sh runs a line at the top of the checkout, with kubectl in the PATH.
func sh(t *testing.T, c *cluster.Cluster, line string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", line)
	cmd.Dir = root
	t.Log(run(t, cmd, c.Environ()))
}

type keys struct{ id, key, endpoint string }

// startCloud starts a cloud, and removes its keys from the cluster: one of README.md's commands adds them.
func startCloud(t *testing.T, c *cluster.Cluster) keys {
	t.Helper()
	cloud := c.StartCloud("-public=false", "-private=5")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: imagev1alpha1.DefaultCredentialsSecret}}
	if err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Fatal(err)
	}
	if err := c.Client.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	return keys{id: string(secret.Data["secretId"]), key: string(secret.Data["secretKey"]), endpoint: cloud.Endpoint}
}

// startDeployment runs the manager like the Deployment in the cluster.
func startDeployment(t *testing.T, c *cluster.Cluster, endpoint string) {
	t.Helper()
	deployment := &unstructured.Unstructured{}
	deployment.SetAPIVersion("apps/v1")
	deployment.SetKind("Deployment")
	if err := c.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: cluster.ServiceAccount}, deployment); err != nil {
		t.Fatal(err)
	}
	account, _, _ := unstructured.NestedString(deployment.Object, "spec", "template", "spec", "serviceAccountName")
	manager := container(t, deployment)
	for _, variable := range manager.Env {
		t.Setenv(variable.Name, variable.Value)
	}
	c.OperatorKubeconfig = c.KubeconfigOf(account, c.Config)
	c.StartManager(&cluster.Cloud{Endpoint: endpoint}, manager.Args...)
}
