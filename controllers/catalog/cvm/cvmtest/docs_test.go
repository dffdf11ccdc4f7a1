// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

const docs = "../../../../docs/simulator.md"

// docs/simulator.md lists every fault, every request of the control API, and every code that only a fault produces.
func TestTheDocumentationIsComplete(t *testing.T) {
	b, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for f := range reflect.TypeFor[cvmtest.Fault]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("%s does not explain the fault member %s", docs, name)
		}
	}
	var source []byte
	for _, file := range []string{"control.go", "../auth/authtest/control.go"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, b...)
	}
	routes := regexp.MustCompile(`"((?:GET|PUT|POST|PATCH|DELETE) /[a-z-]+)":`).FindAllStringSubmatch(string(source), -1)
	if len(routes) < 20 {
		t.Errorf("found only %d routes in control.go", len(routes))
	}
	for _, r := range routes {
		if !regexp.MustCompile("`" + r[1] + "[`?]").MatchString(page) {
			t.Errorf("%s does not list %s", docs, r[1])
		}
	}
	if !strings.Contains(page, cvmtest.CodeUnknown) {
		t.Errorf("%s does not name %s", docs, cvmtest.CodeUnknown)
	}
}
