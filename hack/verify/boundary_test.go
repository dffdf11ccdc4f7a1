// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What a row may name instead of spelling out import paths.
const (
	api   = "api/v1alpha1"
	apply = "api/v1alpha1/applyconfiguration/..."
	sdk   = "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud"
)

// boundary is what the packages of one folder may import besides the standard
// library. "/..." at the end of a path of ours means the folder and all below it;
// a path of others always means everything that begins with it.
type boundary struct {
	own    []string // packages of ours
	others []string // packages of others
	never  []string // of the standard library
	// What the _test.go files may import in addition; every test may also use testLibraries.
	testOwn, testOthers []string
}

var testLibraries = []string{
	"github.com/google/go-cmp", "github.com/onsi/gomega", "go.uber.org/goleak", "pgregory.net/rapid",
}

// realAPIServer is what it takes to test against one.
var realAPIServer = []string{
	"k8s.io/api", "k8s.io/apiextensions-apiserver", "k8s.io/apimachinery", "k8s.io/client-go", "k8s.io/utils",
	"sigs.k8s.io/cli-utils", "sigs.k8s.io/controller-runtime", "sigs.k8s.io/yaml",
}

// boundaries has a row for every folder with Go code; a folder without one fails.
// From controllers on, each folder deeper is a step nearer the cloud, and no import leads
// back: nothing in catalog knows Kubernetes, nothing above cvm but the wiring in command
// knows Tencent, and the simulator shares no code with what it is there to catch in error.
var boundaries = map[string]boundary{
	// It only picks a command.
	".": {
		own: []string{"controllers/command"},
	},
	api: {
		others:  []string{"k8s.io/apimachinery"},
		testOwn: []string{apply},
		// The library that reads ranges says which ones admission must take.
		testOthers: slices.Concat(realAPIServer, []string{"github.com/Masterminds/semver"}),
	},
	apply: {
		own:    []string{api, apply},
		others: []string{"k8s.io/apimachinery", "k8s.io/client-go/applyconfigurations", "sigs.k8s.io/structured-merge-diff"},
	},
	"controllers": {
		own: []string{api, apply, "controllers/catalog", "controllers/cloudimage", "controllers/cloudimage/cache", "controllers/cloudimage/writer", "controllers/selection"},
		others: []string{
			// The width of a name in a terminal.
			"github.com/mattn/go-runewidth",
			"github.com/go-logr/logr", "github.com/prometheus/client_golang",
			"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go", "k8s.io/utils/clock", "k8s.io/utils/ptr",
			"sigs.k8s.io/controller-runtime",
		},
		never: []string{"net/http"},
		testOwn: []string{
			"controllers/catalog/catalogtest", "controllers/catalog/cvm", "controllers/catalog/cvm/auth", "controllers/catalog/cvm/auth/authtest",
			"controllers/catalog/cvm/cvmtest", "controllers/cloudimage/cloudimagetest", "hack/kit",
		},
		testOthers: slices.Concat(realAPIServer, []string{"github.com/prometheus/client_model"}), // to read metrics
	},
	// Pure: values in, values out. No client, no clock, no cloud.
	"controllers/selection": {
		own:     []string{api, "controllers/catalog"},
		others:  []string{"github.com/Masterminds/semver"},
		never:   []string{"net/http", "context"},
		testOwn: []string{"controllers/catalog/catalogtest"},
		// Types of metadata only.
		testOthers: []string{"k8s.io/apimachinery/pkg/apis/meta/v1"},
	},
	"controllers/cloudimage": {
		own: []string{api, "controllers/catalog", "controllers/selection"},
		others: []string{
			"k8s.io/apimachinery/pkg/api/equality", "k8s.io/apimachinery/pkg/api/meta", "k8s.io/apimachinery/pkg/apis/meta/v1",
			"k8s.io/apimachinery/pkg/util/validation", "k8s.io/utils/ptr",
		},
		never:      []string{"net/http", "context"},
		testOwn:    []string{"controllers/catalog/catalogtest", "controllers/cloudimage/cloudimagetest"},
		testOthers: []string{"k8s.io/apimachinery"},
	},
	"controllers/cloudimage/cache": {
		own:        []string{api, "controllers/cloudimage"},
		others:     []string{"k8s.io/client-go/tools/cache", "sigs.k8s.io/controller-runtime/pkg/cache"},
		never:      []string{"net/http"},
		testOwn:    []string{"controllers/catalog", "controllers/catalog/catalogtest", "controllers/selection"},
		testOthers: []string{"k8s.io/apimachinery"},
	},
	// It shows what the caches have. It has no client, so it can't write.
	"controllers/page": {
		own: []string{api, "controllers/cloudimage", "controllers/cloudimage/cache"},
		others: []string{
			"k8s.io/apimachinery/pkg/api/meta", "k8s.io/apimachinery/pkg/apis/meta/v1", "k8s.io/client-go/tools/cache",
			"sigs.k8s.io/controller-runtime/pkg/cache",
		},
		testOwn:    []string{"hack/kit"},
		testOthers: slices.Concat(realAPIServer, []string{"github.com/go-logr/logr", "golang.org/x/net/html"}),
	},
	// The only writer of CloudImages.
	"controllers/cloudimage/writer": {
		own: []string{api, "controllers/cloudimage"},
		others: []string{
			"golang.org/x/sync", "k8s.io/apimachinery", "k8s.io/client-go/rest", "k8s.io/utils/lru", "sigs.k8s.io/controller-runtime",
		},
		never: []string{"net/http"},
	},
	// It validates as the API server does, with that one's libraries.
	"controllers/cloudimage/cloudimagetest": {
		own:    []string{api},
		others: slices.Concat(realAPIServer, []string{"k8s.io/apiserver/pkg/apis/cel"}),
	},
	"controllers/catalog/catalogtest": {
		own: []string{"controllers/catalog"},
	},
	// Flags and wiring: the one package that knows all others, and that none but main.go knows.
	"controllers/command": {
		own: []string{api, "controllers", "controllers/catalog", "controllers/catalog/cvm", "controllers/catalog/cvm/auth", "controllers/page"},
		others: []string{
			"github.com/go-logr/logr", "github.com/prometheus/client_golang", "github.com/spf13/cobra",
			"golang.org/x/net/netutil", "golang.org/x/time/rate",
			"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go", "k8s.io/utils/clock", "sigs.k8s.io/controller-runtime",
		},
	},
	"controllers/catalog": {
		own:    []string{"controllers/catalog/secret"},
		others: []string{"golang.org/x/sync"},
		never:  []string{"net/http"},
	},
	// The one type that catalog and what obtains keys below it share.
	"controllers/catalog/secret": {
		never: []string{"net/http"},
	},
	"controllers/catalog/expiring": {
		never: []string{"net/http"},
	},
	"controllers/catalog/cvm": {
		own:        []string{"controllers/catalog", "controllers/catalog/cvm/auth", "controllers/catalog/expiring", "controllers/catalog/secret"},
		others:     []string{"github.com/prometheus/client_golang", "golang.org/x/sync", "golang.org/x/time/rate", sdk + "/common", sdk + "/cvm"},
		testOwn:    []string{"controllers/catalog/cvm/auth/authtest", "controllers/catalog/cvm/cvmtest"},
		testOthers: []string{"github.com/prometheus/client_model"},
	},
	// It obtains keys and judges nothing: what a failure means is decided in cvm.
	"controllers/catalog/cvm/auth": {
		own:     []string{"controllers/catalog/expiring", "controllers/catalog/secret"},
		others:  []string{"golang.org/x/sync", sdk + "/common"},
		testOwn: []string{"controllers/catalog/cvm/auth/authtest", "controllers/catalog/cvm/cvmtest"},
	},
	// The simulated STS hands out keys that the simulated CVM accepts; neither knows what it is there to test.
	"controllers/catalog/cvm/auth/authtest": {
		own: []string{"controllers/catalog/cvm/cvmtest"},
	},
	"controllers/catalog/cvm/cvmtest": {
		// The SDK's models may lend field names; its client is for the tests, which
		// show that the SDK as published understands the simulator.
		others:     []string{sdk + "/cvm/v20170312"},
		testOthers: []string{sdk + "/common", sdk + "/cvm"},
	},
	"hack/cvmsim": {
		own: []string{"controllers/catalog/cvm/auth/authtest", "controllers/catalog/cvm/cvmtest", "hack/orphan"},
	},
	// Black box: the demo runs the binaries, so it needs no package that they are made of.
	"hack/demo": {
		own: []string{api, apply, "controllers/catalog/cvm/cvmtest", "hack/orphan"},
		others: []string{
			"github.com/go-logr/logr", "k8s.io/api", "k8s.io/apiextensions-apiserver", "k8s.io/apimachinery", "k8s.io/client-go",
			"sigs.k8s.io/controller-runtime", "sigs.k8s.io/yaml",
		},
	},
	// It reads the code that it documents, and runs none of it.
	"hack/docs": {others: []string{"sigs.k8s.io/yaml"}},
	// What tests do with a running operator, through a plain client: it knows the API, and no code of the operator.
	"hack/kit": {
		own: []string{api, "controllers/catalog/cvm/cvmtest"},
		others: []string{
			"github.com/google/go-cmp", "k8s.io/api/core/v1", "k8s.io/apimachinery", "sigs.k8s.io/controller-runtime/pkg/client",
		},
	},
	// What cvmsim and demo end by; the standard library will do.
	"hack/orphan": {},
	"hack/verify": {
		others: []string{"sigs.k8s.io/yaml"},
	},
	// A module of its own: its heavy dependencies are what it is there to hold.
	"hack/test/...": {
		own:    []string{api, apply, "controllers/catalog/cvm/auth/authtest", "controllers/catalog/cvm/cvmtest", "hack/kit", "hack/test/..."},
		others: []string{""},
	},
}

