// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// cluster is a control plane without nodes, and the clients to inspect it.
type cluster struct {
	client.Client

	environment *envtest.Environment
	kubeconfig  string
	kubectlPath string
	environ     []string
}

// startCluster starts etcd and kube-apiserver with our CRDs, and the garbage collector.
func startCluster(c *children, s settings, say *story) (*cluster, error) {
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		if !has(s.assets, name) {
			return nil, fmt.Errorf("there is no %s in %s, which KUBEBUILDER_ASSETS names: put one there, or unset the variable to have all of them built", name, s.assets)
		}
	}
	say.step("Starting etcd and kube-apiserver")
	cl := &cluster{environment: newEnvironment(s.assets)}
	config, err := cl.environment.Start()
	if err == nil {
		err = cl.connect(c.dir, s.assets)
	}
	if err == nil {
		cl.Client, err = client.New(config, client.Options{Scheme: newScheme()})
	}
	if err == nil {
		say.step("The API server is up and knows imagequeries and cloudimages (config/crd/bases)")
		err = cl.startGarbageCollector(c, s.assets, say)
	}
	if err != nil {
		cl.stop()
		return nil, err
	}
	return cl, nil
}

func newEnvironment(assets string) *envtest.Environment {
	e := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		// KUBECONFIG or the like in the caller's environment must not make the demo use a real cluster.
		UseExistingCluster:       new(false),
		CRDDirectoryPaths:        []string{filepath.Join("config", "crd", "bases")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: stateTimeout,
	}
	e.ControlPlane.GetAPIServer().Configure().Set("bind-address", "127.0.0.1")
	return e
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, imagev1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // the same types are registered every time
		}
	}
	return scheme
}

// connect writes the kubeconfig for kubectl and the processes.
func (cl *cluster) connect(dir, assets string) error {
	cl.kubeconfig = filepath.Join(dir, "kubeconfig")
	cl.kubectlPath = filepath.Join(assets, "kubectl")
	// Keep kubectl's cache and preferences out of the home folder.
	cl.environ = append(os.Environ(), "KUBECONFIG="+cl.kubeconfig, "KUBECACHEDIR="+filepath.Join(dir, "cache"), "KUBERC=off")
	return os.WriteFile(cl.kubeconfig, cl.environment.KubeConfig, 0o600)
}

func has(folder, name string) bool {
	_, err := os.Stat(filepath.Join(folder, name))
	return err == nil
}

// garbageCollector is the program that runs the garbage collector. The sets of setup-envtest lack it.
const garbageCollector = "kube-controller-manager"

// startGarbageCollector starts the garbage collector, which deletes the CloudImages of a deleted ImageQuery. It discovers kinds
// every 30 s, so the CRDs must exist before it starts.
func (cl *cluster) startGarbageCollector(c *children, assets string, say *story) error {
	if !has(assets, garbageCollector) {
		say.step("There is no %s in %s, so there is no garbage collection: the CloudImages of a deleted query stay", garbageCollector, assets)
		return nil
	}
	say.step("Starting %s for its garbage collector", garbageCollector)
	return c.start(filepath.Join(assets, garbageCollector),
		"--kubeconfig="+cl.kubeconfig, "--controllers=garbage-collector-controller,namespace-controller",
		"--leader-elect=false", "--secure-port=0")
}

// kubectl runs kubectl with the given standard input and returns its output.
func (cl *cluster) kubectl(ctx context.Context, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, cl.kubectlPath, args...)
	cmd.Env = cl.environ
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(out.String()))
	}
	return out.String(), nil
}

// show runs kubectl and prints the command with the first lines of its output; 0 means all.
func (cl *cluster) show(ctx context.Context, say *story, most int, args ...string) error {
	out, err := cl.kubectl(ctx, "", args...)
	if err != nil {
		return err
	}
	say.command("kubectl "+strings.Join(args, " "), out, most)
	return nil
}

func (cl *cluster) stop() { _ = cl.environment.Stop() }
