// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
	"github.com/image-catalog/image-catalog-operator/controllers/publish"
)

// namespaceFile holds a pod's own namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// options are the operator's flags.
type options struct {
	cvm                  cvm.Options
	concurrent           int
	shard                controllers.Shard
	publishNamespaces    []string
	maxStatusImages      int
	defaultCredentials   string
	defaultAccountID     string
	credentialsNamespace string
	leaderElect          bool
	metricsAddress       string
	metricsSecure        bool
	metricsCertPath      string
	probeAddress         string
	zap                  zap.Options
	printVersion         bool
}

// parse reads and checks the flags.
func parse(f *flag.FlagSet, args []string) (options, error) {
	var o options
	o.bind(f)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	// Package flag stops at the first argument that is not a flag, e.g. the false of `--leader-elect false`, and ignores the rest.
	if f.NArg() > 0 {
		return o, fmt.Errorf("nothing but flags is understood, got %q; write --flag=value", f.Arg(0))
	}
	return o, o.validate()
}

func (o *options) bind(f *flag.FlagSet) {
	f.StringVar(&o.cvm.Endpoint, "cvm-endpoint", cvm.DefaultEndpoint, "host of the cloud's API; {region} in it is the region asked for; "+
		"finance regions have hosts of their own by default; http:// only for a loopback address")
	f.StringVar(&o.cvm.STS, "sts-endpoint", cvm.DefaultSTS,
		"host of the cloud's service for keys of roles, written likewise; http:// only for a loopback address")
	f.StringVar(&o.cvm.Metadata, "metadata-endpoint", cvm.DefaultMetadata,
		"address of the node's metadata service, for --default-credentials=cvm-role")
	f.Float64Var(&o.cvm.QPS, "cvm-qps", 10, "requests per second to the cloud for each source of credentials at each host; "+
		"the cloud admits 40 for a sub-account at a gateway, to all its users together")
	f.IntVar(&o.cvm.Burst, "cvm-burst", 10, "requests to the cloud that may go out at once")
	f.IntVar(&o.concurrent, "concurrent", 4, "queries with the same credentials that ask the cloud at once; up to four times as many write what they found")
	f.Func("regions", "regions whose queries this operator works on, separated by commas; without it all. "+
		"Operators that share a cluster need disjoint ones", func(text string) (err error) {
		o.shard, err = controllers.ParseShard(text)
		return err
	})
	f.Func("publish-namespaces", "namespaces, separated by commas, in which a ConfigMap with the label "+imagev1alpha1.LabelSelectionOf+
		" gets the selection of the query that the label names; without it none", func(text string) (err error) {
		o.publishNamespaces, err = publish.ParseNamespaces(text)
		return err
	})
	f.IntVar(&o.maxStatusImages, "max-status-images", 500, "images that a query's status lists, at most 2000; CloudImages are there for all")
	f.StringVar(&o.defaultCredentials, "default-credentials", "secret", "credentials of queries without credentialsRef: "+
		"secret (the Secret "+imagev1alpha1.DefaultCredentialsSecret+"), "+
		"env (TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY, TENCENTCLOUD_TOKEN), "+
		"cvm-role (the node's role) or tke-oidc (the role of the pod's ServiceAccount in TKE)")
	f.StringVar(&o.defaultAccountID, "default-account-id", "", "account (uin) that the default credentials must belong to, "+
		"for env, cvm-role and tke-oidc; nothing is listed with another's. For a Secret its key accountID says so")
	f.StringVar(&o.credentialsNamespace, "credentials-namespace", ownNamespace(), "namespace of the Secrets with credentials")
	f.BoolVar(&o.leaderElect, "leader-elect", false, "work only while holding the Lease, for several replicas")
	f.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "address of /metrics; 0 switches it off")
	f.BoolVar(&o.metricsSecure, "metrics-secure", true, "serve /metrics over HTTPS, to authenticated and authorized clients only")
	f.StringVar(&o.metricsCertPath, "metrics-cert-path", "", "folder with tls.crt and tls.key for /metrics, such as a mounted Secret; "+
		"they are read again when they change; without it the operator makes a certificate that no client can check")
	f.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 switches it off")
	o.zap.BindFlags(f)
	f.BoolVar(&o.printVersion, "version", false, "print version, commit and Go version, and exit")
}

func (o options) validate() error {
	switch {
	case o.concurrent < 1:
		return fmt.Errorf("--concurrent must be at least 1, got %d", o.concurrent)
	case o.maxStatusImages < 1 || o.maxStatusImages > 2000:
		return fmt.Errorf("--max-status-images must be between 1 and 2000, got %d", o.maxStatusImages)
	case o.metricsCertPath != "" && !o.metricsSecure:
		return errors.New("--metrics-cert-path is for HTTPS, which --metrics-secure=false switches off; leave out one of them")
	case o.cvm.QPS <= 0 || o.cvm.Burst < 1:
		return fmt.Errorf("--cvm-qps must be above 0 and --cvm-burst at least 1, got %v and %d", o.cvm.QPS, o.cvm.Burst)
	case !slices.Contains([]string{"secret", "env", auth.CVMRole, auth.TKEOIDC}, o.defaultCredentials):
		return fmt.Errorf("--default-credentials must be secret, env, cvm-role or tke-oidc, got %q", o.defaultCredentials)
	case o.defaultAccountID != "" && o.defaultCredentials == "secret":
		return errors.New("--default-account-id is for --default-credentials=env, cvm-role and tke-oidc; a Secret says it by its key accountID")
	case !controllers.IsAccountID(o.defaultAccountID) && o.defaultAccountID != "":
		return fmt.Errorf("--default-account-id must be the id of an account (uin), which has digits only, got %q", o.defaultAccountID)
	}
	return nil
}

// ownNamespace returns the pod's namespace, or outside of a pod that of the default installation.
func ownNamespace() string {
	if namespace, err := os.ReadFile(namespaceFile); err == nil {
		return strings.TrimSpace(string(namespace))
	}
	return "image-catalog-system"
}
