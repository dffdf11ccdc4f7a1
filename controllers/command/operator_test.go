// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"strings"
	"testing"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
)

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
