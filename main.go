// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// The manager is the operator that brings Tencent Cloud's catalogue of CVM images into Kubernetes. Its other commands answer
// questions about the catalogue; a copy named kubectl-imgq has those alone.
package main

import (
	"os"

	"github.com/image-catalog/image-catalog-operator/controllers/command"
)

func main() {
	os.Exit(command.Main(os.Args[0], os.Args[1:]))
}
