// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/controllers/preview"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// forecast previews queries as the commands do: the cloud is asked and recorded, and the recording played back.
type forecast struct {
	*world
	account catalog.Account
	lister  catalog.Lister
	folder  string
}

func newForecast(t *testing.T) *forecast {
	t.Helper()
	w := newWorld(t)
	cloud, err := cvm.New(cvm.Options{Endpoint: w.cloud.URL(), QPS: 10000, Burst: 10000})
	if err != nil {
		t.Fatal(err)
	}
	key := cvmtest.DefaultCredential
	return &forecast{
		world: w, lister: cloud, folder: t.TempDir(),
		account: catalog.Account{Source: "env", SecretID: catalog.Secret(key.SecretID), SecretKey: catalog.Secret(key.SecretKey)},
	}
}

// preview returns what preview prints for a document, asking the cloud and again without it.
func (f *forecast) preview(document []byte, live bool) preview.Report {
	f.Helper()
	file := f.write("query.yaml", document)
	recorder := preview.NewRecorder(f.lister)
	p := preview.Previewer{Lister: recorder.For, Account: f.account, Now: f.clock.Now()}
	if live {
		p.Present = f.present
	}
	asked := f.decide(p, file)
	if asked.ExitCode == preview.ExitInvalid && asked.Reason == "" {
		return asked
	}
	recording, err := json.Marshal(recorder.Recording(p.Now))
	if err != nil {
		f.Fatal(err)
	}
	player, err := preview.ReadListings([]string{f.write("listing.json", recording)}, nil)
	if err != nil {
		f.Fatal(err)
	}
	p.Lister = func(credentials string) catalog.Lister { return player.For(credentials) }
	if diff := cmp.Diff(comparable(asked), comparable(f.decide(p, file))); diff != "" {
		f.Errorf("with the cloud, and from a recording (-cloud +recording):\n%s", diff)
	}
	return asked
}

func (f *forecast) write(name string, content []byte) string {
	f.Helper()
	file := filepath.Join(f.folder, name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		f.Fatal(err)
	}
	return file
}

func (f *forecast) decide(p preview.Previewer, file string) preview.Report {
	f.Helper()
	documents, _, err := preview.ReadQueries(f.Context(), []string{file}, nil)
	if err != nil {
		f.Fatal(err)
	}
	report, err := p.Decide(f.Context(), documents[0])
	if err != nil {
		f.Fatal(err)
	}
	return report
}

// present reads what --live reads.
func (f *forecast) present(ctx context.Context, query *imagev1alpha1.ImageQuery) (preview.State, error) {
	present, images := &imagev1alpha1.ImageQuery{}, &imagev1alpha1.CloudImageList{}
	if err := f.Client.Get(ctx, client.ObjectKey{Name: query.Name}, present); err != nil {
		return preview.State{}, client.IgnoreNotFound(err)
	}
	err := f.Client.List(ctx, images, client.MatchingLabels{imagev1alpha1.LabelRegion: query.Spec.Region})
	return preview.State{Query: present, Images: images.Items}, err
}

// seen is what a preview and a status have in common.
type seen struct {
	Listed, Members  int
	Images, Selected []string
	Blocked          []string
	Message          string
}

func summary(i imagev1alpha1.ImageSummary) string {
	return fmt.Sprintf("%s %q %v %s %s %s %s", i.ImageID, i.Name, i.CreatedTime, i.Architecture, i.Type, i.Creator, i.Selection)
}

func (s *seen) addSelected(images []imagev1alpha1.SelectedImage) {
	for _, i := range images {
		s.Selected = append(s.Selected, fmt.Sprintf("%s %q %v %s %s %s", i.ImageID, i.Name, i.CreatedTime, i.Architecture, i.Type, i.Creator))
	}
}

// comparable is what of a report is in a status.
func comparable(r preview.Report) seen {
	s := seen{Listed: r.Listed, Members: len(r.Images), Message: r.Message}
	for _, image := range r.Images {
		s.Images = append(s.Images, summary(image.ImageSummary))
	}
	s.addSelected(r.Selected)
	for _, one := range r.Leaving {
		if r.Blocked {
			s.Blocked = append(s.Blocked, one.ImageID+" "+string(one.Reason))
		}
	}
	return s
}