func TestImportsStayWithinTheirBoundaries(t *testing.T) {
	for _, file := range goFiles(t) {
		folder := path.Dir(file)
		row, ok := boundaryOf(folder)
		if !ok {
			t.Errorf("%s: the folder %s has no row in hack/verify/boundary_test.go: add one that says what its code may import, and why, or move the file", file, folder)
			continue
		}
		for _, imported := range importsOf(t, file) {
			if why := refusal(row, folder, imported, strings.HasSuffix(file, "_test.go")); why != "" {
				t.Errorf("%s imports %s: %s", file, imported, why)
			}
		}
	}
}

// boundaryOf returns the row of a folder; an exact one counts before the nearest "/..." above.
func boundaryOf(folder string) (boundary, bool) {
	if row, ok := boundaries[folder]; ok {
		return row, true
	}
	for up := folder; up != "."; up = path.Dir(up) {
		if row, ok := boundaries[up+"/..."]; ok {
			return row, true
		}
	}
	return boundary{}, false
}

// refusal says in a sentence why a file must not have this import; empty if it may.
func refusal(row boundary, folder, imported string, test bool) string {
	rel, ours := strings.CutPrefix(imported+"/", module+"/")
	rel = strings.TrimSuffix(rel, "/")
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case ours && rel == "":
		return "package main is for running, not for importing: move what is needed into a package"
	case ours:
		allowed := row.own
		if test {
			// A test may stand in its package's place, outside of it.
			allowed = slices.Concat(allowed, row.testOwn, []string{folder})
		}
		if slices.ContainsFunc(allowed, func(pattern string) bool { return covers(pattern, rel) }) {
			return ""
		}
		return "code in " + folder + " may import of ours only " + list(allowed) + "; turn the dependency round (pass a value or a func in), or move the code"
	case !strings.Contains(first, "."):
		if !test && slices.Contains(row.never, imported) {
			return "this package of the standard library is kept out of " + folder + ", since only the code in controllers/catalog/cvm talks to the cloud"
		}
		return ""
	default:
		allowed := row.others
		if test {
			allowed = slices.Concat(allowed, row.testOthers, testLibraries)
		}
		if slices.ContainsFunc(allowed, func(prefix string) bool { return within(prefix, imported) }) {
			return ""
		}
		return "code in " + folder + " may import of others only " + list(allowed) + "; do it where that library belongs, or justify a new entry in hack/verify/boundary_test.go"
	}
}

// covers tells whether a pattern of ours has the package: itself or, with "/...", what is below.
func covers(pattern, pkg string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return within(below, pkg)
	}
	return pattern == pkg
}

func within(prefix, pkg string) bool {
	return prefix == "" || pkg == prefix || strings.HasPrefix(pkg, prefix+"/")
}

func list(allowed []string) string {
	if len(allowed) == 0 {
		return "nothing"
	}
	return strings.Join(allowed, ", ")
}

func importsOf(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
	if err != nil {
		t.Errorf("%s can't be parsed: %v", file, err)
		return nil
	}
	var paths []string
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Errorf("%s: the import %s can't be read: %v", file, spec.Path.Value, err)
			continue
		}
		paths = append(paths, imported)
	}
	return paths
}
