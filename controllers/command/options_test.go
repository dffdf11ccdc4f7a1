// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
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
	if o.cvm != (cvm.Options{
		Endpoint: "cvm.tencentcloudapi.com", STS: "sts.tencentcloudapi.com", Metadata: "http://169.254.0.23", QPS: 10, Burst: 10,
	}) {
		t.Errorf("%+v", o.cvm)
	}
	if o.defaultCredentials != "secret" || o.concurrent != 4 || o.maxStatusImages != 500 ||
		o.credentialsNamespace != "image-catalog-system" || !o.metricsSecure {
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
		"--default-account-id=1": "--default-account-id is for --default-credentials=env, cvm-role and tke-oidc; a Secret says it by " +
			"its key accountID",
		"--default-account-id=me --default-credentials=env": `--default-account-id must be the id of an account (uin), which has digits only, got "me"`,
		"--metrics-cert-path=/tls --metrics-secure=false":   "--metrics-cert-path is for HTTPS, which --metrics-secure=false switches off",
		"--leader-elect false --no-such":                    `got "false"; write --flag=value`,
		"--publish-namespaces=Team":                         `"Team" is no namespace; write names such as team-a,team-b`,
		"--no-such":                                         "no-such",
		"--regions=guangzhou":                               `"guangzhou" is no region; write regions such as ap-guangzhou,ap-shanghai`,
	} {
		if _, err := parseOnly(strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