func seenIn(query *imagev1alpha1.ImageQuery) seen {
	status := &query.Status
	s := seen{Listed: int(*status.ListedCount), Members: int(*status.ImageCount), Message: kit.Ready(query).Message}
	for _, image := range status.Images {
		s.Images = append(s.Images, summary(image))
	}
	s.addSelected(status.Selected)
	for _, one := range status.PendingRemoval {
		s.Blocked = append(s.Blocked, one.ImageID+" "+string(one.Reason))
	}
	slices.Sort(s.Blocked)
	return s
}

// compare holds what was previewed against the status after the poll.
func (f *forecast) compare(name string, report preview.Report, document []byte) {
	f.Helper()
	query := f.Query(name)
	if report.Reason != "" { // nothing of the listing is published
		if reason := kit.Ready(query).Reason; reason != report.Reason && !strings.Contains(kit.Ready(query).Message, "("+report.Reason+")") {
			f.Errorf("preview says %s, and the operator %s:\n%s", report.Reason, reason, document)
		}
		return
	}
	if query.Status.SyncedGeneration != query.Generation {
		f.Errorf("not synced: %s\n%s", kit.Describe(query), document)
		return
	}
	if diff := cmp.Diff(comparable(report), seenIn(query)); diff != "" {
		f.Errorf("previewed, and in the status (-preview +status):\n%s\n%s", diff, document)
	}
}

// apply creates a query, or finds that preview and API server refuse it in the same words.
func (f *forecast) apply(document []byte, report preview.Report) (applied bool) {
	f.Helper()
	query := &imagev1alpha1.ImageQuery{}
	if err := yaml.UnmarshalStrict(document, query); err != nil {
		f.Fatal(err)
	}
	err := f.Client.Create(f.Context(), query, client.FieldValidation("Strict"))
	switch {
	case err == nil && (report.ExitCode != preview.ExitInvalid || report.Reason != ""):
		return true
	case !apierrors.IsInvalid(err) || !slices.Equal(inOrder(err.Error()), inOrder(report.Error)):
		f.Errorf("the API server says %v, and preview %q:\n%s", err, report.Error, document)
	}
	return false
}

// refusedValue is what a refusal says of a value: its type with Kubernetes 1.31. That newer ones name the value itself is held by the
// tests of the schema.
var refusedValue = regexp.MustCompile(`Invalid value: (("([^"\\]|\\.)*"|[^ ]+): )?`)

// inOrder are the parts of a refusal in alphabetical order: the API server has them in any.
func inOrder(refusal string) []string {
	refusal = refusedValue.ReplaceAllString(refusal, "Invalid value: ")
	return slices.Sorted(strings.SplitSeq(strings.NewReplacer("[", "", "]", "", " is invalid: ", ", ").Replace(refusal), ", "))
}

// settled waits until the operator has polled a query and written its status.
func (f *forecast) settled(name string) {
	f.Helper()
	f.UntilQuery(name, "it was polled", func(q *imagev1alpha1.ImageQuery) bool {
		reason := kit.Ready(q).Reason
		return q.Status.ObservedGeneration == q.Generation && reason != "" && reason != imagev1alpha1.ReasonProgressing
	})
}

func TestPreviewOfSamplesAndRecipesIsTheStatusAfterwards(t *testing.T) {
	f := newForecast(t)
	documents := samples(t)
	if len(documents) < 10 {
		t.Fatalf("only %d queries were found", len(documents))
	}
	filled := map[string]bool{}
	reports := map[string]preview.Report{}
	for name, document := range documents {
		query := &imagev1alpha1.ImageQuery{}
		if err := yaml.Unmarshal(document, query); err != nil {
			t.Fatal(err)
		}
		if region := query.Spec.Region; !filled[region] {
			filled[region] = true
			f.cloud.Fill(cvmtest.Inventory{Regions: []string{region}, Private: 60, Shared: 5, Public: true, Seed: uint64(len(filled))})
		}
		if ref := query.Spec.CredentialsRef; ref != nil {
			f.SetCredentials(ref.Name, cvmtest.DefaultCredential)
		}
		reports[name] = f.preview(document, false)
		f.apply(document, reports[name])
	}
	for name, report := range reports {
		f.settled(name)
		f.compare(name, report, documents[name])
	}
}

