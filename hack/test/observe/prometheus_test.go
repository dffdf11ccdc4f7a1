// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

type alertRule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type prometheusRule struct {
	Spec struct {
		Groups []struct {
			Rules []alertRule `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

func alerts(t *testing.T) []alertRule {
	t.Helper()
	var rule prometheusRule
	readYAML(t, root+"/config/prometheus/alerts.yaml", &rule)
	var all []alertRule
	for _, group := range rule.Spec.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) < 7 {
		t.Fatalf("config/prometheus/alerts.yaml has %d alerts", len(all))
	}
	return all
}

// expression is a PromQL expression and its location.
type expression struct{ where, text string }

// expressions returns all expressions in alerts, dashboard and documentation.
func expressions(t *testing.T) []expression {
	t.Helper()
	var all []expression
	for _, a := range alerts(t) {
		all = append(all, expression{"alert " + a.Alert, a.Expr})
	}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			all = append(all, expression{"panel " + p.Title, dashboardVariables.Replace(target.Expr)})
		}
	}
	for _, a := range readDashboard(t).Annotations.List {
		all = append(all, expression{"annotation " + a.Name, dashboardVariables.Replace(a.Target.Expr)})
	}
	block := regexp.MustCompile("(?s)```promql\n(.*?)```")
	documents, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range documents {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range block.FindAllStringSubmatch(string(content), -1) {
			all = append(all, expression{filepath.Base(file), found[1]})
		}
	}
	return all
}

// dashboardVariables replaces Grafana's variables.
var dashboardVariables = strings.NewReplacer("$__rate_interval", "5m", "$query", ".*")

type panel struct {
	Title, Type, Description string
	Targets                  []struct{ Expr string }
	GridPos                  struct{ X, Y, W, H int }
	ID                       int
	FieldConfig              struct {
		Defaults  struct{ Mappings []mapping }
		Overrides []struct {
			Matcher    struct{ Options string }
			Properties []struct {
				ID    string
				Value json.RawMessage
			}
		}
	}
}

// mapping maps values to a text and a colour.
type mapping struct {
	Options struct {
		From, To int
		Result   struct{ Text, Color string }
	}
}

type dashboard struct {
	Panels      []panel
	Annotations struct {
		List []struct {
			Name            string
			UseValueForTime bool
			Target          struct{ Expr string }
		}
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	content, err := os.ReadFile(root + "/config/grafana/image-catalog.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(content, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func panels(t *testing.T) []panel {
	t.Helper()
	return readDashboard(t).Panels
}

// The state of a query is a sum of four series, so each of 16 values needs a text, in the timeline and in the table.
func TestTheDashboardHasAWordAndAColourForEachState(t *testing.T) {
	found := map[string][]mapping{}
	for _, p := range panels(t) {
		found[p.Title] = p.FieldConfig.Defaults.Mappings
		for _, o := range p.FieldConfig.Overrides {
			for _, property := range o.Properties {
				if property.ID != "mappings" || o.Matcher.Options != "State" {
					continue
				}
				var mappings []mapping
				if err := json.Unmarshal(property.Value, &mappings); err != nil {
					t.Fatal(err)
				}
				found[p.Title] = mappings
			}
		}
	}
	// Ready 1, RemovalBlocked 2, Stalled 4, suspended 8. The most important state determines the text.
	words := []string{
		"Not ready", "Ready", "Not ready", "Removal blocked", "Waits for a person", "Waits for a person", "Waits for a person",
		"Waits for a person",
		"Suspended", "Suspended", "Suspended", "Suspended", "Suspended", "Suspended", "Suspended", "Suspended",
	}
	for _, title := range []string{"State", "Queries"} {
		for state, want := range words {
			i := slices.IndexFunc(found[title], func(m mapping) bool { return m.Options.From <= state && state <= m.Options.To })
			if i < 0 || found[title][i].Options.Result.Text != want || found[title][i].Options.Result.Color == "" {
				t.Errorf("the panel %s shows state %d by none of %+v, want %s in a colour", title, state, found[title], want)
			}
		}
	}
}

// Grafana uses the value, in milliseconds, as the time of such an annotation.
func TestTheDashboardMarksChangesOfTheSelection(t *testing.T) {
	for _, a := range readDashboard(t).Annotations.List {
		if a.UseValueForTime && strings.Contains(a.Target.Expr, "imagequery_selection_changed_timestamp_seconds") &&
			strings.HasSuffix(a.Target.Expr, " * 1000") {
			return
		}
	}
	t.Error("no annotation of the dashboard shows when a selection changed")
}

func TestTheDashboardsPanelsAreWhole(t *testing.T) {
	ids := map[int]bool{}
	for _, p := range panels(t) {
		if ids[p.ID] {
			t.Errorf("the id %d of panel %s is taken", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %s is off the grid", p.Title)
		}
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %s asks nothing, or doesn't say how to read it", p.Title)
		}
	}
}

// selectors returns the metrics in an expression with the labels that it uses of each.
func selectors(t *testing.T, e expression) map[string][]string {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(e.text)
	if err != nil {
		t.Errorf("%s: %v\n%s", e.where, err, e.text)
		return nil
	}
	found := map[string][]string{}
	parser.Inspect(parsed, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		labels := []string{}
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != "__name__" {
				labels = append(labels, matcher.Name)
			}
		}
		// Only the innermost aggregation sees the metric's own labels.
		for _, above := range slices.Backward(path) {
			if aggregate, ok := above.(*parser.AggregateExpr); ok && !aggregate.Without {
				labels = append(labels, aggregate.Grouping...)
				break
			}
		}
		found[selector.Name] = append(found[selector.Name], labels...)
		return nil
	})
	return found
}

func TestEveryAlertHasARunbook(t *testing.T) {
	content, err := os.ReadFile(root + "/docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	var headings []string
	for _, found := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(string(content), -1) {
		headings = append(headings, found[1])
	}
	for _, a := range alerts(t) {
		address, err := url.Parse(a.Annotations["runbook_url"])
		if err != nil || !strings.HasSuffix(address.Path, "/docs/runbooks.md") || address.Fragment != strings.ToLower(a.Alert) ||
			!slices.Contains(headings, a.Alert) {
			t.Errorf("%s: its runbook_url %q doesn't lead to a section of docs/runbooks.md", a.Alert, a.Annotations["runbook_url"])
		}
		if a.Labels["severity"] == "" || a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s lacks a severity, a summary or a description", a.Alert)
		}
	}
}

// promtool runs the pinned promtool; make e2e builds it.
func promtool(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	path := os.Getenv("PROMTOOL")
	if path == "" {
		found, err := filepath.Glob(root + "/bin/tools/promtool-*")
		if err != nil || len(found) == 0 {
			t.Fatalf("there is no bin/tools/promtool-*: run make e2e, which builds it, or set PROMTOOL (%v)", err)
		}
		path = found[len(found)-1]
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	var rule map[string]any
	readYAML(t, root+"/config/prometheus/alerts.yaml", &rule)
	spec, err := yaml.Marshal(rule["spec"])
	if err != nil {
		t.Fatal(err)
	}
	cases, err := os.ReadFile(root + "/config/prometheus/alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, content := range map[string][]byte{"rules.yaml": spec, "alerts_test.yaml": cases} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	promtool(t, "", "check", "rules", "--lint=all", "--lint-fatal", filepath.Join(folder, "rules.yaml"))
	promtool(t, "", "test", "rules", filepath.Join(folder, "alerts_test.yaml"))
	for _, a := range alerts(t) {
		if !strings.Contains(string(cases), a.Alert) {
			t.Errorf("%s has no case in alerts_test.yaml", a.Alert)
		}
	}
}
