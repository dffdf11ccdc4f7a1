// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/config"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/yaml"

	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// metricsHost is the name in the certificate, as the ServiceMonitor has it.
const metricsHost = "image-catalog-operator-metrics.image-catalog-system.svc"

func TestMetricsAreServedWithTheGivenCertificate(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	mount := secretMount{T: t, folder: t.TempDir()}
	first := mount.write(certificateFor(t, metricsHost))
	manager := c.StartManager(c.StartCloud(), "--metrics-cert-path="+mount.folder)
	scrapeAsPrometheus(t, c, manager)
	p := prometheus{Cluster: c, url: "https://" + manager.Metrics + "/metrics", ca: filepath.Join(mount.folder, "ca.crt"), token: c.Token("scraper")}
	if leaf, err := p.scrape(metricsHost); err != nil || !bytes.Equal(leaf, first) {
		t.Errorf("Prometheus reads the metrics with another certificate than the given one: %v", err)
	}
	if _, err := p.scrape("somebody.else.svc"); err == nil || !strings.Contains(err.Error(), "certificate is valid for "+metricsHost) {
		t.Errorf("Prometheus is to refuse a certificate for another name, but: %v", err)
	}

	second := mount.write(certificateFor(t, metricsHost))
	c.Until("a new certificate is served", func(context.Context) error {
		leaf, err := p.scrape(metricsHost)
		if err == nil && !bytes.Equal(leaf, second) {
			return errors.New("it is still the first one")
		}
		return err
	})

	// A broken file replaces no certificate that works. Only the CA's file is still right.
	broken := certificateFor(t, metricsHost)
	broken["ca.crt"], broken["tls.crt"] = mount.read("ca.crt"), []byte("no certificate")
	mount.write(broken)
	c.Until("the operator has seen the broken certificate", func(context.Context) error {
		if !strings.Contains(manager.Log(), "certwatcher") {
			return errors.New("its log doesn't say so")
		}
		return nil
	})
	if leaf, err := p.scrape(metricsHost); err != nil || !bytes.Equal(leaf, second) {
		t.Errorf("beside a broken certificate the last one is to be served: %v", err)
	}
}

// The overlay, the values and the Certificate of docs/install.md belong together.
func TestTheDocumentedCertificateIsServedAndChecked(t *testing.T) {
	_, section, _ := strings.Cut(readFile(t, root+"/docs/install.md"), "\n## Metrics\n")
	section, _, _ = strings.Cut(section, "\n## ")
	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "config"), os.DirFS(root+"/config")); err != nil {
		t.Fatal(err)
	}
	overlay, values := filepath.Join(folder, "overlays", "production"), filepath.Join(folder, "values.yaml")
	if err := os.MkdirAll(overlay, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, fence := range map[string]string{filepath.Join(overlay, "kustomization.yaml"): "yaml kustomization", values: "yaml values"} {
		block := regexp.MustCompile("(?s)```" + fence + "\n(.*?)```").FindStringSubmatch(section)
		if block == nil {
			t.Fatalf("the section has no block %s", fence)
		}
		if err := os.WriteFile(path, []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := render(t, "--values", values)
	if err != nil {
		t.Fatal(err)
	}
	kustomize := tool(t, "kustomize", "sigs.k8s.io/kustomize/kustomize/v5")
	built := parse(t, run(t, exec.CommandContext(t.Context(), kustomize, "build", overlay), nil))
	others := func(o *unstructured.Unstructured) bool { return o.GetKind() != "Deployment" && o.GetKind() != "ServiceMonitor" }
	built, rendered := slices.DeleteFunc(built, others), slices.DeleteFunc(parse(t, text), others)
	for _, objects := range [][]*unstructured.Unstructured{built, rendered} {
		containers, _, _ := unstructured.NestedSlice(deployment(t, objects).Object, "spec", "template", "spec", "containers")
		delete(containers[0].(map[string]any), "image")
		_ = unstructured.SetNestedSlice(deployment(t, objects).Object, containers, "spec", "template", "spec", "containers")
	}
	same(t, "the overlay", built, rendered)

	var certificate struct {
		Spec struct {
			SecretName string
			DNSNames   []string
		}
	}
	_, document, _ := strings.Cut(section, "    kind: Certificate\n")
	if err := yaml.Unmarshal([]byte(strings.Split(document, "\n\n")[0]), &certificate); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rendered, func(o *unstructured.Unstructured) bool { return o.GetKind() == "ServiceMonitor" })
	endpoints, _, _ := unstructured.NestedSlice(rendered[i].Object, "spec", "endpoints")
	want := map[string]any{
		"serverName": certificate.Spec.DNSNames[0],
		"ca":         map[string]any{"secret": map[string]any{"name": certificate.Spec.SecretName, "key": "ca.crt"}},
	}
	kit.Equal(t, "what the ServiceMonitor checks", any(want), endpoints[0].(map[string]any)["tlsConfig"])
	kit.Equal(t, "the name in the certificate", metricsHost, certificate.Spec.DNSNames[0])
}

// prometheus scrapes with the client and the configuration of a Prometheus server.
type prometheus struct {
	*cluster.Cluster
	url, ca, token string
}

// scrape returns the certificate of the server.
func (p prometheus) scrape(serverName string) ([]byte, error) {
	p.Helper()
	client, err := config.NewClientFromConfig(config.HTTPClientConfig{
		BearerToken: config.Secret(p.token), TLSConfig: config.TLSConfig{CAFile: p.ca, ServerName: serverName},
	}, "test", config.WithKeepAlivesDisabled())
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(p.Context(), http.MethodGet, p.url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics answers %s", response.Status)
	}
	return response.TLS.PeerCertificates[0].Raw, nil
}

// certificateFor returns the content of a Secret with a new certificate and its new CA.
func certificateFor(t *testing.T, host string) map[string][]byte {
	t.Helper()
	chain, key, err := certutil.GenerateSelfSignedCertKey(host, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, ca := pem.Decode(chain)
	return map[string][]byte{"tls.crt": pem.EncodeToMemory(leaf), "tls.key": key, "ca.crt": ca}
}

// secretMount is a folder with a mounted Secret.
type secretMount struct {
	*testing.T
	folder string
}

// write replaces all files at once, as the kubelet does: they are links through the link ..data, which is renamed. It returns
// the certificate.
func (m secretMount) write(secret map[string][]byte) []byte {
	m.Helper()
	version, err := os.MkdirTemp(m.folder, "..version-")
	if err != nil {
		m.Fatal(err)
	}
	for name, content := range secret {
		if err := os.WriteFile(filepath.Join(version, name), content, 0o600); err != nil {
			m.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(m.folder, name)); err != nil && !os.IsExist(err) {
			m.Fatal(err)
		}
	}
	next := filepath.Join(m.folder, "..data_tmp")
	if err := errors.Join(os.Symlink(filepath.Base(version), next), os.Rename(next, filepath.Join(m.folder, "..data"))); err != nil {
		m.Fatal(err)
	}
	leaf, _ := pem.Decode(secret["tls.crt"])
	if leaf == nil {
		return nil
	}
	return leaf.Bytes
}

func (m secretMount) read(name string) []byte {
	m.Helper()
	content, err := os.ReadFile(filepath.Join(m.folder, name))
	if err != nil {
		m.Fatal(err)
	}
	return content
}
