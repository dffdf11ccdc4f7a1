// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"strings"
	"testing"
)

func TestEveryGoFileHasTheLicenceHeader(t *testing.T) {
	header := read(t, "hack/boilerplate.go.txt") // what controller-gen writes, too
	for _, file := range goFiles(t) {
		above, _, _ := strings.Cut(read(t, file), "\npackage ")
		if !strings.Contains(above+"\n", header) {
			t.Errorf("%s lacks the licence header: put the two lines of hack/boilerplate.go.txt at its top", file)
		}
	}
}
