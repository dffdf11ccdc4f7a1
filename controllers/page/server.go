// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// templates has one template for each screen, called by its name, which fills the frame of layout.html.
var templates = parseTemplates("now", "waiting", "changes", "images", "query", "image", "message")

func parseTemplates(screens ...string) map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(template.FuncMap{"pair": newPair}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	parsed := map[string]*template.Template{}
	for _, screen := range screens {
		parsed[screen] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, "templates/"+screen+".html"))
	}
	return parsed
}

// pair is a value and the frame around it, for templates that others call.
type pair struct {
	Frame frame
	Value any
}

func newPair(f frame, value any) pair { return pair{f, value} }

// assetVersion stands for the content of all assets: a browser keeps them until another binary has others.
var assetVersion = hashAssets()

func hashAssets() string {
	sum := sha256.New()
	for _, name := range assets {
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

// assets are the files that the screens need, besides themselves.
var assets = []string{"page.css", "page.js", "icon.svg"}

// Server answers the requests of the page.
type Server struct {
	Catalogue Catalogue
	Watches   *Watches
	Now       func() time.Time

	// AllowedHosts are the names, besides loopback ones, under which the page is served.
	AllowedHosts []string
}

// Handler returns the handler of all addresses of the page.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/assets/{name}", serveAsset)
	for pattern, show := range map[string]func(scene, *http.Request) screen{
		"/{$}": list(nowScreen), "/waiting": list(waitingScreen), "/changes": list(changesScreen), "/images": list(imagesScreen),
		"/queries/{name}": askedQuery, "/images/{name}": askedImage, "/": noScreen,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serveScreen(w, r, show) })
	}
	mux.HandleFunc("/feed/{file}", s.answerFeed)
	return guard(s.AllowedHosts, mux)
}

// screen is what is shown: a template and its view.
type screen struct {
	name, title, section string
	view                 any
	status               int // 0 means 200
}

func nowScreen(s scene, values url.Values) (screen, pager) {
	view := s.nowView(values)
	return screen{name: "now", title: "Now", section: "now", view: view}, view.Pager
}

func waitingScreen(s scene, values url.Values) (screen, pager) {
	view := s.waitingView(values)
	return screen{name: "waiting", title: "Waiting", section: "waiting", view: view}, view.Pager
}

func changesScreen(s scene, values url.Values) (screen, pager) {
	view := s.changesView(values)
	return screen{name: "changes", title: "Changes", section: "changes", view: view}, view.Pager
}

func imagesScreen(s scene, values url.Values) (screen, pager) {
	view := s.imagesView(values)
	return screen{name: "images", title: "Images", section: "images", view: view}, view.Pager
}

func queryScreen(s scene, query *imagev1alpha1.ImageQuery, values url.Values) (screen, pager) {
	view := s.queryView(query, values)
	return screen{name: "query", title: query.Name, section: "now", view: view}, view.Pager
}

func imageScreen(s scene, image *imagev1alpha1.CloudImage) screen {
	view := s.imageView(image)
	return screen{name: "image", title: view.Title(), section: "images", view: view}
}

// list shows one of the screens that are lists.
func list(show func(scene, url.Values) (screen, pager)) func(scene, *http.Request) screen {
	return func(s scene, r *http.Request) screen {
		shown, _ := show(s, r.URL.Query())
		return shown
	}
}

func askedQuery(s scene, r *http.Request) screen {
	query := s.Query(r.PathValue("name"))
	if query == nil {
		return missing("There is no ImageQuery " + r.PathValue("name") + ".")
	}
	shown, _ := queryScreen(s, query, r.URL.Query())
	return shown
}

func askedImage(s scene, r *http.Request) screen {
	image := s.Image(r.PathValue("name"))
	if image == nil {
		return missing("There is no CloudImage " + r.PathValue("name") + ". It is deleted once no query has had it for the grace period.")
	}
	return imageScreen(s, image)
}

func noScreen(scene, *http.Request) screen { return missing("There is no page at this address.") }

// message is a screen that has only something to say.
type message struct{ Head, Text string }

func missing(text string) screen {
	return screen{name: "message", title: "Not found", view: message{"Not found", text}, status: http.StatusNotFound}
}

var starting = screen{
	name: "message", title: "Starting", status: http.StatusServiceUnavailable,
	view: message{"Starting", "The catalogue is being read from the API server. This page shows it as soon as it is there."},
}

func (s *Server) serveScreen(w http.ResponseWriter, r *http.Request, show func(scene, *http.Request) screen) {
	sc := scene{Catalogue: s.Catalogue, now: s.Now(), link: links{root: rootOf(r.URL)}}
	shown := starting
	if s.Catalogue.HasSynced() {
		shown = show(sc, r)
	} else {
		w.Header().Set("Refresh", "2")
	}
	body, err := s.render(sc, shown)
	if err != nil {
		http.Error(w, "This page can't be shown because of a fault in it.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if shown.status != 0 {
		w.WriteHeader(shown.status)
	}
	_, _ = w.Write(body) // the client may have gone
}

// rootOf is the way from a request's address up to the page's root.
func rootOf(u *url.URL) string { return strings.Repeat("../", max(0, strings.Count(u.Path, "/")-1)) }

func (s *Server) render(sc scene, shown screen) ([]byte, error) {
	f := frame{links: sc.link, Title: shown.title, Section: shown.section, Now: momentAt(sc.now, sc.now), View: shown.view}
	if broken := s.Watches.BrokenSince(); !broken.IsZero() {
		f.Broken = momentAt(broken, sc.now)
	}
	if sc.HasSynced() {
		for _, query := range sc.Queries() {
			if waits(query) {
				f.Waiting++
			}
		}
	}
	var out bytes.Buffer
	err := templates[shown.name].ExecuteTemplate(&out, "layout", f)
	return out.Bytes(), err
}

func (s *Server) answerFeed(w http.ResponseWriter, r *http.Request) {
	name, isJSON := strings.CutSuffix(r.PathValue("file"), ".json")
	query := s.Catalogue.Query(name)
	switch {
	case !s.Catalogue.HasSynced():
		w.Header().Set("Retry-After", "2")
		http.Error(w, "The catalogue is being read from the API server.", http.StatusServiceUnavailable)
	case !isJSON || query == nil:
		http.Error(w, "There is no such ImageQuery: the address is /feed/<query>.json.", http.StatusNotFound)
	default:
		s.serveFeed(w, r, query)
	}
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if !slices.Contains(assets, name) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeFileFS(w, r, assetFiles, "assets/"+name) //nolint:gosec // it is one of assets
}
