// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Command demo shows the operator at work: it starts a control plane, a cloud and the manager, applies the sample queries,
// prints the catalogue with kubectl, and then changes the cloud. "make demo" runs it from the top of the repository.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/image-catalog/image-catalog-operator/hack/orphan"
)

func main() {
	// SIGHUP and SIGPIPE mean that the terminal or a pager is gone. The children must end then too.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	ctrl.SetLogger(logr.Discard()) // envtest's log; failures are returned as errors
	// "go run" doesn't forward every signal.
	if err := run(orphan.Context(ctx, os.Getppid), readSettings(os.Getenv)); err != nil {
		fmt.Fprintln(os.Stderr, "\nThe demo failed:", err)
		os.Exit(1)
	}
}

// settings are read from the environment, since make passes variables there.
type settings struct {
	once    bool
	assets  string
	manager string
	cvmsim  string
	// real uses Tencent Cloud instead of the simulator.
	real   bool
	region string
}

func readSettings(getenv func(string) string) settings {
	or := func(name, otherwise string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return otherwise
	}
	once := getenv("ONCE")
	return settings{
		once:    once != "" && once != "0",
		assets:  or("KUBEBUILDER_ASSETS", "bin/controlplane"),
		manager: or("MANAGER", "bin/manager"),
		cvmsim:  or("CVMSIM", "bin/cvmsim"),
		real:    getenv("TENCENTCLOUD_SECRET_ID") != "" && getenv("TENCENTCLOUD_SECRET_KEY") != "",
		region:  or("REGION", "ap-guangzhou"),
	}
}

// run runs the demo. It stops everything that it started, in reverse order.
func run(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp("", "image-catalog-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// envtest creates temporary folders. Inside ours they are removed with it.
	if err := os.Setenv("TMPDIR", dir); err != nil {
		return err
	}

	say := newStory(os.Stdout)
	children := newChildren(ctx, dir)
	defer children.stop()
	cluster, err := startCluster(children, s, say) //nolint:contextcheck // children has it
	if err != nil {
		return children.because(err)
	}
	defer cluster.stop()
	// Deferred again so that they end before the API server. The second call does nothing.
	defer children.stop()

	play := playSimulated
	if s.real {
		play = playReal
	}
	return children.because(play(children, cluster, s, say))
}
