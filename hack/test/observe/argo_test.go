// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
	"sigs.k8s.io/yaml"
)

const (
	root           = "../../.."
	customizations = root + "/config/argocd/resource_customizations/imagecatalog.dev"
)

// runLua runs a script on an object like Argo CD: gopher-lua with the libraries package, base and table, an os with
// only the time, the global obj, and a timeout of a second.
func runLua(t *testing.T, file string, object map[string]any) []byte {
	t.Helper()
	result, err := tryLua(t, file, object)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return result
}

// tryLua is runLua for a script that may fail.
func tryLua(t *testing.T, file string, object map[string]any) ([]byte, error) {
	t.Helper()
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.OsLibName: openSafeOS,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	text, err := json.Marshal(object) // DecodeValue doesn't support int64
	if err != nil {
		t.Fatal(err)
	}
	value, err := luajson.Decode(state, text)
	if err != nil {
		t.Fatal(err)
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(string(script)); err != nil {
		return nil, err
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("it returns a %s, and Argo CD wants a table", state.Get(-1).Type())
	}
	return luajson.Encode(result)
}

// openSafeOS is the restricted os library for users' scripts.
func openSafeOS(state *lua.LState) int {
	lua.OpenOs(state)
	full := state.GetGlobal(lua.OsLibName).(*lua.LTable)
	state.SetGlobal(lua.OsLibName, state.SetFuncs(state.NewTable(), nil))
	safe := state.GetGlobal(lua.OsLibName).(*lua.LTable)
	for _, name := range []string{"time", "date"} {
		safe.RawSetString(name, full.RawGetString(name))
	}
	state.Push(safe)
	return 1
}

// health is the result of a health.lua.
type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func healthOf(t *testing.T, object map[string]any) health {
	t.Helper()
	kind, _, _ := unstructured.NestedString(object, "kind")
	var got health
	if err := json.Unmarshal(runLua(t, filepath.Join(customizations, kind, "health.lua"), object), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func readObject(t *testing.T, file string) map[string]any {
	t.Helper()
	var object map[string]any
	readYAML(t, file, &object)
	return object
}

// The folder has the layout of Argo CD's repository, and this test reads health_test.yaml like Argo CD's tests.
func TestArgoHealth(t *testing.T) {
	for _, kind := range []string{"ImageQuery", "CloudImage"} {
		folder := filepath.Join(customizations, kind)
		var cases struct {
			Tests []struct {
				HealthStatus health `json:"healthStatus"`
				InputPath    string `json:"inputPath"`
			} `json:"tests"`
		}
		readYAML(t, filepath.Join(folder, "health_test.yaml"), &cases)
		if len(cases.Tests) == 0 {
			t.Errorf("%s/health_test.yaml has no cases", kind)
		}
		for _, tc := range cases.Tests {
			if diff := cmp.Diff(tc.HealthStatus, healthOf(t, readObject(t, filepath.Join(folder, tc.InputPath)))); diff != "" {
				t.Errorf("%s/%s (-want +got):\n%s", kind, tc.InputPath, diff)
			}
		}
	}
}

// A sync must wait for a first selection, and must not fail because a later edit or poll left nothing to select.
func TestArgoHealthWithoutASelection(t *testing.T) {
	object := func(change func(status map[string]any)) map[string]any {
		o := readObject(t, filepath.Join(customizations, "ImageQuery", "testdata", "nothing-selected.yaml"))
		change(o["status"].(map[string]any))
		return o
	}
	for name, tc := range map[string]struct {
		change func(status map[string]any)
		want   string
	}{
		"never selected":  {change: func(map[string]any) {}, want: "Degraded"},
		"selected before": {change: func(s map[string]any) { s["selectedHistory"] = []any{map[string]any{"reason": "First"}} }, want: "Healthy"},
		"no members":      {change: func(s map[string]any) { s["imageCount"] = 0 }, want: "Healthy"},
		"removals wait for a person": {change: func(s map[string]any) {
			s["conditions"] = append(s["conditions"].([]any), map[string]any{"type": "RemovalBlocked", "status": "True", "message": "kubectl"})
		}, want: "Healthy"},
	} {
		if got := healthOf(t, object(tc.change)); got.Status != tc.want || got.Message == "" {
			t.Errorf("%s: Argo CD shows %+v, want %s", name, got, tc.want)
		}
	}
}

var argoTime = regexp.MustCompile(`By Argo CD at: [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}`)

func TestArgoActions(t *testing.T) {
	folder := filepath.Join(customizations, "ImageQuery", "actions")
	var cases struct {
		DiscoveryTests []struct {
			InputPath string `json:"inputPath"`
			Result    []struct {
				Name     string `json:"name"`
				Disabled bool   `json:"disabled"`
			} `json:"result"`
		} `json:"discoveryTests"`
		ActionTests []struct {
			Action             string `json:"action"`
			InputPath          string `json:"inputPath"`
			ExpectedOutputPath string `json:"expectedOutputPath"`
		} `json:"actionTests"`
	}
	readYAML(t, filepath.Join(folder, "action_test.yaml"), &cases)
	if len(cases.DiscoveryTests) == 0 || len(cases.ActionTests) == 0 {
		t.Error("action_test.yaml has no cases")
	}
	for _, tc := range cases.DiscoveryTests {
		var got map[string]struct{ Disabled bool }
		found := runLua(t, filepath.Join(folder, "discovery.lua"), readObject(t, filepath.Join(folder, tc.InputPath)))
		if err := json.Unmarshal(found, &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]struct{ Disabled bool }{}
		for _, action := range tc.Result {
			want[action.Name] = struct{ Disabled bool }{action.Disabled}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("discovery of %s (-want +got):\n%s", tc.InputPath, diff)
		}
	}
	for _, tc := range cases.ActionTests {
		got := act(t, tc.Action, readObject(t, filepath.Join(folder, tc.InputPath)))
		if diff := cmp.Diff(readObject(t, filepath.Join(folder, tc.ExpectedOutputPath)), got); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", tc.Action, tc.InputPath, diff)
		}
	}
}

// A token is used completely or not at all, whatever the message: part of a token would silently approve nothing.
func TestArgoApprovesWithTheTokenOfTheCommandOnly(t *testing.T) {
	blocked := func(message string) map[string]any {
		return map[string]any{
			"metadata": map[string]any{"name": "nodes"},
			"status":   map[string]any{"conditions": []any{map[string]any{"type": "RemovalBlocked", "status": "True", "message": message}}},
		}
	}
	const before, behind = "kubectl annotate imagequery nodes imagecatalog.dev/approve-removal=", " --overwrite"
	for _, token := range []string{"0", "f", "000000000000", "ffffffffffff", "17d5c290a23c", strings.Repeat("0f", 32)} {
		got := act(t, "approve", blocked(before+token+behind))
		annotations, _, _ := unstructured.NestedStringMap(got, "metadata", "annotations")
		if annotations["imagecatalog.dev/approve-removal"] != token {
			t.Errorf("the token %s is copied as %q", token, annotations)
		}
	}
	for _, message := range []string{
		"", before, before + behind, before + "17g5" + behind, before + "17d5", before + "17d5 --overwrite=false", strings.Repeat("z", 30000),
		"kubectl annotate imagequery other imagecatalog.dev/approve-removal=17d5" + behind, before + strings.Repeat("0", 65) + behind,
	} {
		result, err := tryLua(t, filepath.Join(customizations, "ImageQuery", "actions", "approve", "action.lua"), blocked(message))
		if err == nil || !strings.Contains(err.Error(), "shows no command") {
			t.Errorf("%.100q is no command to approve, and the action makes of it %s, %v", message, result, err)
		}
	}
}

// act runs an action and returns the object as Argo CD would write it, at a fixed time.
func act(t *testing.T, action string, object map[string]any) map[string]any {
	t.Helper()
	result := runLua(t, filepath.Join(customizations, "ImageQuery", "actions", action, "action.lua"), object)
	var got map[string]any
	if err := json.Unmarshal(argoTime.ReplaceAll(result, []byte("By Argo CD at: 0001-01-01T00:00:00")), &got); err != nil {
		t.Fatal(err)
	}
	return restoreEmpty(got, object).(map[string]any)
}

// restoreEmpty restores objects that were empty before the script: an empty Lua table becomes a list, which Argo CD
// fixes in the same way.
func restoreEmpty(got, before any) any {
	switch got := got.(type) {
	case map[string]any:
		if before, ok := before.(map[string]any); ok {
			for key := range got {
				got[key] = restoreEmpty(got[key], before[key])
			}
		}
	case []any:
		before, isList := before.([]any)
		for i := range got {
			if i < len(before) {
				got[i] = restoreEmpty(got[i], before[i])
			}
		}
		if len(got) == 0 && !isList {
			return map[string]any{}
		}
	}
	return got
}

// The documented snippet contains the tested scripts.
func TestTheSnippetForArgoHasTheScriptsOfTheFolder(t *testing.T) {
	var config struct{ Data map[string]string }
	readYAML(t, root+"/config/argocd/argocd-cm.yaml", &config)
	read := func(path string) string {
		content, err := os.ReadFile(filepath.Join(customizations, path))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	for _, kind := range []string{"ImageQuery", "CloudImage"} {
		if diff := cmp.Diff(read(kind+"/health.lua"), config.Data["resource.customizations.health.imagecatalog.dev_"+kind]); diff != "" {
			t.Errorf("health of %s (-folder +argocd-cm.yaml):\n%s", kind, diff)
		}
	}
	var actions struct {
		Discovery   string `json:"discovery.lua"`
		Definitions []struct {
			Name   string `json:"name"`
			Action string `json:"action.lua"`
		} `json:"definitions"`
	}
	if err := yaml.Unmarshal([]byte(config.Data["resource.customizations.actions.imagecatalog.dev_ImageQuery"]), &actions); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"discovery": actions.Discovery}
	for _, definition := range actions.Definitions {
		got[definition.Name] = definition.Action
	}
	want := map[string]string{"discovery": read("ImageQuery/actions/discovery.lua")}
	for _, name := range []string{"refresh", "suspend", "resume", "approve"} {
		want[name] = read("ImageQuery/actions/" + name + "/action.lua")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions (-folder +argocd-cm.yaml):\n%s", diff)
	}
}

// argosOwn is a part of argocd-cm in Argo CD's manifests.
const argosOwn = `apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd}
data:
  resource.exclusions: |
    ### Network resources created by the Kubernetes control plane
    - apiGroups:
      - ''
      - discovery.k8s.io
      kinds:
      - Endpoints
      - EndpointSlice
  resource.customizations.ignoreResourceUpdates.all: |
    jsonPointers:
      - /status
`

func TestTheComponentForArgoReplacesNothing(t *testing.T) {
	folder := t.TempDir()
	component, err := filepath.Abs(root + "/config/argocd")
	if err != nil {
		t.Fatal(err)
	}
	if component, err = filepath.Rel(folder, component); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"argocd-cm.yaml":     argosOwn,
		"kustomization.yaml": "resources: [argocd-cm.yaml]\ncomponents: [" + component + "]\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	built, err := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "kustomize", folder).Output()
	if err != nil {
		t.Fatal(err)
	}
	var before, after struct{ Data map[string]string }
	for text, into := range map[string]any{argosOwn: &before, string(built): &after} {
		if err := yaml.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	if len(after.Data) <= len(before.Data) {
		t.Error("the component adds nothing")
	}
	for key, value := range before.Data {
		if after.Data[key] != value {
			t.Errorf("the component makes %s\n%s", key, after.Data[key])
		}
	}
	appendsToExclusions(t, before.Data["resource.exclusions"])
}

// appendsToExclusions checks that the snippet adds one exclusion to a list, that of CloudImages.
func appendsToExclusions(t *testing.T, list string) {
	t.Helper()
	snippet, err := os.ReadFile(root + "/config/argocd/resource-exclusions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var exclusions []struct{ APIGroups, Kinds, Clusters []string }
	if err := yaml.UnmarshalStrict([]byte(list+string(snippet)), &exclusions); err != nil {
		t.Fatal(err)
	}
	if len(exclusions) != 2 || !slices.Equal(exclusions[1].APIGroups, []string{"imagecatalog.dev"}) ||
		!slices.Equal(exclusions[1].Kinds, []string{"CloudImage"}) {
		t.Errorf("with the snippet the list of exclusions is %+v", exclusions)
	}
}
