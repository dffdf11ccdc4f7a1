// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// screens are the addresses that are looked at, by the name of their screenshots.
var screens = map[string]string{
	"now":             "/",
	"now-nothing":     "/?q=no-such-thing",
	"waiting":         "/waiting",
	"changes":         "/changes",
	"images":          "/images",
	"images-filtered": "/images?q=node&arch=arm64",
	"images-nothing":  "/images?q=no-such-thing",
	"query-nodes":     "/queries/tke-nodes",
	"query-soaking":   "/queries/soaking",
	"query-blocked":   "/queries/blocked",
	"query-stalled":   "/queries/stalled",
	"query-names":     "/queries/names",
	"query-new":       "/queries/new",
	"query-missing":   "/queries/no-such-query",
	"image-node":      "/images/ap-guangzhou-img-node1305",
	"image-wide":      "/images/ap-singapore-img-wide0001",
	"image-script":    "/images/ap-singapore-img-script01",
	"image-gone":      "/images/ap-jakarta-img-00000003",
}

// One cluster serves all of these: making the states takes longer than looking at them.
func TestInABrowser(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]func(*testing.T, *world){
		"text": testTextIsTheStatus, "accessibility": testAccessibility, "keyboard": testKeyboard, "without script": testWithoutScript,
		"refresh": testRefresh, "copy": testCopy,
		"screenshots": testScreenshots, "rights": testRights, "renovate": testRenovate, "flux": testFlux,
	} {
		t.Run(name, func(t *testing.T) { test(t, w.For(t)) })
	}
	t.Run("without an API server", func(t *testing.T) { testWithoutAPIServer(t, w.For(t)) })
}

func testScreenshots(t *testing.T, w *world) {
	t.Helper()
	b := openTab(t, w.page)
	for name, path := range screens {
		b.shoot(w, name, path)
	}
}

// shoot writes what a person should look at, and finds what is wider than its screen.
func (b *tab) shoot(w *world, name, path string) {
	b.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		folder = b.TempDir()
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			b.look(w.page+path, scheme, width)
			shot := got(b, chromedp.FullScreenshot(100))
			file := filepath.Join(folder, fmt.Sprintf("%s-%s-%d.png", name, scheme, width))
			if err := os.WriteFile(file, shot, 0o600); err != nil {
				b.Fatal(err)
			}
			if wide := eval[int64](b, "document.documentElement.scrollWidth"); wide > width {
				b.Errorf("%s is %d pixels wide on a screen of %d", path, wide, width)
			}
		}
	}
}

// row is one query as the screen "now" shows it.
type row struct {
	Query, State, Images string
	Selected             []string // architecture, name and id of each
}

// readRows reads the table of the screen "now" as a person does.
const readRows = `[...document.querySelectorAll("main table tbody tr")].map(tr => ({
	Query: tr.querySelector("th a").innerText, State: tr.querySelector("th .chip").innerText, Images: tr.querySelector("[data-label=Images]").innerText,
	Selected: [...tr.querySelectorAll(".selected li")].map(li =>
		[li.querySelector(".arch"), li.querySelector(".name"), li.querySelector("code")].map(e => e.innerText).join(" | ")),
}))`

// wantedStates are the words for the states that makeStates makes.
var wantedStates = map[string]string{
	"blocked": "Blocked", "in-grace": "Ready", "names": "Ready", "new": "New", "nothing-matches": "No images", "retrying": "Retrying",
	"selected-missing": "Blocked", "soaking": "Ready", "stalled": "Stalled", "suspended": "Suspended", "throttled": "Throttled",
	"tke-nodes": "Ready", "too-few": "Failing", "too-young": "Nothing selected", "without-objects": "Ready",
}

// Each screen has the text that the objects of the API server have, which the operator wrote.
func testTextIsTheStatus(t *testing.T, w *world) {
	t.Helper()
	b := openTab(t, w.page)
	var queries imagev1alpha1.ImageQueryList
	if err := w.Client.List(t.Context(), &queries); err != nil {
		t.Fatal(err)
	}
	var want []row
	for i := range queries.Items {
		want = append(want, rowOf(&queries.Items[i]))
	}
	b.look(w.page+"/", "light", 1280)
	if diff := cmp.Diff(want, eval[[]row](b, readRows), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("now: -status +page\n%s", diff)
	}
	for i := range queries.Items {
		testQueryText(b, w, &queries.Items[i])
	}
	var images imagev1alpha1.CloudImageList
	if err := w.Client.List(t.Context(), &images); err != nil {
		t.Fatal(err)
	}
	testImagesText(b, w, images.Items)
}

