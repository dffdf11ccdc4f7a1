// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/tls"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// Finance regions have their own hosts. One operator with default endpoints serves them beside other regions. A proxy
// maps the cloud's names to the simulators.
func TestOneOperatorServesFinanceRegionsAndOthers(t *testing.T) {
	const finance, common, regional = "ap-shanghai-fsi", "cvm.tencentcloudapi.com", "cvm.ap-shanghai-fsi.tencentcloudapi.com"
	certificate, _ := cvmtest.SelfSigned(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), common, regional)
	authority := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
		0o600); err != nil {
		t.Fatal(err)
	}
	start := func(in string, images int) *cvmtest.Server {
		cloud := cvmtest.NewServer(cvmtest.Options{
			RateLimit: -1, TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		})
		t.Cleanup(cloud.Close)
		cloud.Put(in, cvmtest.PrivateImages(1, images, cvmtest.DefaultCredential.UIN)...)
		return cloud
	}
	clouds := map[string]*cvmtest.Server{region: start(region, 3), finance: start(finance, 2)}
	proxy := cluster.StartProxy(t, nil, map[string]string{common + ":443": clouds[region].Host(), regional + ":443": clouds[finance].Host()})

	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	c.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, cvmtest.DefaultCredential)
	c.StartManager(&cluster.Cloud{}, "HTTPS_PROXY="+proxy.URL(), "SSL_CERT_FILE="+authority)
	for _, in := range []string{region, finance} {
		c.Apply(`{apiVersion: imagecatalog.dev/v1alpha1, kind: ImageQuery, metadata: {name: in-` + in + `}, spec: {region: ` + in + `}}`)
	}

	got, asked := map[string]int32{}, map[string]int{}
	for in, cloud := range clouds {
		got[in] = *c.UntilSynced("in-" + in).Status.ImageCount
		for _, r := range cloud.Requests() {
			asked[r.Region+" "+r.Code]++
		}
	}
	if diff := cmp.Diff(map[string]int32{region: 3, finance: 2}, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{region + " ": 1, finance + " ": 1}, asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{common + ":443": true, regional + ":443": true}, proxy.Asked()); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
}