// samples are the queries of config/samples and of the recipes, by name; one whose name another has gets a name of its own.
func samples(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../config/samples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var documents []string
	for _, page := range recipePages {
		files = append(files, "../docs/"+page)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks := []string{string(content)}
		if strings.HasSuffix(file, ".md") {
			blocks = nil
			for _, found := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(string(content), -1) {
				blocks = append(blocks, found[1])
			}
		}
		for _, block := range blocks {
			documents = append(documents, strings.Split(block, "\n---\n")...)
		}
	}
	named := map[string][]byte{}
	for _, document := range documents {
		content := map[string]any{}
		if err := yaml.Unmarshal([]byte(document), &content); err != nil || content["kind"] != "ImageQuery" {
			continue
		}
		meta := content["metadata"].(map[string]any)
		name := meta["name"].(string)
		for named[name] != nil {
			name += "-too"
		}
		meta["name"] = name
		again, err := yaml.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		named[name] = again
	}
	return named
}

// A round has queries, the images of an account, and what becomes of these, once or twice.
type round struct {
	Queries     []map[string]any
	Inventories [][]cvmtest.Image
}

// TestPreviewIsTheStatusAfterwards previews random queries before they are created, and again before the next poll.
func TestPreviewIsTheStatusAfterwards(t *testing.T) {
	const rounds, queries = 5, 40 // each query two or three times
	f := newForecast(t)
	tried := 0
	for seed := range rounds {
		r := rounded(queries).Example(seed)
		f.clean(t.Context())
		f.clock.offset.Add(int64(time.Minute)) // past the window in which queries share a listing
		f.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, cvmtest.DefaultCredential)
		tried += f.play(r, fmt.Sprintf("r%d", seed))
		if t.Failed() {
			t.Fatalf("in round %d", seed)
		}
	}
	if tried < 200*3/4 {
		t.Errorf("only %d queries were admitted", tried)
	}
}

// play plays one round, and returns how many queries were admitted.
func (f *forecast) play(r round, prefix string) int {
	f.Helper()
	f.cloud.Clear(region)
	f.cloud.Put(region, r.Inventories[0]...)
	documents, reports := map[string][]byte{}, map[string]preview.Report{}
	for i, spec := range r.Queries {
		name := fmt.Sprintf("%s-%d", prefix, i)
		document := documentOf(f.T, name, spec)
		report := f.preview(document, false)
		if f.apply(document, report) {
			documents[name], reports[name] = document, report
		}
	}
	names := slices.Sorted(maps.Keys(documents))
	for _, name := range names {
		f.settled(name)
		f.compare(name, reports[name], documents[name])
	}
	for later, inventory := range r.Inventories[1:] {
		f.idle()
		f.cloud.Clear(region)
		f.cloud.Put(region, inventory...)
		for _, name := range names {
			reports[name] = f.preview(documents[name], true)
		}
		token := fmt.Sprintf("%s-%d", prefix, later)
		for _, name := range names {
			f.RequestPoll(name, token)
		}
		for _, name := range names {
			f.UntilHandled(name, token)
			f.compare(name, reports[name], documents[name])
		}
	}
	f.idle()
	return len(names)
}

