// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// chartDocument is the chart's README without its table.
//
//go:embed chart.md.in
var chartDocument string

const chart = "config/chart"

// property is the part of a JSON schema that the table shows.
type property struct {
	Description string              `json:"description"`
	Properties  map[string]property `json:"properties"`
}

func writeValues() error {
	var schema property
	var values map[string]any
	for file, into := range map[string]any{"values.schema.json": &schema, "values.yaml": &values} {
		content, err := os.ReadFile(filepath.Join(chart, file))
		if err != nil {
			return err
		}
		if err := yaml.Unmarshal(content, into); err != nil { // JSON, too
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	delete(schema.Properties, "global") // a parent chart's
	rows, err := valueRows("", schema.Properties, values)
	if err != nil {
		return err
	}
	table := "| Value | Default | Meaning |\n|---|---|---|\n" + strings.Join(rows, "\n")
	page := strings.Replace(chartDocument, "@values@", table, 1)
	return os.WriteFile(filepath.Join(chart, "README.md"), []byte(page), 0o644)
}

// valueRows returns one row per value, sorted by name. A value with a description has one row, even if it is an object.
func valueRows(parent string, properties map[string]property, values map[string]any) ([]string, error) {
	var rows []string
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		p, path := properties[name], parent+name
		if p.Description != "" {
			value, err := inline(values[name])
			if err != nil {
				return nil, err
			}
			rows = append(rows, fmt.Sprintf("| `%s` | `%s` | %s |", path, value, p.Description))
			continue
		}
		inner, ok := values[name].(map[string]any)
		if len(p.Properties) == 0 || !ok {
			return nil, fmt.Errorf("%s/values.schema.json has no description of %s", chart, path)
		}
		more, err := valueRows(path+".", p.Properties, inner)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// inline formats a value as YAML on one line.
func inline(value any) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return strings.TrimSpace(out.String()), err
}
