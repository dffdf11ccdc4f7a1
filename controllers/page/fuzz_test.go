// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/cache"
)

// FuzzRequest gives the screens parameters, and texts of the cloud, that an attacker would write. Whatever they are, the answer has no
// element, attribute or address that a template hasn't.
func FuzzRequest(f *testing.F) {
	for _, parameters := range []string{
		"", "page=2", "page=-1&q=%00", "page=9223372036854775808", "q=%3Cscript%3Ealert(1)%3C/script%3E", "state=attention", "query=golden&verdict=Selected",
		"arch=amd64&region=ap-guangzhou&q=a%20b%20c", "q=%FF%FE", "a;b=c", "state=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E", "%",
	} {
		f.Add(parameters, `"><script>alert(1)</script>`)
		f.Add(parameters, "javascript:alert(1)//\u202e")
	}
	f.Fuzz(func(t *testing.T, parameters, text string) {
		s := scene{Catalogue: stored(t, text), now: noon}
		server := &Server{Watches: NewWatches(time.Now)}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.URL.RawQuery = parameters
		for name, show := range map[string]func(scene, url.Values) (screen, pager){
			"now": nowScreen, "waiting": waitingScreen, "changes": changesScreen, "images": imagesScreen,
			"query": func(s scene, v url.Values) (screen, pager) { return queryScreen(s, s.Query("golden"), v) },
			"image": func(s scene, _ url.Values) (screen, pager) {
				return imageScreen(s, s.Image("ap-guangzhou-img-00000001")), pager{}
			},
		} {
			shown, p := show(s, r.URL.Query())
			body, err := server.render(s, shown)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if p.To-p.From >= perPage || p.From < 0 {
				t.Errorf("%s has the rows %d to %d", name, p.From, p.To)
			}
			inspect(t, name, body)
		}
	})
}

// stored is a catalogue of one query and one image with this text wherever there can be one.
func stored(t *testing.T, text string) Catalogue {
	t.Helper()
	at := metav1.NewTime(noon)
	queries := toolscache.NewSharedIndexInformer(nil, &imagev1alpha1.ImageQuery{}, 0, toolscache.Indexers{})
	informer := toolscache.NewSharedIndexInformer(nil, &imagev1alpha1.CloudImage{}, 0, toolscache.Indexers{})
	images, err := cache.FromInformer(informer)
	if err != nil {
		t.Fatal(err)
	}
	query := has(0, condition("Ready", "True", text), condition("RemovalBlocked", "True", text))
	query.Spec.Region = "ap-guangzhou"
	query.Spec.Match.NameRegex = text
	query.Status.Images = []imagev1alpha1.ImageSummary{{ImageID: "img-00000001", Name: text, Architecture: text, Type: text, Creator: text, Selection: imagev1alpha1.SelectionVerdict(text)}}
	query.Status.Selected = []imagev1alpha1.SelectedImage{{ImageID: "img-00000001", Name: text, Architecture: text}, {ImageID: text}}
	query.Status.PendingRemoval = []imagev1alpha1.PendingRemoval{{ImageID: text, Name: text, Reason: imagev1alpha1.RemovalReason(text)}}
	query.Status.Removing = []imagev1alpha1.RemovingImage{{ImageID: text, Since: at, DeleteAfter: at}}
	query.Status.SelectedHistory = []imagev1alpha1.SelectionRecord{{
		Images: []imagev1alpha1.RecordedImage{{ImageID: text, Name: text, Architecture: text}}, SelectedTime: at, Reason: imagev1alpha1.SelectionReason(text),
	}}
	image := &imagev1alpha1.CloudImage{
		ObjectMeta: metav1.ObjectMeta{Name: "ap-guangzhou-img-00000001", Labels: map[string]string{imagev1alpha1.LabelQueryPrefix + "golden": "member"}},
		Image: imagev1alpha1.Image{
			ID: "img-00000001", Region: "ap-guangzhou", Name: text, Description: text, State: text, Family: text, OSName: text, Creator: text,
			Tags: []imagev1alpha1.Tag{{Key: text, Value: text}}, Snapshots: []imagev1alpha1.Snapshot{{ID: text, DiskUsage: text}},
		},
		Lifecycle: imagev1alpha1.ImageLifecycle{Presence: imagev1alpha1.PresencePresent, Leaving: []imagev1alpha1.LeavingQuery{{Query: text, Since: at, DeleteAfter: at}}},
	}
	if err := queries.GetStore().Add(query); err != nil {
		t.Fatal(err)
	}
	if err := informer.GetStore().Add(&cloudimage.Entry{CloudImage: image}); err != nil {
		t.Fatal(err)
	}
	return Catalogue{queries, images}
}

// inspect looks for what a browser would run or load.
func inspect(t *testing.T, name string, body []byte) {
	t.Helper()
	scripts := 0
	tokens := html.NewTokenizer(bytes.NewReader(body))
	for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		token := tokens.Token()
		switch token.Data {
		case "script":
			scripts++
		case "img", "iframe", "object", "embed", "style", "base", "svg":
			t.Errorf("%s has an element %s", name, token)
		}
		for _, attribute := range token.Attr {
			if strings.HasPrefix(attribute.Key, "on") || attribute.Key == "style" {
				t.Errorf("%s has %s", name, token)
			}
			if attribute.Key == "href" || attribute.Key == "src" || attribute.Key == "action" {
				if address, err := url.Parse(attribute.Val); err != nil || address.Scheme != "" || address.Host != "" {
					t.Errorf("%s leads to %s", name, attribute.Val)
				}
			}
		}
	}
	if scripts != 1 {
		t.Errorf("%s has %d scripts, want the page's own", name, scripts)
	}
}
