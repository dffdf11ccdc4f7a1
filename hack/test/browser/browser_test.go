// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is one of the browser's.
type tab struct {
	*testing.T

	ctx  context.Context
	host string // of the page

	mu     sync.Mutex
	faults []string
}

// chromium is the browser's program; CHROMIUM names another one.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	t.Fatal("there is no chromium: install it (apt-get install chromium), or name one in CHROMIUM")
	return ""
}

// openTab starts a browser of its own. Whatever it does that the page must not make it do fails the test.
func openTab(t *testing.T, page string, flags ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU)
	options = append(options, flags...)
	allocated, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocated)
	b := &tab{T: t, ctx: ctx, host: must(url.Parse(page)).Host}
	t.Cleanup(func() {
		closeTab()
		end()
		for _, fault := range b.faults {
			t.Error(fault)
		}
	})
	// This starts the browser, whose life is the context's.
	if err := chromedp.Listen(ctx, b.watch); err != nil {
		t.Fatal(err)
	}
	_, network := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	_, runtime := chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	_, log := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	if err := errors.Join(network, runtime, log); err != nil {
		t.Fatal(err)
	}
	return b
}

// watch notes foreign requests, errors in the console and exceptions.
func (b *tab) watch(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if asked, err := url.Parse(e.Request.URL); err != nil || asked.Host != b.host {
			b.fault("a request to %s", e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		b.fault("an exception: %s", e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.fault("%s in the console: %s", e.Type, must(json.Marshal(e.Args)))
	case *log.EventEntryAdded:
		// The browser notes answers that are no success by itself.
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "404 (Not Found)") {
			b.fault("an error: %s %s", e.Entry.Text, e.Entry.URL)
		}
	}
}

func (b *tab) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, "the page made the browser do "+fmt.Sprintf(format, args...))
}

// do lets the browser act.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// got returns what an action does.
func got[V any](b *tab, action chromedp.Action[V]) V {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// eval evaluates JavaScript, which isn't bound by the page's policy, and waits for what it promises.
func eval[V any](b *tab, script string) V {
	b.Helper()
	return got(b, chromedp.Evaluate[V](script, chromedp.EvalAwaitPromise))
}

// look opens an address with a colour scheme and a width.
func (b *tab) look(address, scheme string, width int64) {
	b.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(width, 900), chromedp.Navigate(address))
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// shows asks for a page until it is no longer starting.
func shows(ctx context.Context, address string) error {
	status, body, err := get(ctx, address)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s answers %d: %.200s", address, status, body)
	}
	return err
}

func get(ctx context.Context, address string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}
