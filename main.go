// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// The manager is the operator that brings Tencent Cloud's catalogue of CVM images into Kubernetes.
package main

import (
	"fmt"
	"os"

	"github.com/image-catalog/image-catalog-operator/controllers/command"
)

func main() {
	if err := command.Operator(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}
