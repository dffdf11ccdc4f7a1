// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Docs generates docs/metrics.md from the definitions of metrics in the source code: each metric is created by a call of
// prometheus.New... with literal name, help and labels. It also generates the chart's README.md from its values and schema, and
// docs/flags.md from the commands.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// document is the page without its tables.
//
//go:embed metrics.md.in
var document string

// sources are the files that define metrics, by table.
var sources = map[string][]string{
	"@queries@": {"controllers/metrics.go"},
	"@publish@": {"controllers/publish/metrics.go"},
	"@cloud@":   {"controllers/catalog/cvm/metrics.go", "controllers/command/metrics.go"},
}

type metric struct{ name, kind, help, labels string }

func main() {
	if err := errors.Join(writeMetrics(), writeValues(), writeFlags()); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func writeMetrics() error {
	page := document
	for place, files := range sources {
		table, err := tableOf(files)
		if err != nil {
			return err
		}
		page = strings.Replace(page, place, table, 1)
	}
	return os.WriteFile(filepath.Join("docs", "metrics.md"), []byte(page), 0o644)
}

func tableOf(files []string) (string, error) {
	var metrics []metric
	for _, file := range files {
		found, err := metricsIn(file)
		if err != nil {
			return "", err
		}
		metrics = append(metrics, found...)
	}
	var out strings.Builder
	out.WriteString("| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n")
	for _, m := range metrics {
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", m.name, m.kind, m.labels, m.help)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// metricsIn returns the metrics of a file, in order.
func metricsIn(file string) ([]metric, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var found []metric
	ast.Inspect(parsed, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		made, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || fmt.Sprint(made.X) != "prometheus" {
			return true
		}
		kind, ok := map[string]string{
			"NewDesc": "gauge", "NewGaugeVec": "gauge", "NewCounter": "counter", "NewCounterVec": "counter", "NewCounterFunc": "counter",
			"NewHistogram": "histogram", "NewHistogramVec": "histogram",
		}[made.Sel.Name]
		if ok {
			words := stringsIn(call)
			m := metric{name: words[0], kind: kind, help: words[1]}
			for _, label := range words[2:] {
				m.labels += ", `" + label + "`"
			}
			m.labels = strings.TrimPrefix(m.labels, ", ")
			found = append(found, m)
		}
		return !ok
	})
	if len(found) == 0 {
		err = fmt.Errorf("%s defines no metric that this program understands", file)
	}
	return found, err
}

// stringsIn returns the string literals of a call in order: name, help and labels.
func stringsIn(call ast.Node) []string {
	var words []string
	ast.Inspect(call, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if word, err := strconv.Unquote(literal.Value); err == nil {
				words = append(words, word)
			}
		}
		return true
	})
	return words
}
