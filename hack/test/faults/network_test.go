// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

func TestFault05CertificatesThatAreNotTheClouds(t *testing.T) {
	w := begin(t, 5)
	w.cloud.Put(region, cvmtest.PrivateImages(5, 3, cvmtest.DefaultCredential.UIN)...)
	upstream, err := url.Parse(w.cloud.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	// The cloud's gateway. Its certificate can change between connections.
	now := time.Now()
	good, _ := cvmtest.SelfSigned(now.Add(-time.Hour), now.Add(time.Hour), "127.0.0.1")
	expired, _ := cvmtest.SelfSigned(now.Add(-2*time.Hour), now.Add(-time.Hour), "127.0.0.1")
	other, _ := cvmtest.SelfSigned(now.Add(-time.Hour), now.Add(time.Hour), "cvm.example.com")
	stranger, _ := cvmtest.SelfSigned(now.Add(-time.Hour), now.Add(time.Hour), "127.0.0.1")
	var shown atomic.Pointer[tls.Config]
	gateway := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(upstream)
		r.Out.Host = r.In.Host
	}})
	gateway.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return shown.Load(), nil }}
	gateway.Config.SetKeepAlivesEnabled(false)
	gateway.Config.ErrorLog = discard
	plain := &counting{Listener: gateway.Listener}
	gateway.Listener = plain
	gateway.StartTLS()
	t.Cleanup(gateway.Close)
	var roots []byte // all are trusted, except the stranger's
	for _, certificate := range []tls.Certificate{good, expired, other} {
		roots = append(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})...)
	}
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, roots, 0o600); err != nil {
		t.Fatal(err)
	}
	show := func(certificate tls.Certificate, most uint16) {
		shown.Store(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS10, MaxVersion: most})
	}
	show(good, tls.VersionTLS13)
	w.start("--cvm-endpoint="+gateway.Listener.Addr().String(), "SSL_CERT_FILE="+file, "SSL_CERT_DIR="+t.TempDir())
	w.query(golden)
	w.UntilSynced(golden)
	for name, certificate := range map[string]tls.Certificate{"expired": expired, "another name": other, "signed by itself": stranger} {
		t.Run(name, func(*testing.T) {
			show(certificate, tls.VersionTLS13)
			w.failing(golden, imagev1alpha1.ReasonUnavailable)
		})
	}
	t.Run("TLS 1.0", func(*testing.T) {
		show(good, tls.VersionTLS10)
		w.failing(golden, imagev1alpha1.ReasonUnavailable)
	})
	if plain.plain.Load() {
		t.Error("something was sent in plain text")
	}
	show(good, tls.VersionTLS13)
	w.heals(golden)
}

// counting counts connections that don't begin with a TLS handshake.
type counting struct {
	net.Listener
	plain atomic.Bool
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watched{Conn: conn, plain: &c.plain}, nil
}

type watched struct {
	net.Conn
	plain *atomic.Bool
	begun bool
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if n > 0 && !w.begun {
		w.begun = true
		const handshake = 22
		if b[0] != handshake {
			w.plain.Store(true)
		}
	}
	return n, err
}

func TestFault06ANameThatCanNotBeResolved(t *testing.T) {
	w := synced(t, 6, 3)
	before := w.catalogue(golden)
	cloud := w.manager
	w.manager.Kill()
	w.another(1)
	// The top-level domain invalid never exists (RFC 6761).
	w.manager = w.RestartManager(cloud, "--cvm-endpoint=cvm.tencentcloudapi.invalid")
	query := w.Poll(golden)
	if ready := kit.Ready(query); ready.Status != metav1.ConditionTrue ||
		!strings.Contains(ready.Message, "the host cvm.tencentcloudapi.invalid") {
		t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
	}
	w.kept(golden, before)
	w.manager.Kill()
	w.manager = w.RestartManager(cloud)
	w.heals(golden)
}
