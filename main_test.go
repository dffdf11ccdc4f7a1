// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
)

func parseOnly(args ...string) (options, error) {
	f := flag.NewFlagSet("manager", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return parse(f, args)
}

func TestDefaultsOfFlags(t *testing.T) {
	o, err := parseOnly()
	if err != nil {
		t.Fatal(err)
	}
	if o.cvm != (cvm.Options{Endpoint: "cvm.tencentcloudapi.com", STS: "sts.tencentcloudapi.com", Metadata: "http://169.254.0.23", QPS: 10, Burst: 10}) {
		t.Errorf("%+v", o.cvm)
	}
	if o.defaultCredentials != "secret" || o.concurrent != 4 || o.maxStatusImages != 500 || o.credentialsNamespace != "image-catalog-system" || !o.metricsSecure {
		t.Errorf("%+v", o)
	}
	if _, err := cvm.New(o.cvm); err != nil {
		t.Error(err)
	}
}

func TestAWrongFlagGetsASentence(t *testing.T) {
	for args, want := range map[string]string{
		"--concurrent=0":              "--concurrent must be at least 1, got 0",
		"--max-status-images=2001":    "--max-status-images must be between 1 and 2000, got 2001",
		"--cvm-qps=0":                 "--cvm-qps must be above 0",
		"--cvm-burst=0":               "--cvm-burst at least 1",
		"--default-credentials=magic": `--default-credentials must be secret, env, cvm-role or tke-oidc, got "magic"`,
		"--default-credentials=":      "--default-credentials must be",
		"--default-account-id=1":      "--default-account-id is for --default-credentials=env, cvm-role and tke-oidc; a Secret says it by its key accountID",
		"--default-account-id=me --default-credentials=env": `--default-account-id must be the id of an account (uin), which has digits only, got "me"`,
		"--leader-elect false --no-such":                    `got "false"; write --flag=value`,
		"--no-such":                                         "no-such",
		"--regions=guangzhou":                               `"guangzhou" is no region; write regions such as ap-guangzhou,ap-shanghai`,
	} {
		if _, err := parseOnly(strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// What is wrong without a cluster is said without one.
func TestTheCloudsFlagsAreCheckedBeforeTheClusterIsAsked(t *testing.T) {
	t.Setenv("KUBECONFIG", "/nowhere")
	t.Setenv("TENCENTCLOUD_SECRET_ID", "")
	t.Setenv("TKE_ROLE_ARN", "")
	for args, want := range map[string]string{
		"--cvm-endpoint=http://cvm.tencentcloudapi.com": "--cvm-endpoint: the endpoint",
		"--sts-endpoint=sts.tencentcloudapi.com/v3":     "--sts-endpoint: the endpoint",
		"--metadata-endpoint=http://example.com":        "--metadata-endpoint: the endpoint",
		"--default-credentials=env":                     "needs TENCENTCLOUD_SECRET_ID",
		"--default-credentials=tke-oidc":                "--default-credentials=tke-oidc: the environment lacks ",
		"--default-credentials=cvm-role":                "finding the cluster",
	} {
		o, err := parseOnly(args)
		if err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestDefaultCredentialsAreAnAccount(t *testing.T) {
	for name, value := range map[string]string{
		"TENCENTCLOUD_SECRET_ID": "id", "TENCENTCLOUD_SECRET_KEY": "key", "TENCENTCLOUD_TOKEN": "",
		"TKE_REGION": "ap-nanjing", "TKE_PROVIDER_ID": "cls-1", "TKE_WEB_IDENTITY_TOKEN_FILE": "/token", "TKE_ROLE_ARN": "arn",
	} {
		t.Setenv(name, value)
	}
	for choice, want := range map[string]*catalog.Account{
		"secret":   nil,
		"env":      {Source: "env", SecretID: "id", SecretKey: "key", AccountID: "100000000001"},
		"cvm-role": {Source: "cvm-role", Ambient: auth.CVMRole, AccountID: "100000000001"},
		"tke-oidc": {Source: "tke-oidc", Ambient: auth.TKEOIDC, AccountID: "100000000001"},
	} {
		o := options{defaultCredentials: choice, defaultAccountID: "100000000001"}
		got, err := defaultAccount(&o)
		if err != nil || (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s is %v, %v", choice, got, err)
		}
		identity := auth.WebIdentity{}
		if choice == "tke-oidc" {
			identity = auth.WebIdentity{Region: "ap-nanjing", ProviderID: "cls-1", TokenFile: "/token", RoleARN: "arn"}
		}
		if o.cvm.WebIdentity != identity {
			t.Errorf("with %s the pod's identity is %+v", choice, o.cvm.WebIdentity)
		}
	}
}

// While the API server can't be asked, nobody gets in.
func TestNobodyReadsMetricsWithoutTheAPIServersWord(t *testing.T) {
	filter, err := readers(&rest.Config{Host: "http://127.0.0.1:1"}, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := filter(logr.Discard(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("somebody got in") }))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]int{"Bearer token": http.StatusServiceUnavailable, "Bearer ": http.StatusUnauthorized, "Basic dTpw": http.StatusUnauthorized, "": http.StatusUnauthorized} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q gets %d %s, want %d", header, w.Code, w.Body, want)
		}
	}
}
