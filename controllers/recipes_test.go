// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// recipePages are the pages with recipes, which a test applies.
var recipePages = []string{"recipes.md", "recipes-rollback.md", "backup.md"}

// recipes says what the queries of each section of these pages select in the demo's inventory, in their order.
var recipes = map[string][]selects{
	"The latest golden image, per architecture": {
		{"golden", "img-node313x img-node313a"},
		{"golden-by-version", "img-node313x img-node313a"},
	},
	"One image, replaced at each release": {{"web", "img-web00046"}},
	"Keep three, roll back": {
		{"three-releases", "img-node313x img-node312x img-node304x img-node313a img-node312a img-node304a"},
		{"three-releases", "img-node304x img-node313x img-node312x img-node313a img-node312a img-node304a"},
	},
	"Promote by tag": {{"promoted", "img-node312x img-node312a"}},
	"A central account that shares its images": {{"shared-golden", "img-share31x img-share31a"}},
	"Soak for three days":                      {{"production", "img-node312x img-node312a"}},
	"The one before the newest in production":  {{"production-n-minus-1", "img-node312x img-node312a"}},
	"Skip a bad build":                         {{"golden", "img-node312x img-node313a"}},
	"Pin":                                      {{"audited", "img-487zeit5 img-mmytdhbn"}},
	"Roll back":                                {{"golden", "img-node312x img-node313a"}},
	"Several regions and accounts": {
		{"golden-guangzhou", "img-node313x img-node313a img-ti573ypy"},
		{"golden-shanghai", "img-share31x img-share31a"},
	},
	"Bring back a deleted query": {{"brought-back", "img-node313x img-node313a"}},
}

// selects is what a query selects, by id, in order.
type selects struct{ query, images string }

var (
	recipeHeading = regexp.MustCompile(`(?m)^## (.*)$`)
	recipeQuery   = regexp.MustCompile(`(?m)^kind: ImageQuery$`)
	recipeBlock   = regexp.MustCompile("(?ms)^```(yaml|sh)\n(.*?)^```")
)

