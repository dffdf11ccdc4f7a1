// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// T is the part of testing.TB that the package needs. Programs may have their own.
type T interface {
	kit.T
	Cleanup(f func())
	Failed() bool
	Logf(format string, args ...any)
}

// Options deviate from the defaults.
type Options struct {
	// APIServerFlags are flags of kube-apiserver, without dashes. APIServerEnv are variables of its environment
	// (GOGC=800).
	APIServerFlags map[string]string
	APIServerEnv   []string

	// Checkout is another checkout, of which config/default is installed.
	Checkout string

	// Empty omits config/default and OperatorKubeconfig, for tests that install the operator differently.
	Empty bool

	// WithoutControllers omits kube-controller-manager, so nothing is garbage collected.
	WithoutControllers bool

	// EtcdMembers is the number of members of etcd; 0 means one.
	EtcdMembers int

	// WithoutAudit omits the audit log, which costs a disk write per request.
	WithoutAudit bool
}

// Cluster is a control plane without nodes, with config/default installed. Its methods fail the test on errors.
type Cluster struct {
	T
	kit.Kit // with a Client of an administrator, not limited by roles or rate

	// Config is an administrator's configuration.
	Config *rest.Config

	// Kubeconfig is a file with Config. OperatorKubeconfig is a file for the operator's ServiceAccount with the shipped
	// roles.
	Kubeconfig, OperatorKubeconfig string

	assets      string
	environment *envtest.Environment
	children    *children
	members     []member
}

// Start starts a control plane and installs config/default. Everything ends with the test.
func Start(t T, o Options) *Cluster {
	t.Helper()
	log.SetLogger(logr.Discard()) // of envtest, which returns errors anyway
	dir, err := os.MkdirTemp("", "image-catalog-test-")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &Cluster{T: t, children: &children{dir: dir}}
	if c.assets, err = findAssets(); err != nil {
		t.Fatalf("%v", err)
	}
	c.startServers(o)
	c.connect()
	if !o.Empty {
		c.Install(o.Checkout)
		c.OperatorKubeconfig = c.KubeconfigOf(ServiceAccount, c.Config)
	}
	if !o.WithoutControllers {
		c.startControllers()
	}
	return c
}

// For returns the cluster for a subtest: failures belong to the subtest, and processes end with it.
func (c *Cluster) For(t T) *Cluster {
	bound := *c
	bound.T, bound.Kit = t, c.Kit.For(t)
	return &bound
}

// findAssets returns the folder with the control plane's binaries.
func findAssets() (string, error) {
	folder := os.Getenv("KUBEBUILDER_ASSETS")
	if folder == "" {
		root, err := repository()
		if err != nil {
			return "", err
		}
		folder = filepath.Join(root, "bin", "controlplane")
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			return "", fmt.Errorf("there is no %s in %s: run make controlplane, or set KUBEBUILDER_ASSETS to a folder that has it", name, folder)
		}
	}
	return folder, nil
}

// startServers starts etcd and kube-apiserver in our own folders, so that each can be restarted.
func (c *Cluster) startServers(o Options) {
	c.Helper()
	c.environment = &envtest.Environment{
		UseExistingCluster:       new(false), // regardless of the environment
		ControlPlaneStartTimeout: kit.Patience,
	}
	etcd := &envtest.Etcd{Path: c.leashed("etcd", nil), DataDir: c.folder("etcd")}
	server := c.environment.ControlPlane.GetAPIServer()
	server.Path, server.CertDir = c.leashed("kube-apiserver", o.APIServerEnv), c.folder("certificates")
	c.environment.ControlPlane.Etcd, c.environment.ControlPlane.KubectlPath = etcd, filepath.Join(c.assets, "kubectl")
	if !o.WithoutAudit {
		c.audit(server.Configure())
	}
	configure(server, o.APIServerFlags)
	if o.EtcdMembers > 1 {
		c.startMembers(etcd, server, o.EtcdMembers-1)
	}
	c.Cleanup(func() {
		_ = kill(server)
		_ = c.environment.Stop()
	})
	config, err := c.environment.Start()
	if err != nil {
		c.Fatalf("starting the control plane: %v", err)
	}
	config.QPS = -1
	c.Config = config
}

func configure(server *envtest.APIServer, flags map[string]string) {
	server.Configure().Set("bind-address", "127.0.0.1")
	for _, flag := range slices.Sorted(maps.Keys(flags)) {
		server.Configure().Set(flag, flags[flag])
	}
}

// notePid makes a script record its process id. (envtest runs --help first.)
const notePid = `case " $* " in *" --help "*) ;; *) echo $$ >"$0.pid" ;; esac
`

