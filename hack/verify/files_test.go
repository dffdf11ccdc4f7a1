// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// Newcomers find their way by these lists.
func TestPackagesListTheirFiles(t *testing.T) {
	for _, folder := range []string{"controllers", "controllers/selection", "controllers/cloudimage"} {
		listed := matches(`(?m)^//\t(\w+\.go) `, read(t, folder+"/doc.go"))
		for _, file := range goFiles(t) {
			name := path.Base(file)
			if path.Dir(file) != folder || name == "doc.go" || strings.HasSuffix(name, "_test.go") {
				continue
			}
			at := slices.Index(listed, name)
			if at < 0 {
				t.Errorf("%s/doc.go doesn't list %s: add a line that states what it is for", folder, name)
				continue
			}
			listed = slices.Delete(listed, at, at+1)
		}
		for _, name := range listed {
			t.Errorf("%s/doc.go lists %s, which doesn't exist: remove the line or correct the name", folder, name)
		}
	}
}
