// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// repository is the top of the checkout, found from the test's folder.
var repository = sync.OnceValues(func() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; folder = filepath.Dir(folder) {
		content, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err == nil && strings.HasPrefix(string(content), "module github.com/image-catalog/image-catalog-operator\n") {
			return folder, nil
		}
		if folder == filepath.Dir(folder) {
			return "", fmt.Errorf("the checkout of image-catalog-operator is not above the working folder")
		}
	}
})

var (
	managerBinary = sync.OnceValues(func() (string, error) { return binary("MANAGER", "manager", ".") })
	cvmsimBinary  = sync.OnceValues(func() (string, error) { return binary("CVMSIM", "cvmsim", "./hack/cvmsim") })
)

// binary returns the path in an environment variable, or builds bin/<name>.
func binary(variable, name, pkg string) (string, error) {
	if path := os.Getenv(variable); path != "" {
		return filepath.Abs(path)
	}
	root, err := repository()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", name)
	// Renamed at the end: another test may be starting the existing one.
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", fresh, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return path, os.Rename(fresh, path)
}
