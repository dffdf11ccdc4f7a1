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

// Abbreviations for import paths.
const (
	api   = "api/v1alpha1"
	apply = "api/v1alpha1/applyconfiguration/..."
	sdk   = "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud"
)

// boundary lists the allowed imports of the packages in one folder besides the standard library. "/..." at the end of
// one of our paths includes all folders below. Paths of others are prefixes.
type boundary struct {
	own    []string // packages of ours
	others []string // packages of others
	never  []string // of the standard library
	// Additional imports of _test.go files. All tests may also use testLibraries.
	testOwn, testOthers []string
}

var testLibraries = []string{
	"github.com/google/go-cmp", "github.com/onsi/gomega", "go.uber.org/goleak", "pgregory.net/rapid",
}

// realAPIServer is required for tests against a real API server.
var realAPIServer = []string{
	"k8s.io/api", "k8s.io/apiextensions-apiserver", "k8s.io/apimachinery", "k8s.io/client-go", "k8s.io/utils",
	"sigs.k8s.io/cli-utils", "sigs.k8s.io/controller-runtime", "sigs.k8s.io/yaml",
}

// boundaries has a row for every folder with Go code. A folder without a row fails. From controllers downwards, each folder
// is one step nearer to the cloud, and no import leads back: catalog doesn't know Kubernetes, only cvm and the packages below
// know Tencent, and the simulator shares no code with the client that it tests.
var boundaries = map[string]boundary{
	// It only picks a command.
	".": {
		own: []string{"controllers/command"},
	},
	api: {
		others:  []string{"k8s.io/apimachinery"},
		testOwn: []string{apply, "controllers/preview/admission"},
		// The library that parses ranges determines which ones admission must accept.
		testOthers: slices.Concat(realAPIServer, []string{"github.com/Masterminds/semver"}),
	},
	apply: {
		own:    []string{api, apply},
		others: []string{"k8s.io/apimachinery", "k8s.io/client-go/applyconfigurations", "sigs.k8s.io/structured-merge-diff"},
	},
	"controllers": {
		own: []string{
			api, apply, "controllers/catalog", "controllers/cloudimage", "controllers/cloudimage/cache",
			"controllers/cloudimage/writer", "controllers/polltime", "controllers/selection",
		},
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
			"controllers/catalog/cvm/cvmtest", "controllers/cloudimage/cloudimagetest", "controllers/cloudimage/watch", "controllers/preview", "hack/kit",
		},
		testOthers: slices.Concat(realAPIServer, []string{"github.com/prometheus/client_model"}), // to read metrics
	},
	"controllers/polltime": {
		never:   []string{"net/http", "context"},
		testOwn: []string{"controllers/catalog/catalogtest"},
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
		own: []string{api, "controllers/cloudimage"},
		others: []string{
			"k8s.io/apimachinery/pkg/apis/meta/v1", "k8s.io/client-go/tools/cache", "sigs.k8s.io/controller-runtime/pkg/cache",
		},
		never:      []string{"net/http"},
		testOwn:    []string{"controllers/catalog", "controllers/catalog/catalogtest", "controllers/selection"},
		testOthers: []string{"k8s.io/apimachinery"},
	},
	// The watch that fills the cache.
	"controllers/cloudimage/watch": {
		own: []string{api},
		others: []string{
			// The decoder of Go 1.27.
			"github.com/go-json-experiment/json",
			"k8s.io/apimachinery", "k8s.io/client-go/rest", "k8s.io/client-go/tools/cache",
			"sigs.k8s.io/controller-runtime/pkg/cache", "sigs.k8s.io/controller-runtime/pkg/client",
		},
		never: []string{"net/http"},
		// It generates objects.
		testOthers: []string{"sigs.k8s.io/randfill"},
	},
	// It shows what the caches have. It has no client, so it can't write.
	"controllers/page": {
		own: []string{api, "controllers/cloudimage", "controllers/cloudimage/cache"},
		others: []string{
			"k8s.io/apimachinery/pkg/api/meta", "k8s.io/apimachinery/pkg/apis/meta/v1", "k8s.io/client-go/tools/cache",
			"sigs.k8s.io/controller-runtime/pkg/cache",
		},
		testOwn:    []string{"controllers/cloudimage/watch", "hack/kit"},
		testOthers: slices.Concat(realAPIServer, []string{"github.com/go-logr/logr", "golang.org/x/net/html"}),
	},
	// The only writer of CloudImages.
	"controllers/cloudimage/writer": {
		own: []string{api, "controllers/cloudimage"},
		others: []string{
			// The decoder of Go 1.27.
			"github.com/go-json-experiment/json/v1",
			"golang.org/x/sync", "k8s.io/apimachinery", "k8s.io/client-go/rest", "k8s.io/utils/lru", "sigs.k8s.io/controller-runtime",
		},
		never: []string{"net/http"},
	},
	"controllers/cloudimage/cloudimagetest": {
		own:    []string{api, "controllers/preview/admission"},
		others: []string{"k8s.io/apimachinery/pkg/runtime"},
	},
	// A query decided without a cluster: the operator's own code decides, and what connects to anything is passed in.
	"controllers/preview": {
		own: []string{
			api, "controllers", "controllers/catalog", "controllers/catalog/cvm", "controllers/preview/admission", "controllers/selection",
			"controllers/terminal",
		},
		others: []string{"k8s.io/apimachinery", "sigs.k8s.io/yaml"},
		never:  []string{"net/http"},
		testOwn: []string{
			"controllers/catalog/catalogtest", "controllers/catalog/cvm/cvmtest", "controllers/command", "hack/kit",
		},
		testOthers: realAPIServer,
	},
	// Questions about what the cluster says of a query, through a plain client.
	"controllers/inspect": {
		own:    []string{api, "controllers/catalog", "controllers/cloudimage", "controllers/selection", "controllers/terminal"},
		others: []string{"k8s.io/apimachinery", "k8s.io/utils/ptr", "sigs.k8s.io/controller-runtime/pkg/client"},
		never:  []string{"net/http"},
	},
	// Tables for people.
	"controllers/terminal": {
		others: []string{"github.com/mattn/go-runewidth", "golang.org/x/term"},
		never:  []string{"net/http", "context"},
	},
	// The definitions as they are installed, embedded beside the files that controller-gen writes.
	"config/crd": {},
	// It validates like the API server, with the same libraries.
	"controllers/preview/admission": {
		own: []string{api, "config/crd"},
		others: []string{
			"k8s.io/apiextensions-apiserver", "k8s.io/apimachinery", "k8s.io/apiserver/pkg/apis/cel", "sigs.k8s.io/yaml",
		},
		never: []string{"net/http"},
	},
	"controllers/catalog/catalogtest": {
		own: []string{"controllers/catalog"},
	},
	// Flags and wiring: the only package that imports all others. Only main.go imports it.
	"controllers/command": {
		own: []string{
			api, "controllers", "controllers/catalog", "controllers/catalog/cvm", "controllers/catalog/cvm/auth",
			"controllers/cloudimage/watch", "controllers/inspect", "controllers/page", "controllers/preview", "controllers/publish",
			"controllers/terminal",
		},
		others: []string{
			"github.com/go-logr/logr", "github.com/prometheus/client_golang", "github.com/spf13/cobra",
			"golang.org/x/net/netutil", "golang.org/x/time/rate",
			"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go", "k8s.io/utils/clock", "sigs.k8s.io/controller-runtime",
		},
		testOwn:    []string{"controllers/catalog/cvm/cvmtest", "controllers/selection"},
		testOthers: realAPIServer,
	},
	// Selections into ConfigMaps. Of selection it takes the rule by which an edit rules out what was selected.
	"controllers/publish": {
		own: []string{api, "controllers/selection"},
		others: []string{
			"github.com/go-logr/logr", "github.com/prometheus/client_golang",
			"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go", "k8s.io/utils/ptr", "sigs.k8s.io/controller-runtime",
		},
		never: []string{"net/http"},
	},
	"controllers/catalog": {
		own:    []string{"controllers/catalog/secret"},
		others: []string{"golang.org/x/sync"},
		never:  []string{"net/http"},
	},
	// The type for parts of keys, shared by catalog and the packages below.
	"controllers/catalog/secret": {
		never: []string{"net/http"},
	},
	"controllers/catalog/expiring": {
		never: []string{"net/http"},
	},
	"controllers/catalog/cvm": {
		own: []string{"controllers/catalog", "controllers/catalog/cvm/auth", "controllers/catalog/expiring", "controllers/catalog/secret"},
		others: []string{
			// The decoder of Go 1.27.
			"github.com/go-json-experiment/json/v1",
			"github.com/prometheus/client_golang", "golang.org/x/sync", "golang.org/x/time/rate", sdk + "/common", sdk + "/cvm",
		},
		testOwn:    []string{"controllers/catalog/cvm/auth/authtest", "controllers/catalog/cvm/cvmtest", "controllers/polltime"},
		testOthers: []string{"github.com/prometheus/client_model"},
	},
	// It obtains keys. Package cvm classifies its errors.
	"controllers/catalog/cvm/auth": {
		own:     []string{"controllers/catalog/expiring", "controllers/catalog/secret"},
		others:  []string{"golang.org/x/sync", sdk + "/common"},
		testOwn: []string{"controllers/catalog/cvm/auth/authtest", "controllers/catalog/cvm/cvmtest"},
	},
	// The simulated STS issues keys for the simulated CVM. Neither knows the code under test.
	"controllers/catalog/cvm/auth/authtest": {
		own: []string{"controllers/catalog/cvm/cvmtest"},
	},
	"controllers/catalog/cvm/cvmtest": {
		// The SDK's models may be used for field names, its client only by tests, which show that the published SDK
		// understands the simulator.
		others:     []string{sdk + "/cvm/v20170312"},
		testOthers: []string{sdk + "/common", sdk + "/cvm"},
	},
	"hack/cvmsim": {
		own: []string{"controllers/catalog/cvm/auth/authtest", "controllers/catalog/cvm/cvmtest", "hack/orphan"},
	},
	// Black box: the demo runs the binaries and imports none of their packages.
	"hack/demo": {
		own: []string{api, apply, "controllers/catalog/cvm/cvmtest", "hack/orphan"},
		others: []string{
			"github.com/go-logr/logr", "k8s.io/api", "k8s.io/apiextensions-apiserver", "k8s.io/apimachinery", "k8s.io/client-go",
			"sigs.k8s.io/controller-runtime", "sigs.k8s.io/yaml",
		},
	},
	// It parses the code and runs none of it, but asks the commands for their flags.
	"hack/docs": {
		own:    []string{"controllers/command"},
		others: []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "sigs.k8s.io/yaml"},
	},
	// Test helpers that use a plain client. It knows the API, and no code of the operator.
	"hack/kit": {
		own: []string{api, "controllers/catalog/cvm/cvmtest"},
		others: []string{
			"github.com/google/go-cmp", "k8s.io/api/core/v1", "k8s.io/apimachinery", "sigs.k8s.io/controller-runtime/pkg/client",
		},
	},
	// It builds what a release has of the plugin, and imports nothing of it.
	"hack/plugin": {others: []string{"sigs.k8s.io/yaml"}},
	// It parses the code, and runs its tests in processes of their own.
	"hack/mutants": {others: []string{"sigs.k8s.io/yaml"}},
	// Used by cvmsim and demo; the standard library suffices.
	"hack/orphan": {},
	"hack/verify": {
		others: []string{"sigs.k8s.io/yaml"},
	},
	// A separate module, because of its heavy dependencies.
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
			t.Errorf("%s: the folder %s has no row in hack/verify/boundary_test.go: add one that says what its code may import, and why, or "+
				"move the file", file, folder)
			continue
		}
		for _, imported := range importsOf(t, file) {
			if why := refusal(row, folder, imported, strings.HasSuffix(file, "_test.go")); why != "" {
				t.Errorf("%s imports %s: %s", file, imported, why)
			}
		}
	}
}

// boundaryOf returns the row of a folder: its own, or the nearest "/..." above.
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

// refusal returns why a file must not have an import, or "".
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
			// An external test package may import its package.
			allowed = slices.Concat(allowed, row.testOwn, []string{folder})
		}
		if slices.ContainsFunc(allowed, func(pattern string) bool { return covers(pattern, rel) }) {
			return ""
		}
		return "code in " + folder + " may import of ours only " + list(allowed) +
			"; turn the dependency round (pass a value or a func in), or move the code"
	case !strings.Contains(first, "."):
		if !test && slices.Contains(row.never, imported) {
			return "this package of the standard library is kept out of " + folder +
				", since only the code in controllers/catalog/cvm talks to the cloud"
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
		return "code in " + folder + " may import of others only " + list(allowed) +
			"; do it where that library belongs, or justify a new entry in hack/verify/boundary_test.go"
	}
}

// covers reports whether a pattern matches one of our packages.
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