// Only the CloudImages tell of images in their grace period, which the breaker counts: 4 of 20 have left when 7 more would.
func TestPreviewAgainstAClusterCountsImagesInTheirGracePeriod(t *testing.T) {
	f := newForecast(t)
	var images []cvmtest.Image
	for i := range 20 {
		images = append(images, cvmtest.Image{
			ImageID: fmt.Sprintf("img-%08d", i), ImageName: "node", ImageType: "PRIVATE_IMAGE", ImageState: "NORMAL", Architecture: "x86_64",
			ImageCreator: new("100000000001"), CreatedTime: new("2026-08-20T08:00:00Z"),
		})
	}
	document := documentOf(t, "grace", map[string]any{"region": region})
	f.cloud.Put(region, images...)
	if !f.apply(document, f.preview(document, false)) {
		t.Fatal("refused")
	}
	f.settled("grace")
	f.cloud.Delete(region, idsOf(images[:4])...)
	f.RequestPoll("grace", "1")
	f.UntilHandled("grace", "1")
	f.idle()
	f.cloud.Delete(region, idsOf(images[4:11])...)
	report := f.preview(document, true)
	if report.ExitCode != preview.ExitBlocked {
		t.Errorf("the exit code is %d, want %d: %s", report.ExitCode, preview.ExitBlocked, report.Message)
	}
	f.RequestPoll("grace", "2")
	f.UntilHandled("grace", "2")
	f.compare("grace", report, document)
}

func idsOf(images []cvmtest.Image) []string {
	ids := make([]string, len(images))
	for i, image := range images {
		ids[i] = image.ImageID
	}
	return ids
}