func rowOf(query *imagev1alpha1.ImageQuery) row {
	r := row{Query: query.Name, State: wantedStates[query.Name], Images: "–"}
	if query.Status.ImageCount != nil {
		r.Images = fmt.Sprint(*query.Status.ImageCount)
	}
	for _, image := range query.Status.Selected {
		r.Selected = append(r.Selected, strings.Join([]string{image.Architecture, image.Name, image.ImageID}, " | "))
	}
	return r
}

// tableOf reads the cells of the table in a section, without the buttons.
func tableOf(section string) string {
	return `[...document.querySelectorAll("[aria-labelledby=` + section + `] tbody tr")].map(tr => [...tr.children].map(c => c.innerText.replaceAll("\n", " ")).join(" | "))`
}

func testQueryText(b *tab, w *world, query *imagev1alpha1.ImageQuery) {
	b.Helper()
	b.look(w.page+"/queries/"+query.Name, "light", 1280)
	conditions, members := eval[[]string](b, tableOf("conditions")), eval[[]string](b, tableOf("members"))
	if len(conditions) != len(query.Status.Conditions) || len(members) != len(query.Status.Images) {
		b.Fatalf("%s has %d conditions and %d members, want %d and %d", query.Name, len(conditions), len(members),
			len(query.Status.Conditions), len(query.Status.Images))
	}
	for i, c := range query.Status.Conditions {
		b.contains(conditions[i], c.Type, string(c.Status), c.Reason, strings.Join(strings.Fields(c.Message), " "))
	}
	for i, image := range query.Status.Images {
		b.contains(members[i], image.Name, image.ImageID, string(image.Selection), image.Architecture, image.Type, image.Creator)
	}
	if c := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked); c != nil {
		text := eval[string](b, `document.querySelector("[aria-labelledby=blocked]").innerText`)
		b.contains(text, c.Message)
		for _, image := range query.Status.PendingRemoval {
			b.contains(text, image.ImageID, image.Name)
		}
	}
}

func testImagesText(b *tab, w *world, images []imagev1alpha1.CloudImage) {
	b.Helper()
	b.look(w.page+"/images", "light", 1280)
	shown := eval[[]string](b, `[...document.querySelectorAll("main tbody tr")].map(tr => [...tr.children].map(c => c.innerText.replaceAll("\n", " ")).join(" | "))`)
	if len(shown) != len(images) {
		b.Errorf("images has %d rows, want %d", len(shown), len(images))
	}
	for i := range images {
		image := &images[i].Image
		b.look(w.page+"/images/"+images[i].Name, "light", 1280)
		b.contains(eval[string](b, `document.querySelector("h1").innerText`), image.Name)
		b.contains(eval[string](b, `document.querySelector("main").innerText`), image.ID, image.Region, image.OSName, image.Type, image.Creator)
	}
}

func (b *tab) contains(text string, parts ...string) {
	b.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			b.Errorf("%q is not in %q", part, text)
		}
	}
}

// violation is what axe-core finds.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

func testAccessibility(t *testing.T, w *world) {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join("node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is missing: run make browser, which fetches it (%v)", err)
	}
	b := openTab(t, w.page)
	for _, path := range screens {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{1280, 390} {
				b.look(w.page+path, scheme, width)
				b.do(chromedp.Evaluate[chromedp.Void](string(axe)))
				for _, v := range eval[[]violation](b, `axe.run().then(r => r.violations)`) {
					t.Errorf("%s, %s, %d: %s (%s): %s\n%s\n%s", path, scheme, width, v.ID, v.Impact, v.Help, v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
				}
			}
		}
	}
}

