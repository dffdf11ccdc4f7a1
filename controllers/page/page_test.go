// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/watch"
	"github.com/image-catalog/image-catalog-operator/controllers/page"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// One API server serves all of these.
func TestOnARealAPIServer(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("this test needs a control plane: run `make test`, or `make controlplane` and set KUBEBUILDER_ASSETS to bin/controlplane")
	}
	ctrl.SetLogger(logr.Discard())
	environment := &envtest.Environment{
		CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd", "bases")}, ErrorIfCRDPathMissing: true,
	}
	apiServer, err := environment.Start()
	if err != nil {
		t.Fatalf("starting the control plane: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stopping the control plane: %v", err)
		}
	})
	for name, test := range map[string]func(*site){
		"screens": testScreens, "feed": testFeed, "export": testExport, "other objects": testOtherMetadata,
	} {
		t.Run(name, func(t *testing.T) { test(newSite(t, apiServer)) })
	}
}

// site is the page on a real API server.
type site struct {
	*testing.T
	kit.Kit

	server  *page.Server
	address string
}

// newSite serves an empty catalogue; everything ends with the test.
func newSite(t *testing.T, apiServer *rest.Config) *site {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := imagev1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	direct, err := client.New(apiServer, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, Kit: kit.New(t, direct)}
	t.Cleanup(func() { s.clean(context.Background()) }) // the test's own has ended
	watches := page.NewWatches(time.Now)
	config := rest.CopyConfig(apiServer)
	config.Wrap(watches.Wrap)
	options := page.CacheOptions()
	options.Scheme = scheme
	objects, err := watch.NewCache(config, options)
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := page.NewCatalogue(t.Context(), objects)
	if err != nil {
		t.Fatal(err)
	}
	s.server = &page.Server{Catalogue: catalogue, Watches: watches, Now: time.Now}
	listening := httptest.NewServer(s.server.Handler())
	t.Cleanup(listening.Close)
	s.address = listening.URL
	s.start(objects)
	return s
}

// start fills the cache, until the test ends.
func (s *site) start(objects ctrlcache.Cache) {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- objects.Start(ctx) }()
	s.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.Errorf("the cache ended: %v", err)
		}
	})
	if !objects.WaitForCacheSync(s.Context()) {
		s.Fatal("the cache doesn't sync")
	}
}

func (s *site) clean(ctx context.Context) {
	s.Helper()
	for _, kind := range []client.Object{&imagev1alpha1.ImageQuery{}, &imagev1alpha1.CloudImage{}} {
		if err := s.Client.DeleteAllOf(ctx, kind); err != nil {
			s.Fatal(err)
		}
	}
}

// get asks for an address of the page.
func (s *site) get(path string) (int, string) {
	s.Helper()
	status, _, body := s.request(path, nil)
	return status, body
}

// untilShown waits until a screen has a text, and returns the screen.
func (s *site) untilShown(path, text string) string {
	s.Helper()
	var body string
	s.Eventually(func() error {
		status, got := s.get(path)
		if body = got; status != http.StatusOK || !strings.Contains(body, text) {
			return fmt.Errorf("%s has no %q (%d)", path, text, status)
		}
		return nil
	})
	return body
}

// query stores an ImageQuery with a status, as the operator leaves it.
func (s *site) query(name string, status imagev1alpha1.ImageQueryStatus) {
	s.Helper()
	query := &imagev1alpha1.ImageQuery{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: imagev1alpha1.ImageQuerySpec{Region: "ap-guangzhou"},
	}
	s.Create(query)
	query.Status = status
	if err := s.Client.Status().Update(s.Context(), query); err != nil {
		s.Fatal(err)
	}
}

// image stores a CloudImage that is a member of a query.
func (s *site) image(id, name, query string) {
	s.Helper()
	seen := metav1.NewTime(time.Now().Truncate(time.Second))
	s.Create(&imagev1alpha1.CloudImage{
		ObjectMeta: metav1.ObjectMeta{
			Name: "ap-guangzhou-" + id, Labels: map[string]string{imagev1alpha1.LabelQueryPrefix + query: imagev1alpha1.QuerySelected},
		},
		Image:     imagev1alpha1.Image{ID: id, Region: "ap-guangzhou", Name: name, State: "NORMAL", Architecture: "amd64", Type: "PRIVATE_IMAGE"},
		Lifecycle: imagev1alpha1.ImageLifecycle{Presence: imagev1alpha1.PresencePresent, FirstSeenTime: seen, LastChangeTime: seen},
	})
}

// golden stores a query that selects one image, and its CloudImage.
func (s *site) golden() {
	s.Helper()
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	s.image("img-00000001", "node-v1.30.4", "golden")
	s.query("golden", imagev1alpha1.ImageQueryStatus{
		ObservedGeneration: 1, LastSyncTime: &now, Revision: "0123456789ab",
		Conditions: []metav1.Condition{
			{Type: "Ready", Status: "True", Reason: "Synced", Message: "1 image of 1 listed.", LastTransitionTime: now},
			{Type: "Selected", Status: "True", Reason: "Selected", LastTransitionTime: now},
		},
		ImageCount: new(int32(1)),
		Images:     []imagev1alpha1.ImageSummary{{ImageID: "img-00000001", Name: "node-v1.30.4", Architecture: "amd64", Selection: "Selected"}},
		Selected:   []imagev1alpha1.SelectedImage{{ImageID: "img-00000001", Name: "node-v1.30.4", Architecture: "amd64"}},
		SelectedHistory: []imagev1alpha1.SelectionRecord{{
			Images: []imagev1alpha1.RecordedImage{{ImageID: "img-00000001", Name: "node-v1.30.4", Architecture: "amd64"}}, SelectedTime: now, Reason: "First",
		}},
	})
	s.untilShown("/", "img-00000001")
	s.untilShown("/images", "img-00000001")
}

