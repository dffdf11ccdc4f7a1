// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpproxy"
	corev1 "k8s.io/api/core/v1"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// noEgress has the chart's values for a cluster that reaches the internet only through a proxy; docs/egress.md shows
// them.
const noEgress = chart + "/ci/no-egress-values.yaml"

// The cloud is behind a proxy with a password, and only a file in the chart's values has its certificate authority.
// There is no node, so the test runs the Deployment's process, with files in place of volumes.
func TestTheOperatorGetsOutByAProxy(t *testing.T) {
	const host, user, password = "cvm.example.test", "operator", "canary-of-the-proxy"
	certificate, _ := cvmtest.SelfSigned(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), host)
	cloud := cvmtest.NewServer(cvmtest.Options{
		RateLimit: -1, TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	})
	t.Cleanup(cloud.Close)
	cloud.Put("ap-guangzhou", cvmtest.PublicImages()...)
	p := cluster.StartProxy(t, url.UserPassword(user, password), map[string]string{host + ":443": cloud.Host()})

	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	env := environment(t, manager(t, noEgress), map[string]string{"proxy/url": p.URL()}, map[string]string{"company-ca": string(authority)})

	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	c.SetCredentials("tencentcloud-credentials", cvmtest.DefaultCredential)
	c.ApplyQuery("name: public", "region: ap-guangzhou")
	m := c.StartManager(&cluster.Cloud{Endpoint: host}, env...)
	c.UntilSynced("public")

	if diff := cmp.Diff(map[string]bool{host + ":443": true}, p.Asked()); diff != "" {
		t.Errorf("asked of the proxy (-want +got):\n%s", diff)
	}
	if strings.Contains(m.Log(), password) {
		t.Error("the log has the proxy's password")
	}
}

// Go bypasses a proxy for loopback addresses regardless of NO_PROXY, and tests have no others, so this tests Go's own
// rule.
func TestNoProxyLeavesOutTheClusterAndTheVPC(t *testing.T) {
	values := map[string]string{}
	for _, variable := range manager(t, noEgress).Env {
		values[variable.Name] = variable.Value
	}
	proxy := (&httpproxy.Config{HTTPSProxy: "http://proxy.example.com:3128", NoProxy: values["NO_PROXY"]}).ProxyFunc()
	for address, want := range map[string]bool{
		"https://172.16.0.1:443":                       false, // the Service of the API server
		"https://10.0.0.5:6443":                        false, // a machine
		"https://169.254.128.7:60002":                  false, // an API server of TKE
		"https://cvm.internal.tencentcloudapi.com":     false,
		"https://sts.internal.tencentcloudapi.com":     false,
		"https://cvm.tencentcloudapi.com":              true,
		"https://cvm.ap-guangzhou.tencentcloudapi.com": true,
	} {
		target, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		got, err := proxy(target)
		if err != nil || (got != nil) != want {
			t.Errorf("%s: by the proxy is %t, want %t: %v", address, got != nil, want, err)
		}
	}
}

func TestTheDocumentationShowsTheTestedValues(t *testing.T) {
	_, values, _ := strings.Cut(readFile(t, noEgress), "\n") // without the comment in the first line
	if !strings.Contains(readFile(t, root+"/docs/egress.md"), "```yaml values\n"+values+"```\n") {
		t.Errorf("docs/egress.md shows other values than %s, which are the tested ones:\n%s", noEgress, values)
	}
}

// manager returns the container that the chart renders with a file of values.
func manager(t *testing.T, values string) corev1.Container {
	t.Helper()
	text, err := render(t, "--values", values)
	if err != nil {
		t.Fatal(err)
	}
	return container(t, deployment(t, parse(t, text)))
}

// environment returns the container's variables with the values of Secrets by name/key. Each volume is replaced by a
// folder with the text as a file.
func environment(t *testing.T, manager corev1.Container, secrets, volumes map[string]string) []string {
	t.Helper()
	folders := map[string]string{}
	for _, mount := range manager.VolumeMounts {
		folders[mount.MountPath] = t.TempDir()
		if err := os.WriteFile(filepath.Join(folders[mount.MountPath], "ca.crt"), []byte(volumes[mount.Name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var env []string
	for _, variable := range manager.Env {
		value := variable.Value
		if folder, ok := folders[value]; ok {
			value = folder
		}
		if from := variable.ValueFrom; from != nil {
			value = secrets[from.SecretKeyRef.Name+"/"+from.SecretKeyRef.Key]
		}
		env = append(env, variable.Name+"="+value)
	}
	return env
}

// Values of the chart have their own kind of code blocks, since they are no objects.
func TestValuesInTheDocumentationRender(t *testing.T) {
	pages, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml values\n(.*?)```")
	found := 0
	for _, page := range pages {
		for _, values := range block.FindAllStringSubmatch(readFile(t, page), -1) {
			found++
			file := filepath.Join(t.TempDir(), "values.yaml")
			if err := os.WriteFile(file, []byte(values[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := render(t, "--values", file); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	if found == 0 {
		t.Error("no values were found")
	}
}