// Who has only a keyboard reaches everything, in the order in which it is on the screen, and sees where they are.
func testKeyboard(t *testing.T, w *world) {
	t.Helper()
	b := openTab(t, w.page)
	for _, path := range []string{"/", "/waiting", "/changes", "/images", "/queries/blocked", "/images/ap-guangzhou-img-node1305"} {
		b.look(w.page+path, "light", 1280)
		const all = `[...document.querySelectorAll("a[href], button, input, select, [tabindex='0']")]`
		count := eval[int](b, all+".length")
		for i := range count {
			b.do(chromedp.KeyEvent(kb.Tab))
			at := eval[struct {
				Index   int
				Outline string
			}](b, `({Index: `+all+`.indexOf(document.activeElement), Outline: getComputedStyle(document.activeElement).outlineStyle})`)
			if at.Index != i || at.Outline == "none" {
				t.Fatalf("%s: after %d tabs the focus is on element %d, its outline is %s", path, i+1, at.Index, at.Outline)
			}
		}
	}
	b.look(w.page+"/", "light", 1280)
	b.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	if at := eval[string](b, "location.hash"); at != "#main" {
		t.Errorf("the first stop leads to %q, want to the content", at)
	}
}

// Without its script the page has everything but the buttons that copy.
func testWithoutScript(t *testing.T, w *world) {
	t.Helper()
	b := openTab(t, w.page)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.look(w.page+"/images", "light", 1280)
	b.do(chromedp.SendKeys("input[name=q]", "node-v1.30.5"), chromedp.Submit("form"), chromedp.WaitVisible("a.reset"))
	b.contains(got(b, chromedp.Text("main")), "img-node1305")
	b.do(chromedp.Click("tbody th a"), chromedp.WaitVisible("#facts"))
	b.contains(got(b, chromedp.Text("h1")), "node-v1.30.5")
}

// A page that stays open shows what changes meanwhile.
func testRefresh(t *testing.T, w *world) {
	t.Helper()
	b := openTab(t, w.page)
	b.look(w.page+"/?q=later", "light", 1280)
	b.contains(eval[string](b, `document.querySelector("main").innerText`), "No query matches")
	w.query("later", "ap-qingyuan")
	const refreshed = `refresh().then(() => document.querySelector("main").innerText)`
	w.Eventually(func() error {
		if text := eval[string](b, refreshed); !strings.Contains(text, "later") || strings.Contains(text, "No query matches") {
			return fmt.Errorf("the page has %q", text)
		}
		return nil
	})
	// Who types isn't interrupted.
	w.Delete(&imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: "later"}})
	w.Eventually(func() error {
		if _, body, err := get(t.Context(), w.page+"/?q=later"); err != nil || !strings.Contains(string(body), "No query matches") {
			return errors.Join(errors.New("the query is still there"), err)
		}
		return nil
	})
	b.do(chromedp.Focus("input[name=q]"))
	b.contains(eval[string](b, refreshed), "ap-qingyuan")
	eval[bool](b, "document.activeElement.blur(), true")
	b.contains(eval[string](b, refreshed), "No query matches")
}

func testCopy(t *testing.T, w *world) {
	t.Helper()
	b := openTab(t, w.page)
	b.look(w.page+"/waiting", "light", 1280)
	b.do(chromedp.Click(".command .copy-button"), chromedp.WaitVisible(".command .copy-button"))
	said := eval[string](b, `new Promise(done => setTimeout(() => done(document.querySelector(".command .copy-button").innerText), 200))`)
	if said != "Copied" && said != "Press Ctrl+C" {
		t.Errorf("the button is %q after a click", said)
	}
	if marked := eval[string](b, "getSelection().toString()"); said == "Press Ctrl+C" && !strings.HasPrefix(marked, "kubectl annotate imagequery ") {
		t.Errorf("what is marked to be copied is %q", marked)
	}
}

// When the API server is gone the page says so, and goes on showing what it had.
func testWithoutAPIServer(t *testing.T, w *world) {
	t.Helper()
	w.KillAPIServer()
	const banner = "The API server hasn’t answered since"
	page := func(wanted bool) func() error {
		return func() error {
			_, body, err := get(t.Context(), w.page+"/")
			if err == nil && (strings.Contains(string(body), banner) != wanted || !strings.Contains(string(body), "img-node1305")) {
				err = fmt.Errorf("the banner is not as wanted (%v): %.2000s", wanted, body)
			}
			return err
		}
	}
	w.Eventually(page(true))
	b := openTab(t, w.page)
	b.shoot(w, "now-broken", "/?q=tke-nodes")
	w.StartAPIServer()
	w.Eventually(page(false))
}
