// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
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

// runLua runs a script on an object as Argo CD does: gopher-lua with the libraries package, base and table, an os that tells the time and
// nothing else, the global obj, and a second to return a table.
func runLua(t *testing.T, file string, object map[string]any) []byte {
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
	text, err := json.Marshal(object) // DecodeValue knows no int64, and makes nil of it
	if err != nil {
		t.Fatal(err)
	}
	value, err := luajson.Decode(state, text)
	if err != nil {
		t.Fatal(err)
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(string(script)); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("%s returns a %s, and Argo CD wants a table", file, state.Get(-1).Type())
	}
	encoded, err := luajson.Encode(result)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return encoded
}

// openSafeOS is what is left of os for scripts of users.
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

// health is what a health.lua says.
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

// The folder has the form of Argo CD's repository, and this reads health_test.yaml as its tests do.
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

// act runs an action and returns the object as Argo CD would write it, with a fixed time.
func act(t *testing.T, action string, object map[string]any) map[string]any {
	t.Helper()
	result := runLua(t, filepath.Join(customizations, "ImageQuery", "actions", action, "action.lua"), object)
	var got map[string]any
	if err := json.Unmarshal(argoTime.ReplaceAll(result, []byte("By Argo CD at: 0001-01-01T00:00:00")), &got); err != nil {
		t.Fatal(err)
	}
	return restoreEmpty(got, object).(map[string]any)
}

// restoreEmpty puts back what was an empty object before the script: a table of Lua that is empty becomes a list, and Argo CD mends it like
// this.
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

// What a cluster is given is what was tested.
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
	for _, name := range []string{"refresh", "suspend", "resume"} {
		want[name] = read("ImageQuery/actions/" + name + "/action.lua")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions (-folder +argocd-cm.yaml):\n%s", diff)
	}
	for key := range config.Data {
		if !strings.HasPrefix(key, "resource.") {
			t.Errorf("%s would replace something of the installation's", key)
		}
	}
}
