// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/controllers/preview"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// at is the time for which these tests decide.
const at = "2026-11-24T12:00:00Z"

const web = `apiVersion: imagecatalog.dev/v1alpha1
kind: ImageQuery
metadata: {name: web}
spec:
  region: ap-guangzhou
  filters:
  - {name: "tag:role", values: [web]}
  match: {nameRegex: '^web-'}
  selection: {minAge: 1h}
`

// file writes a file of the test.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// answerOf is an answer of the API with images, each "<id> <name> <hours old> <architecture>".
func answerOf(t *testing.T, images ...string) string {
	t.Helper()
	now, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	set := make([]map[string]any, len(images))
	for i, image := range images {
		var id, name, architecture string
		var hours int
		if _, err := fmt.Sscan(image, &id, &name, &hours, &architecture); err != nil {
			t.Fatal(err)
		}
		set[i] = map[string]any{
			"ImageId": id, "ImageName": name, "Architecture": architecture, "ImageType": "PRIVATE_IMAGE", "ImageState": "NORMAL",
			"ImageCreator": "100000000001", "CreatedTime": now.Add(-time.Duration(hours) * time.Hour).Format(time.RFC3339),
		}
	}
	answer, err := json.Marshal(map[string]any{"TotalCount": len(set), "ImageSet": set})
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// present is the query as a cluster has it, with these images selected, of these members.
func present(t *testing.T, selected string, members ...string) string {
	t.Helper()
	documents, _, err := preview.ReadQueries(t.Context(), []string{file(t, "web.yaml", web)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := yaml.Marshal(documents[0].Query)
	if err != nil {
		t.Fatal(err)
	}
	spec, _, _ := strings.Cut(string(stored), "status:\n")
	out := spec + "status:\n  observedGeneration: 1\n  syncedGeneration: 1\n" +
		"  observedQuery: " + selection.ObservedQuery(documents[0].Query) + "\n"
	out += "  imageCount: " + fmt.Sprint(len(members)) + "\n  revision: 9f2c51a07be4\n  images:\n"
	for _, id := range members {
		verdict := "NotNewest"
		if id == selected {
			verdict = "Selected"
		}
		out += fmt.Sprintf("  - {imageID: %s, name: web-%[1]s, createdTime: \"2026-11-01T00:00:00Z\", architecture: amd64, type: PRIVATE_IMAGE, "+
			"creator: \"100000000001\", selection: %s}\n", id, verdict)
	}
	return out + fmt.Sprintf("  selected:\n  - {imageID: %s, name: web-%[1]s, architecture: amd64, type: PRIVATE_IMAGE, "+
		"creator: \"100000000001\"}\n", selected)
}

func TestPreviewReadsAsPromised(t *testing.T) {
	query := file(t, "web.yaml", web)
	listing := file(t, "listing.json", answerOf(t, "img-web00001 web-2026w46 200 x86_64", "img-web00002 web-2026w47 30 x86_64",
		"img-web00003 网页节点 30 arm", "img-web00004 web-2026w48 0 x86_64"))
	const want = `web: ap-guangzhou, default credentials  listed 4
  filter tag:role=web                          4
  match  nameRegex '^web-'                     3   turns 1 away
Would select: amd64 img-web00002 web-2026w47

ARCH   IMAGE         NAME         AGE  VERDICT
amd64  img-web00004  web-2026w48  0s   TooYoung   until 2026-11-24T13:00:00Z
amd64  img-web00002  web-2026w47  30h  Selected
amd64  img-web00001  web-2026w46  8d   NotNewest
`
	arguments := "preview --at " + at + " -f " + query + " --listing " + listing
	got := call(t, "manager", arguments)
	if got.out != want || got.code != 0 || got.errOut != "" {
		t.Errorf("exit code %d\n%s\nwant\n%s%s", got.code, got.out, want, got.errOut)
	}
	call(t, "manager", arguments+" -o wide").expect(t, 0, "PRIVATE_IMAGE  100000000001", "")
	call(t, "kubectl-imgq", arguments+" -o markdown").expect(t, 0, "| `amd64` | `img-web00002` | `web-2026w47` | 30h | Selected |  |", "")
	call(t, "manager", arguments+" -o yaml").expect(t, 0, "selectableFrom: \"2026-11-24T13:00:00Z\"", "")
	var reports preview.Reports
	asJSON := call(t, "manager", arguments+" -o json")
	err := json.Unmarshal([]byte(asJSON.out), &reports)
	if err != nil || len(reports.Queries) != 1 || reports.Queries[0].Selected[0].ImageID != "img-web00002" {
		t.Errorf("%v\n%s", err, asJSON.out)
	}
}

func TestTheExitCodeSaysWhatWouldChange(t *testing.T) {
	members := []string{"img-web00001", "img-web00002", "img-web00003", "img-web00004", "img-web00005", "img-web00006"}
	var all []string
	for i, id := range members {
		all = append(all, fmt.Sprintf("%s web-%s %d x86_64", id, id, 100-i))
	}
	answer := answerOf(t, all...)
	for name, tc := range map[string]struct {
		query, listing, present string
		code                    int
		out, errOut             string
	}{
		"nothing to compare with": {listing: answer, out: "Would select: amd64 img-web00006"},
		"nothing changes":         {listing: answer, present: "img-web00006", out: "Selects as before: amd64 img-web00006"},
		"no such file":            {listing: "", code: 1, errOut: "no listing"},
		"pages are missing":       {listing: `{"TotalCount":2,"ImageSet":[]}`, code: 1, errOut: "there are 0 of the 2 images"},
		"recorded for others": {
			listing: `{"kind":"Recording","answers":[{"request":{"region":"ap-nanjing"},"images":[]}]}`, code: 1,
			out: "Would select: NOTHING (exit 1)", errOut: "the listing answers another request",
		},
		"an invalid query": {
			query: strings.ReplaceAll(web, "1h", "1d"), listing: answer, code: 2, out: "minAge must be written in h, m, s or ms",
		},
		"an unknown field": {
			query: web + "  interval: 1h\n  matches: {}\n", listing: answer, code: 2,
			out: `strict decoding error: unknown field "spec.matches"`,
		},
		"a field twice": {query: web + "  match: {}\n", listing: answer, code: 2, out: `key "match" already set in map`},
		"a range that no library reads": {
			query: strings.ReplaceAll(web, "{minAge: 1h}", `{orderBy: SemVer, range: ">=1.30 <1.29 ||"}`), listing: answer, code: 2, out: "range",
		},
		"another is selected": {listing: answer, present: "img-web00005", code: 3, out: "Would select instead: amd64 img-web00006"},
		"none matches": {
			listing: answerOf(t, "img-db000001 db-1 1 x86_64"), code: 4, out: "Would select: NOTHING (exit 4)",
			errOut: "web: TooFewImages: 1 listed, 0 match",
		},
		"most leave": {listing: answerOf(t, all[5]), present: "img-web00006", code: 5, out: "Would be BLOCKED"},
		"the highest of several": {
			query:   web + "---\n" + strings.NewReplacer("name: web", "name: invalid", "1h", "1d").Replace(web),
			listing: answerOf(t, "img-db000001 db-1 1 x86_64"), code: 4, out: "INVALID", errOut: "TooFewImages",
		},
	} {
		t.Run(name, func(t *testing.T) {
			query := web
			if tc.query != "" {
				query = tc.query
			}
			arguments := fmt.Sprintf("preview --at %s -f %s --listing %s", at, file(t, "web.yaml", query), file(t, "listing.json", tc.listing))
			if tc.present != "" {
				arguments += " --against " + file(t, "present.yaml", present(t, tc.present, members...))
			}
			call(t, "manager", arguments).expect(t, tc.code, tc.out, tc.errOut)
		})
	}
}

func TestWhatIsRecordedIsPreviewedWithoutTheCloud(t *testing.T) {
	cloud := cvmtest.NewServer(cvmtest.Options{})
	t.Cleanup(cloud.Close)
	t.Setenv("TENCENTCLOUD_SECRET_ID", cvmtest.DefaultCredential.SecretID)
	t.Setenv("TENCENTCLOUD_SECRET_KEY", cvmtest.DefaultCredential.SecretKey)
	t.Setenv("TENCENTCLOUD_TOKEN", "")
	cloud.Fill(cvmtest.Inventory{Private: 230, Public: true})
	samples := "../../config/samples/"
	// A request that the cloud refuses because of one of its ids is bisected.
	cloud.Inject(cvmtest.Fault{ImageID: "img-nobody00", Code: "InvalidImageId.NotFound"})
	ids := strings.Replace(web, "  filters:\n  - {name: \"tag:role\", values: [web]}\n  match: {nameRegex: '^web-'}\n",
		"  imageIDs: [img-487zeit5, img-nobody00, img-mmytdhbn]\n", 1)
	ids = strings.Replace(ids, "{minAge: 1h}", "{orderBy: Name}", 1)
	files := samples + "private_golden_images.yaml," + samples + "by_id.yaml," + samples + "public_ubuntu.yaml," + file(t, "ids.yaml", ids)
	recorded := call(t, "manager", "record --query "+files+" --cvm-endpoint "+cloud.URL())
	recorded.expect(t, 0, `"kind": "Recording"`, "")
	if strings.Contains(recorded.out, cvmtest.DefaultCredential.SecretID) {
		t.Error("the recording has a key")
	}
	asked := call(t, "manager", "preview --at "+at+" -f "+files+" --cloud --cvm-endpoint "+cloud.URL())
	again := call(t, "manager", "preview --at "+at+" -f "+files+" --listing "+file(t, "listing.json", recorded.out))
	asked.expect(t, 0, "Would select: ", "")
	if asked.out != again.out {
		t.Errorf("with the cloud\n%s\nand without it\n%s", asked.out, again.out)
	}
	t.Setenv("TENCENTCLOUD_SECRET_KEY", "")
	call(t, "manager", "record --query "+files).expect(t, 1, "", "manager record: asking the cloud: the keys are missing")
}

// What is asked by id is asked by record --against; without that it counts as gone, and preview prints that.
func TestAbsenceThatNobodyAskedAboutIsAssumed(t *testing.T) {
	cloud := cvmtest.NewServer(cvmtest.Options{})
	t.Cleanup(cloud.Close)
	t.Setenv("TENCENTCLOUD_SECRET_ID", cvmtest.DefaultCredential.SecretID)
	t.Setenv("TENCENTCLOUD_SECRET_KEY", cvmtest.DefaultCredential.SecretKey)
	tags := []cvmtest.Tag{{Key: "role", Value: "web"}}
	creator := "100000000001"
	for name, tags := range map[string][]cvmtest.Tag{"1": tags, "2": nil} {
		cloud.Put("ap-guangzhou", cvmtest.Image{
			ImageID: "img-web0000" + name, ImageName: "web-" + name, ImageType: "PRIVATE_IMAGE", ImageState: "NORMAL", Architecture: "x86_64",
			ImageCreator: &creator, Tags: tags,
		})
	}
	query, now := file(t, "web.yaml", web), file(t, "present.yaml", present(t, "img-web00001", "img-web00001", "img-web00002", "img-web00003"))
	for flags, want := range map[string]string{
		"":                  "count as gone: 2.",
		" --against=" + now: "leaves: img-web00002 (NotMatched)",
	} {
		recorded := call(t, "manager", "record --query "+query+" --cvm-endpoint "+cloud.URL()+flags)
		recorded.expect(t, 0, "img-web00001", "")
		got := call(t, "manager", "preview -f "+query+" --against "+now+" --listing "+file(t, "listing.json", recorded.out))
		if got.code != 0 || !strings.Contains(got.out, want) || !strings.Contains(got.out, "leaves: img-web00003 (Gone)") ||
			(flags != "") == strings.Contains(got.out, "count as gone") {
			t.Errorf("record%s: exit code %d, want %q in\n%s%s", flags, got.code, want, got.out, got.errOut)
		}
	}
}

// A machine of a pipeline may have no network: only the files are read.
func TestAListingNeedsNoNetwork(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "unshare", "-rn", "true").Run(); err != nil {
		t.Skipf("this machine makes no namespace without a network: %v", err)
	}
	binary := filepath.Join(t.TempDir(), "kubectl-imgq")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "unshare", "-rn", binary, "preview", "-f", file(t, "web.yaml", web),
		"--listing", file(t, "listing.json", answerOf(t, "img-web00001 web-1 100 x86_64"))).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Would select: amd64 img-web00001") {
		t.Errorf("%v\n%s", err, out)
	}
}
