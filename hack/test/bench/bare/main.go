// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bare is a manager of controller-runtime that watches what the operator watches and does nothing with it: what any operator
// of these kinds needs at least.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

func main() {
	address := flag.String("metrics", "127.0.0.1:0", "address of /metrics")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	if err := run(ctrl.SetupSignalHandler(), *address); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address string) error {
	scheme := runtime.NewScheme()
	if err := imagev1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: server.Options{BindAddress: address}, HealthProbeBindAddress: "127.0.0.1:0",
		Cache: cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
	})
	if err != nil {
		return err
	}
	nothing := reconcile.Func(func(context.Context, ctrl.Request) (ctrl.Result, error) { return ctrl.Result{}, nil })
	none := builder.WithPredicates(predicate.NewPredicateFuncs(func(client.Object) bool { return false }))
	err = ctrl.NewControllerManagedBy(mgr).For(&imagev1alpha1.ImageQuery{}).
		Watches(&imagev1alpha1.CloudImage{}, &handler.EnqueueRequestForObject{}, none).Complete(nothing)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}