// recipe returns the blocks of a section of the pages in a language.
func recipe(t *testing.T, section, language string) []string {
	t.Helper()
	_, text, found := strings.Cut(recipePage(t), "\n## "+section+"\n")
	if !found {
		t.Fatalf("%q have no section %q", recipePages, section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var out []string
	for _, block := range recipeBlock.FindAllStringSubmatch(text, -1) {
		if block[1] == language {
			out = append(out, block[2])
		}
	}
	return out
}

func recipePage(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, name := range recipePages {
		page, err := os.ReadFile(filepath.Join("..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(page)
	}
	return all.String()
}

// newDemoWorld is a world with the demo's inventory, and a second account and region.
func newDemoWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.cloud.Fill(cvmtest.Inventory{Seed: 1, Regions: []string{region}, Public: true, Private: 30, Shared: 5})
	now := time.Now()
	w.cloud.Put(region, cvmtest.Releases(now, cvmtest.DefaultCredential.UIN)...)
	w.cloud.Put(region, cvmtest.SharedReleases(now, cvmtest.PlatformAccount, cvmtest.DefaultCredential.UIN)...)
	second := cvmtest.DefaultCredential
	second.SecretID, second.UIN = "AKIDsecond00000000000000000000000000", "100000000002"
	w.cloud.SetCredential(second)
	w.SetCredentials("acct2", second)
	w.cloud.Put("ap-shanghai", cvmtest.SharedReleases(now, "3205597606", second.UIN)...)
	return w
}

func TestEveryRecipeSelects(t *testing.T) {
	sections := map[string]bool{}
	for _, found := range recipeHeading.FindAllStringSubmatch(recipePage(t), -1) {
		section := found[1]
		sections[section] = true
		var queries []*imagev1alpha1.ImageQuery
		for _, block := range recipe(t, section, "yaml") {
			for document := range strings.SplitSeq(block, "\n---\n") {
				if !recipeQuery.MatchString(document) {
					continue
				}
				query := &imagev1alpha1.ImageQuery{}
				if err := yaml.UnmarshalStrict([]byte(document), query); err != nil {
					t.Fatalf("%s: %v", section, err)
				}
				queries = append(queries, query)
			}
		}
		if len(queries) == 0 && recipes[section] == nil {
			continue
		}
		t.Run(section, func(t *testing.T) {
			w := newDemoWorld(t)
			var got []selects
			for _, query := range queries {
				w.apply(query)
				got = append(got, selects{query.Name, strings.Join(w.selectedIDs(query.Name), " ")})
			}
			if diff := cmp.Diff(recipes[section], got, cmp.AllowUnexported(selects{})); diff != "" {
				t.Errorf("selections (-want +got):\n%s", diff)
			}
		})
	}
	for section := range recipes {
		if !sections[section] {
			t.Errorf("%q have no section %q", recipePages, section)
		}
	}
}

// apply creates a query, or replaces its spec, and waits until it is synced.
func (w *world) apply(query *imagev1alpha1.ImageQuery) {
	w.Helper()
	current := &imagev1alpha1.ImageQuery{}
	if err := w.Client.Get(w.Context(), client.ObjectKeyFromObject(query), current); err != nil {
		w.Create(query)
	} else {
		current.Spec = query.Spec
		if err := w.Client.Update(w.Context(), current); err != nil {
			w.Fatal(err)
		}
	}
	w.UntilSynced(query.Name)
}

func (w *world) selectedIDs(query string) []string {
	var ids []string
	for _, image := range w.UntilSynced(query).Status.Selected {
		ids = append(ids, image.ImageID)
	}
	return ids
}

// golden is the first recipe's query.
func (w *world) golden() *imagev1alpha1.ImageQuery {
	w.Helper()
	query := &imagev1alpha1.ImageQuery{}
	if err := yaml.UnmarshalStrict([]byte(recipe(w.T, "The latest golden image, per architecture", "yaml")[0]), query); err != nil {
		w.Fatal(err)
	}
	return query
}

// shell runs commands of the documentation, with the test's API server as the current cluster.
func (w *world) shell(folder, script string) (string, error) {
	w.Helper()
	kubeconfig := filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(kubeconfig, adminKubeconfig, 0o600); err != nil {
		w.Fatal(err)
	}
	cmd := exec.CommandContext(w.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "KUBECACHEDIR="+folder, "KUBERC=off",
		"PATH="+absolute(w.T, os.Getenv("KUBEBUILDER_ASSETS"))+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAPipelineGetsTheIDOrFails(t *testing.T) {
	w := newDemoWorld(t)
	script := recipe(t, "A pipeline that needs the id, or fails", "sh")[0]
	if out, err := w.shell(t.TempDir(), strings.ReplaceAll(script, "5m", "1s")); err == nil {
		t.Errorf("without a query: %s", out)
	}
	w.Create(w.golden())
	if out, err := w.shell(t.TempDir(), script); err != nil || !strings.HasSuffix(out, "\nimg-node313x") {
		t.Errorf("%q, %v", out, err)
	}
	nothing := w.golden()
	nothing.Spec.Match.NameRegex, nothing.Spec.Match.ExcludeImageIDs = "^nothing", []imagev1alpha1.ImageID{"img-node313x"}
	nothing.Name = "nothing"
	w.Create(nothing)
	if out, err := w.shell(t.TempDir(), strings.ReplaceAll(strings.ReplaceAll(script, "golden", "nothing"), "5m", "1s")); err == nil {
		t.Errorf("with nothing selected: %s", out)
	}
}

func TestABackupOfQueriesRestoresTheCatalogue(t *testing.T) {
	w := newDemoWorld(t)
	w.Create(w.golden())
	before, images := w.selectedIDs("golden"), w.ImageNames("golden")
	folder := t.TempDir()
	backup, restore, _ := strings.Cut(recipe(t, "Back up and restore", "sh")[0], "imagequeries.yaml\n")
	backup += "imagequeries.yaml"
	if out, err := w.shell(folder, backup); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	w.Delete(w.golden())
	if err := w.Client.DeleteAllOf(t.Context(), &imagev1alpha1.CloudImage{}); err != nil {
		t.Fatal(err)
	}
	if out, err := w.shell(folder, restore); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if diff := cmp.Diff(before, w.selectedIDs("golden")); diff != "" {
		t.Errorf("selection (-before +after):\n%s", diff)
	}
	if applied := w.Query("golden").Annotations["kubectl.kubernetes.io/last-applied-configuration"]; strings.Contains(applied, "status") {
		t.Errorf("the status was applied: %s", applied)
	}
	if diff := cmp.Diff(images, w.ImageNames("golden")); diff != "" {
		t.Errorf("CloudImages (-before +after):\n%s", diff)
	}
}

// No garbage collector runs here, so all CloudImages of the deleted query are still there.
func TestAQueryThatIsBroughtBackAdoptsItsCloudImages(t *testing.T) {
	w := newDemoWorld(t)
	uids := func() map[string]types.UID {
		out := map[string]types.UID{}
		for name, image := range w.Images("golden") {
			out[name] = image.UID
		}
		return out
	}
	query := w.golden()
	w.Create(query)
	selected, before := w.selectedIDs("golden"), uids()
	w.Delete(query)
	again := w.golden()
	w.Create(again)
	if diff := cmp.Diff(selected, w.selectedIDs("golden")); diff != "" {
		t.Errorf("selection (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before, uids()); diff != "" || len(before) == 0 {
		t.Errorf("CloudImages (-before +after):\n%s", diff)
	}
}
