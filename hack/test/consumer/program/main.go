// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Command program runs the example consumer of ImageQueries against the current kubeconfig, or in a pod.
package main

import (
	"flag"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/image-catalog/image-catalog-operator/hack/test/consumer"
)

func main() {
	namespace := flag.String("namespace", "default", "where the ConfigMaps are kept")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	config, err := ctrl.GetConfig()
	if err == nil {
		err = consumer.Run(ctrl.SetupSignalHandler(), config, *namespace)
	}
	if err != nil {
		ctrl.Log.Error(err, "the consumer has ended")
		os.Exit(1)
	}
}
