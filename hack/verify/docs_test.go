// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// line is a line of documentation with its code.
type line struct {
	where string   // README.md:12
	text  string   // the line as it is
	code  []string // a line of a code block, or the `spans` of prose
	block bool     // inside a code block
}

var span = regexp.MustCompile("`([^`]+)`")

// documentation returns the lines of README.md, docs and the forge's pages for contributors. Decisions may name what no
// longer exists, since they describe the past and are superseded, never rewritten.
func documentation(t *testing.T) []line {
	t.Helper()
	read(t, "README.md") // must exist
	var lines []line
	for _, file := range files(t, func(p string) bool {
		return p == "README.md" || strings.HasPrefix(p, ".github/") && strings.HasSuffix(p, ".md") ||
			strings.HasPrefix(p, "docs/") && strings.HasSuffix(p, ".md") && !strings.HasPrefix(p, "docs/decisions/")
	}) {
		block := false
		for i, text := range strings.Split(read(t, file), "\n") {
			if strings.HasPrefix(strings.TrimSpace(text), "```") {
				block = !block
				continue
			}
			l := line{where: file + ":" + strconv.Itoa(i+1), text: text, block: block}
			if block {
				command, _, _ := strings.Cut(" "+text, " #") // prose again
				l.code = []string{strings.TrimSpace(command)}
			} else {
				for _, found := range span.FindAllStringSubmatch(text, -1) {
					l.code = append(l.code, found[1])
				}
			}
			lines = append(lines, l)
		}
	}
	return lines
}

func TestMakeTargetsInDocumentationExist(t *testing.T) {
	targets := matches(`(?m)^([a-z][a-z0-9-]*):(?:[^=]|$)`, read(t, "Makefile"))
	word := regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	for _, l := range documentation(t) {
		for _, code := range l.code {
			_, after, found := strings.Cut(" "+code, " make ")
			if !found {
				continue
			}
			for argument := range strings.FieldsSeq(after) {
				if strings.Contains(argument, "=") {
					continue // a variable, as in make demo ONCE=1
				}
				if !word.MatchString(argument) {
					break // the end of the make command
				}
				if !slices.Contains(targets, argument) {
					t.Errorf("%s names make %s, and the Makefile has no such target: correct the name, or add the target", l.where, argument)
				}
			}
		}
	}
}

func TestPathsInDocumentationExist(t *testing.T) {
	folder := regexp.MustCompile(`^(\.ci|\.github|api|config|controllers|docs|hack)/`)
	link := regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)
	check := func(where, file string) {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(root, file))
		if err != nil || len(found) == 0 {
			t.Errorf("%s names %s, which isn't there: correct the path, or add the file", where, file)
		}
	}
	for _, l := range documentation(t) {
		for _, code := range l.code {
			for _, name := range strings.FieldsFunc(code, func(r rune) bool { return strings.ContainsRune(" \t\"'()[],;=|", r) }) {
				name = strings.TrimRight(strings.TrimPrefix(name, "./"), ".:")
				// <name> and ... are placeholders. The part before them must exist.
				name, _, _ = strings.Cut(name, "<")
				name, _, _ = strings.Cut(name, "...")
				name, _, _ = strings.Cut(name, ":") // a line number
				if folder.MatchString(name) {
					check(l.where, name)
				}
			}
		}
		if l.block {
			continue
		}
		for _, target := range link.FindAllStringSubmatch(l.text, -1) {
			if strings.Contains(target[1], ":") {
				continue // https:, mailto:
			}
			document, _, _ := strings.Cut(l.where, ":")
			check(l.where, path.Join(path.Dir(document), target[1]))
		}
	}
	// Decisions may name what no longer exists, but not link to it.
	for _, file := range files(t, func(p string) bool { return path.Dir(p) == decisions }) {
		for _, target := range link.FindAllStringSubmatch(read(t, file), -1) {
			if !strings.Contains(target[1], ":") {
				check(file, path.Join(decisions, target[1]))
			}
		}
	}
}

// libraryFlags are the manager's flags that controller-runtime defines.
var libraryFlags = []string{
	"help", "kubeconfig", "zap-devel", "zap-encoder", "zap-log-level", "zap-stacktrace-level", "zap-time-encoding",
}

func TestManagerFlagsInDocumentationExist(t *testing.T) {
	flags := slices.Concat(libraryFlags, managerFlags(t))
	flag := regexp.MustCompile(`(?:^|[\s"'\[,|])--([a-z][a-z0-9-]*)`)
	for _, l := range documentation(t) {
		if strings.HasPrefix(l.where, "docs/flags.md:") {
			continue // make generate writes the flags that there are
		}
		for _, code := range l.code {
			// Flags of kubectl and the like follow their command's name. A flag at the start, or after the manager's
			// name, is the manager's.
			ours := strings.HasPrefix(code, "--") || strings.HasPrefix(code, "- --") || strings.HasPrefix(code, `- "--`) ||
				regexp.MustCompile(`(^|/|\s)manager\s`).MatchString(code) || strings.Contains(code, "ARGS=")
			if !ours {
				continue
			}
			for _, found := range flag.FindAllStringSubmatch(strings.ReplaceAll(code, "ARGS=", " "), -1) {
				if !slices.Contains(flags, found[1]) {
					t.Errorf("%s names the manager's flag --%s, which controllers/command doesn't define: correct the name (a flag of another "+
						"command is written with its command, like `kubectl get --watch`), or add the flag", l.where, found[1])
				}
			}
		}
	}
}

