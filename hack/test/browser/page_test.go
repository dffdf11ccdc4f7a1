// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
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
	t.Run("screenshots", func(t *testing.T) { testScreenshots(t, w) })
}

// testScreenshots writes what a person should look at, and finds what is wider than its screen.
func testScreenshots(t *testing.T, w *world) {
	t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		folder = t.TempDir()
	}
	b := openTab(t, w.page)
	for name, path := range screens {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{1280, 390} {
				b.look(w.page+path, scheme, width)
				shot := got(b, chromedp.FullScreenshot(100))
				file := filepath.Join(folder, fmt.Sprintf("%s-%s-%d.png", name, scheme, width))
				if err := os.WriteFile(file, shot, 0o600); err != nil {
					t.Fatal(err)
				}
				if wide := eval[int64](b, "document.documentElement.scrollWidth"); wide > width {
					t.Errorf("%s is %d pixels wide on a screen of %d", path, wide, width)
				}
			}
		}
	}
}