func documentOf(t *testing.T, name string, spec map[string]any) []byte {
	t.Helper()
	document, err := yaml.Marshal(map[string]any{
		"apiVersion": imagev1alpha1.GroupVersion.String(), "kind": "ImageQuery", "metadata": map[string]any{"name": name}, "spec": spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func rounded(queries int) *rapid.Generator[round] {
	return rapid.Custom(func(t *rapid.T) round {
		var r round
		images := make([]cvmtest.Image, rapid.IntRange(0, 40).Draw(t, "images"))
		for i := range images {
			images[i] = randomImage(t, i)
		}
		r.Inventories = append(r.Inventories, images)
		for later := range rapid.IntRange(1, 2).Draw(t, "changes of the inventory") {
			images = changed(t, images, 50+10*later)
			r.Inventories = append(r.Inventories, images)
		}
		for range queries {
			r.Queries = append(r.Queries, randomSpec(t))
		}
		return r
	})
}

// changed is an inventory some time later: images leave, change, and come.
func changed(t *rapid.T, images []cvmtest.Image, first int) []cvmtest.Image {
	var after []cvmtest.Image
	stay := rapid.SampledFrom([]int{1, 3, 9}).Draw(t, "stay")
	for _, image := range images {
		if rapid.IntRange(0, stay).Draw(t, "goes") == 0 {
			continue
		}
		if rapid.IntRange(0, 4).Draw(t, "changes") == 0 {
			image.ImageState = "SYNCING"
		}
		if rapid.IntRange(0, 6).Draw(t, "renamed") == 0 {
			image.ImageName = randomName(t)
		}
		after = append(after, image)
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "new") {
		after = append(after, randomImage(t, first+i))
	}
	return after
}

func randomName(t *rapid.T) string {
	minor, patch := rapid.IntRange(28, 31).Draw(t, "minor"), rapid.IntRange(0, 9).Draw(t, "patch")
	form := rapid.SampledFrom([]string{"node-v1.%d.%d", "web-2026w%d%d", "golden-node-v1.%d.%d", "节点-%d-%d", "v%d.%d"}).Draw(t, "name")
	return fmt.Sprintf(form, minor, patch)
}

func randomImage(t *rapid.T, i int) cvmtest.Image {
	of := func(what string, list ...string) string { return rapid.SampledFrom(list).Draw(t, what) }
	image := cvmtest.Image{
		ImageID: fmt.Sprintf("img-%08d", i), ImageName: randomName(t),
		ImageType:    of("type", "PRIVATE_IMAGE", "PRIVATE_IMAGE", "PUBLIC_IMAGE", "SHARED_IMAGE"),
		Architecture: of("arch", "x86_64", "x86_64", "arm", "i386"), ImageState: of("state", "NORMAL", "NORMAL", "NORMAL", "CREATING"),
		Platform: of("platform", "TencentOS", "Ubuntu"), OSName: of("os", "TencentOS 4", "Ubuntu 24"), ImageSize: 50,
	}
	if image.ImageType != "PUBLIC_IMAGE" {
		age := time.Duration(rapid.IntRange(0, 200).Draw(t, "hours"))*time.Hour + 30*time.Minute
		image.CreatedTime = new(time.Now().Add(-age).UTC().Format(time.RFC3339))
		image.ImageCreator = new(of("creator", "100000000001", "200000000002"))
	}
	if rapid.Bool().Draw(t, "tagged") {
		image.Tags = []cvmtest.Tag{{Key: "role", Value: of("role", "web", "db")}}
	}
	if rapid.IntRange(0, 8).Draw(t, "deprecated") == 0 {
		image.ImageDeprecated = new(true)
	}
	return image
}

// randomSpec draws specs of which some are refused.
func randomSpec(t *rapid.T) map[string]any {
	spec := map[string]any{"region": region, "minImages": rapid.IntRange(0, 2).Draw(t, "minImages")}
	maybe := func(into map[string]any, key string, values ...any) {
		if i := rapid.IntRange(-2*len(values), len(values)-1).Draw(t, key); i >= 0 {
			into[key] = values[i]
		}
	}
	id := func() string { return fmt.Sprintf("img-%08d", rapid.IntRange(0, 60).Draw(t, "id")) }
	list := func(values ...any) []any { return values }
	filter := func(name string, values ...any) []any { return list(map[string]any{"name": name, "values": values}) }
	maybe(spec, "filters", filter("image-type", "PRIVATE_IMAGE"), filter("image-type", "PUBLIC_IMAGE", "SHARED_IMAGE"),
		filter("tag:role", "web"), filter("tag:role", "nobody"), filter("platform", "Ubuntu"))
	if spec["filters"] == nil {
		maybe(spec, "imageIDs", list(id()), list(id(), id(), id(), id()))
	}
	match, selection := map[string]any{}, map[string]any{}
	maybe(match, "nameRegex", "^node-v", "node", "^web", "2026", "节", "web|node")
	maybe(match, "states", list("NORMAL"), list("NORMAL", "CREATING"))
	maybe(match, "architectures", list("amd64"), list("amd64", "arm64"), list("386"))
	maybe(match, "platforms", list("TencentOS"))
	maybe(match, "creators", list("100000000001"), list("200000000002"))
	maybe(match, "excludeImageIDs", list(id(), id()))
	maybe(selection, "orderBy", "Name", "SemVer", "SemVer", "CreatedTime")
	if selection["orderBy"] != nil && selection["orderBy"] != "CreatedTime" {
		maybe(selection, "extract", `v(\d+\.\d+(\.\d+)?)`, `(\d+)`)
	}
	if selection["orderBy"] == "SemVer" {
		maybe(selection, "range", ">=1.29", "~1.30", ">=1.30 <1.29 ||")
	}
	if rapid.IntRange(0, 7).Draw(t, "refused") == 0 {
		maybe(match, "nameRegex", "(", "a\nb")
		maybe(match, "architectures", list("x86_64"), list())
		maybe(selection, "range", "not a range", "1.x")
		maybe(selection, "extract", "none", "(")
	}
	maybe(selection, "groupBy", list("None"), list("Architecture", "Platform"), list("OSName"))
	maybe(selection, "limit", 2, 3)
	maybe(selection, "skip", 1)
	maybe(selection, "minAge", "72h", "24h")
	maybe(selection, "pin", list(id()), list(id(), id()))
	maybe(selection, "trustedCreators", list("200000000002"))
	maybe(spec, "match", match, match, match, match)
	maybe(spec, "selection", selection, selection, selection, selection)
	maybe(spec, "removal", map[string]any{"maxRemovedPercent": 10}, map[string]any{"maxRemovedPercent": 100})
	return spec
}