// managerFlags returns the flags that the manager's commands define with package flag or pflag: the first string
// argument of a call of a method with one of their names.
func managerFlags(t *testing.T) []string {
	t.Helper()
	define := regexp.MustCompile(`^(Bool|Duration|Float64|Func|BoolFunc|Int|Int32|Int64|String|StringSlice|Text|Uint|Uint64)?(Var)?P?$`)
	var names []string
	for _, file := range goFiles(t) {
		if path.Dir(file) != "controllers/command" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(parse(t, file), func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !define.MatchString(method.Sel.Name) {
				return true
			}
			for _, argument := range call.Args {
				if name, ok := text(argument); ok {
					names = append(names, name)
					break
				}
			}
			return true
		})
	}
	if len(names) == 0 {
		t.Fatal("no flag was found in controllers/command: this check no longer understands how flags are defined there")
	}
	return names
}

func TestReasonsAndDocumentationAgree(t *testing.T) {
	const file = api + "/conditions.go"
	words := constants(t, file)
	var reasons []string
	for name, value := range words {
		if strings.HasPrefix(name, "Reason") {
			reasons = append(reasons, value)
		}
	}
	if len(reasons) == 0 {
		t.Fatalf("%s has no constant named Reason...: this check no longer understands it", file)
	}
	slices.Sort(reasons)

	lines := documentation(t)
	var all strings.Builder
	for _, l := range lines {
		all.WriteString(l.text + "\n")
	}
	for _, reason := range reasons {
		if !regexp.MustCompile(`\b` + reason + `\b`).MatchString(all.String()) {
			t.Errorf("the reason %s of %s is in no documentation: say in README.md or docs when a user sees it and what to do then", reason, file)
		}
	}

	known := vocabulary(t)
	// Ready=False/Throttled, Stalled/InvalidQuery, Ready=True `Synced`, reason: Throttled.
	named := regexp.MustCompile(`(?:\b(?:Ready|Reconciling|Stalled|RemovalBlocked)(?:(?:=(?:True|False|Unknown))?/` +
		"`?|=(?:True|False|Unknown) `" + `)|\breason"?[:=] ?"?)([A-Z][A-Za-z]+)\b`)
	for _, l := range lines {
		for _, found := range named.FindAllStringSubmatch(l.text, -1) {
			if word := found[1]; !slices.Contains(known, word) {
				t.Errorf("%s names the reason %s, which %s doesn't have: correct the word, or add the reason", l.where, word, api)
			}
		}
	}
}

func TestLabelsAndAnnotationsInDocumentationExist(t *testing.T) {
	// The API itself, and its kind as in Argo CD's RBAC.
	known := []string{"imagecatalog.dev/v1alpha1", "imagecatalog.dev/ImageQuery"}
	for _, value := range constants(t, api+"/labels.go") {
		known = append(known, value)
	}
	// A name that follows the prefixes query. and tag. is chosen by users.
	named := regexp.MustCompile(`\b(?:(?:query|tag)\.imagecatalog\.dev/|(?:imagequery\.|cloudimage\.)?imagecatalog\.dev/[\w-]+)`)
	for _, l := range documentation(t) {
		for _, name := range named.FindAllString(l.text, -1) {
			object := strings.HasPrefix(name, "imagequery.") || strings.HasPrefix(name, "cloudimage.") // as kubectl prints its name
			if !object && !slices.Contains(known, name) {
				t.Errorf("%s names %s, which is neither label nor annotation in %s/labels.go: correct the name, or add the constant", l.where, name,
					api)
			}
		}
	}
}

func TestTestsInDocumentationExist(t *testing.T) {
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	var there []string
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			for _, found := range function.FindAllStringSubmatch(read(t, file), -1) {
				there = append(there, found[1])
			}
		}
	}
	name := regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z]\w+$`)
	for _, l := range documentation(t) {
		for _, code := range l.code {
			if name.MatchString(code) && !slices.Contains(there, code) {
				t.Errorf("%s names %s, and there is no such test: correct the name, or write the test", l.where, code)
			}
		}
	}
}

// vocabulary returns every reason of the API: the string constants of its package, and the enums of its markers.
func vocabulary(t *testing.T) []string {
	t.Helper()
	var words []string
	for _, file := range goFiles(t) {
		if path.Dir(file) != api || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, value := range constants(t, file) {
			words = append(words, value)
		}
		for _, enum := range matches(`\+kubebuilder:validation:(?:items:)?Enum=(\S+)`, read(t, file)) {
			words = append(words, strings.Split(enum, ";")...)
		}
	}
	return words
}

// constants returns the string constants of a file by name.
func constants(t *testing.T, file string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, declaration := range parse(t, file).Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok || general.Tok != token.CONST {
			continue
		}
		for _, spec := range general.Specs {
			constant, ok := spec.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for i, value := range constant.Values {
				if word, ok := text(value); ok {
					found[constant.Names[i].Name] = word
				}
			}
		}
	}
	return found
}

func text(expression ast.Expr) (string, bool) {
	literal, ok := expression.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(literal.Value)
	return value, err == nil
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	return parseWith(t, file, parser.SkipObjectResolution)
}

func parseComments(t *testing.T, file string) *ast.File {
	t.Helper()
	return parseWith(t, file, parser.SkipObjectResolution|parser.ParseComments)
}

func parseWith(t *testing.T, file string, mode parser.Mode) *ast.File {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatalf("%s can't be read, and this check is about it: %v", file, err)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, content, mode)
	if err != nil {
		t.Fatalf("%s can't be parsed: %v", file, err)
	}
	return parsed
}