func testScreens(s *site) {
	if _, body := s.get("/"); !strings.Contains(body, "There is no ImageQuery yet") {
		s.Errorf("an empty catalogue is shown as\n%s", body)
	}
	s.golden()
	for path, wanted := range map[string][]string{
		"/":                                 {"golden", "node-v1.30.4", "img-00000001", "amd64", "Present", "Ready"},
		"/changes":                          {"golden", "node-v1.30.4", "nothing was selected before"},
		"/images":                           {"node-v1.30.4", "img-00000001", "Selected", "golden"},
		"/waiting":                          {"Nothing waits for approval."},
		"/queries/golden":                   {"1 image of 1 listed.", "node-v1.30.4", "Synced", "img-00000001"},
		"/images/ap-guangzhou-img-00000001": {"node-v1.30.4", "img-00000001", "PRIVATE_IMAGE", "golden"},
	} {
		body := s.untilShown(path, wanted[0])
		for _, text := range wanted {
			if !strings.Contains(body, text) {
				s.Errorf("%s lacks %q:\n%s", path, text, body)
			}
		}
	}
	s.Delete(&imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: "golden"}})
	s.untilShown("/", "There is no ImageQuery yet")
	if status, body := s.get("/queries/golden"); status != http.StatusNotFound || !strings.Contains(body, "There is no ImageQuery golden.") {
		s.Errorf("a query that is not there: %d\n%s", status, body)
	}
}

// request asks for an address with headers, and returns the answer's status, headers and body.
func (s *site) request(path string, header http.Header) (int, http.Header, string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.address+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	maps.Copy(r.Header, header)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

func testFeed(s *site) {
	s.golden()
	status, header, body := s.request("/feed/golden.json", nil)
	var got struct {
		Query, Region, Revision string
		Inputs                  []map[string]string
		History                 []struct{ Reason string }
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
		s.Fatalf("%d, %v: %s", status, err, body)
	}
	if got.Query != "golden" || got.Revision != "0123456789ab" || len(got.Inputs) != 1 || got.Inputs[0]["id"] != "img-00000001" ||
		got.Inputs[0]["architecture"] != "amd64" || len(got.History) != 1 || got.History[0].Reason != "First" {
		s.Errorf("the feed is %s", body)
	}
	tag := header.Get("ETag")
	if status, _, body := s.request("/feed/golden.json", http.Header{"If-None-Match": {tag}}); status != http.StatusNotModified || body != "" || tag == "" {
		s.Errorf("with the ETag %s it answers %d %q", tag, status, body)
	}
	// A poll that changes nothing leaves the feed as it is.
	query := s.Query("golden")
	query.Status.LastSyncTime = new(metav1.NewTime(query.Status.LastSyncTime.Add(time.Hour)))
	query.Status.Conditions[0].Message = "Polled again."
	if err := s.Client.Status().Update(s.Context(), query); err != nil {
		s.Fatal(err)
	}
	s.untilShown("/queries/golden", "Polled again.")
	if _, header, _ := s.request("/feed/golden.json", nil); header.Get("ETag") != tag {
		s.Errorf("the ETag was %s, and is %s", tag, header.Get("ETag"))
	}
	for _, path := range []string{"/feed/golden", "/feed/other.json", "/feed/.json"} {
		if status, _, _ := s.request(path, nil); status != http.StatusNotFound {
			s.Errorf("%s is answered with %d", path, status)
		}
	}
}

// Exported files link to each other only, and each link leads to a file.
func testExport(s *site) {
	s.golden()
	folder := filepath.Join(s.TempDir(), "export")
	if err := s.server.Export(folder); err != nil {
		s.Fatal(err)
	}
	for _, name := range []string{
		"index.html", "waiting.html", "changes.html", "images.html", "queries/golden.html", "images/ap-guangzhou-img-00000001.html", "feed/golden.json",
	} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			s.Error(err)
		}
		for _, link := range regexp.MustCompile(`(?:href|src|action)="([^"#][^"]*)"`).FindAllSubmatch(content, -1) {
			target, _, _ := strings.Cut(string(link[1]), "?")
			if _, err := os.Stat(filepath.Join(folder, filepath.Dir(name), target)); err != nil {
				s.Errorf("%s links to %s: %v", name, link[1], err)
			}
		}
	}
	if err := s.server.Export(folder); err == nil || !strings.Contains(err.Error(), "not empty") {
		s.Errorf("a second export into the same folder: %v", err)
	}
}

// What others write on a query must not reach the page's memory.
func testOtherMetadata(s *site) {
	s.query("golden", imagev1alpha1.ImageQueryStatus{ObservedGeneration: 1})
	s.Annotate("golden", "example.com/large", strings.Repeat("x", 10_000))
	s.untilShown("/", "golden")
	s.Eventually(func() error {
		query := s.server.Catalogue.Query("golden")
		if stored := s.Query("golden"); query == nil || query.ResourceVersion != stored.ResourceVersion {
			return errors.New("the cache lags behind")
		}
		if len(query.Annotations)+len(query.ManagedFields) > 0 {
			return kit.Hopeless(fmt.Errorf("the cache holds %v and %v", query.Annotations, query.ManagedFields))
		}
		return nil
	})
}