// leashed writes a script that runs a program of the control plane, for envtest, which needs a single path.
func (c *Cluster) leashed(name string, env []string) string {
	c.Helper()
	var script strings.Builder
	fmt.Fprintf(&script, "#!/bin/sh\nset -- %s \"$@\"\n", quote(filepath.Join(c.assets, name)))
	for _, variable := range env {
		fmt.Fprintf(&script, "export %s\n", quote(variable))
	}
	script.WriteString(notePid + leash)
	path := c.children.path(name)
	if err := os.WriteFile(path, []byte(script.String()), 0o700); err != nil {
		c.Fatalf("%v", err)
	}
	return path
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// folder creates a folder below the cluster's.
func (c *Cluster) folder(name string) string {
	c.Helper()
	path := filepath.Join(c.children.dir, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		c.Fatalf("%v", err)
	}
	return path
}

func (c *Cluster) connect() {
	c.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, imagev1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			c.Fatalf("%v", err)
		}
	}
	admin, err := client.New(c.Config, client.Options{Scheme: scheme})
	if err != nil {
		c.Fatalf("%v", err)
	}
	c.Kit = kit.New(c.T, admin)
	c.Broken = c.children.died
	c.Kubeconfig = filepath.Join(c.children.dir, "kubeconfig")
	if err := os.WriteFile(c.Kubeconfig, c.environment.KubeConfig, 0o600); err != nil {
		c.Fatalf("%v", err)
	}
}

// As returns a client that impersonates a user.
func (c *Cluster) As(user string) client.Client {
	c.Helper()
	config := rest.CopyConfig(c.Config)
	config.Impersonate.UserName = user
	as, err := client.New(config, client.Options{Scheme: c.Client.Scheme(), Mapper: c.Client.RESTMapper()})
	if err != nil {
		c.Fatalf("%v", err)
	}
	return as
}

// startControllers starts the garbage collector. It discovers kinds every 30 s, so the CRDs must exist before.
func (c *Cluster) startControllers() {
	c.Helper()
	c.children.start(c.T, nil, filepath.Join(c.assets, "kube-controller-manager"),
		"--kubeconfig="+c.Kubeconfig, "--controllers=garbage-collector-controller,namespace-controller",
		// With its own account, as usual: the admission policy doesn't let administrators delete CloudImages.
		"--use-service-account-credentials", "--leader-elect=false", "--secure-port=0",
		// By default it deletes 20 objects a second, and tests wait for it.
		"--kube-api-qps=500", "--kube-api-burst=1000")
}

// KillAPIServer kills kube-apiserver like a lost node. StartAPIServer restarts it.
func (c *Cluster) KillAPIServer() {
	c.Helper()
	if err := kill(c.environment.ControlPlane.APIServer); err != nil {
		c.Fatalf("killing kube-apiserver: %v", err)
	}
}

// StartAPIServer restarts kube-apiserver after KillAPIServer, at the same address and with the same keys.
func (c *Cluster) StartAPIServer() {
	c.Helper()
	if err := c.environment.ControlPlane.APIServer.Start(); err != nil {
		c.Fatalf("starting kube-apiserver: %v", err)
	}
}

// EtcdURL returns the URL of etcd.
func (c *Cluster) EtcdURL() string { return c.environment.ControlPlane.Etcd.URL.String() }

// kill kills an API server, of which envtest doesn't expose the id, and waits for its end. A graceful end takes up to a
// minute while there are watches.
func kill(server *envtest.APIServer) error {
	pid, err := notedPid(server.Path)
	if err != nil {
		return err
	}
	for err = syscall.Kill(pid, syscall.SIGKILL); err == nil; err = syscall.Kill(pid, 0) {
		<-time.After(10 * time.Millisecond)
	}
	if !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// notedPid returns the process id recorded by a script of leashed.
func notedPid(script string) (int, error) {
	content, err := os.ReadFile(script + ".pid")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(content)))
}

// ServerPid returns the process id of etcd or kube-apiserver.
func (c *Cluster) ServerPid(name string) int {
	c.Helper()
	script := c.environment.ControlPlane.APIServer.Path
	if name == "etcd" {
		script = c.environment.ControlPlane.Etcd.Path
	}
	pid, err := notedPid(script)
	if err != nil {
		c.Fatalf("looking for %s: %v", name, err)
	}
	return pid
}

// AddAPIServer starts another kube-apiserver with the same etcd and keys, and returns an administrator's configuration
// for it, which KubeconfigOf accepts, too. It has no audit log. If via isn't nil, it uses that link to etcd.
func (c *Cluster) AddAPIServer(flags map[string]string, via *SlowLink) *rest.Config {
	c.Helper()
	first := c.environment.ControlPlane.APIServer
	certificates := c.children.path("certificates")
	if err := os.CopyFS(certificates, os.DirFS(first.CertDir)); err != nil {
		c.Fatalf("%v", err)
	}
	second := &envtest.APIServer{
		Path: c.leashed("kube-apiserver", nil), CertDir: certificates, EtcdURL: c.environment.ControlPlane.Etcd.URL,
		StartTimeout: kit.Patience, StopTimeout: first.StopTimeout,
	}
	if via != nil {
		second.EtcdURL = &url.URL{Scheme: "http", Host: via.Address()}
	}
	second.CA, second.Authn = first.CA, first.Authn
	configure(second, flags)
	second.Configure().Set("service-account-issuer", first.SecureServing.URL("https", "/").String())
	c.Cleanup(func() {
		_ = kill(second)
		_ = second.Stop()
	})
	if err := second.Start(); err != nil {
		c.Fatalf("starting another kube-apiserver: %v", err)
	}
	config := rest.CopyConfig(c.Config)
	config.Host = second.SecureServing.URL("https", "").String()
	return config
}
