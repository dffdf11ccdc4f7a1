// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// A minute of viewers is for who measures; the usual run takes less.
var (
	viewing = flag.Duration("viewing", 10*time.Second, "how long the viewers look")
	many    = flag.Int("images", 10_000, "CloudImages that they look at")
)

// What is promised of the page with 10 000 CloudImages, on an idle machine.
const (
	viewers   = 200
	firstByte = 50 * time.Millisecond
	pageBytes = 150_000
	ofManager = 1.5
)

// However many look, the API server sees the watches only, and the page stays small and quick.
func TestManyLookAtManyImages(t *testing.T) {
	w := &world{Cluster: cluster.Start(t, cluster.Options{WithoutControllers: true})}
	w.cloud = w.StartCloud()
	w.query("all", "ap-guangzhou")
	w.createImages(*many)
	manager := w.StartManager(w.cloud, "GOGC=10", "--regions=ap-nowhere") // it only caches
	w.createAccount()
	process := w.measuredPage()
	w.Until("the page has all images", func(ctx context.Context) error {
		_, body, err := get(ctx, w.page+"/images")
		if err == nil && !strings.Contains(string(body), fmt.Sprintf("of %d<", *many)) {
			err = fmt.Errorf("the page has other images than %d", *many)
		}
		return err
	})
	median, size := w.timeImages(t)
	t.Logf("images of %d: first byte after %s in the median, %d bytes", *many, median, size)
	if size > pageBytes {
		t.Errorf("the screen has %d bytes, want at most %d", size, pageBytes)
	}
	if median > 4*firstByte {
		t.Errorf("the first byte comes after %s in the median, want %s on an idle machine and never four times that", median, firstByte)
	}
	page, operator := resident(t, process.Pid()), resident(t, manager.Pid())
	t.Logf("with %d images the page has %d MB resident, the operator %d MB", *many, page>>20, operator>>20)
	if float64(page) > ofManager*float64(operator) {
		t.Errorf("the page takes %d MB, the operator %d MB: want at most %.1f times as much", page>>20, operator>>20, ofManager)
	}
	w.view(t)
}

func (w *world) createImages(n int) {
	w.Helper()
	operator := w.As(cluster.OperatorUser)
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	var running sync.WaitGroup
	const writers = 16
	for first := range writers {
		running.Go(func() {
			for i := first; i < n; i += writers {
				id := fmt.Sprintf("img-%08d", i)
				created := metav1.NewTime(now.Add(-time.Duration(i) * time.Minute))
				err := operator.Create(w.Context(), &imagev1alpha1.CloudImage{
					ObjectMeta: metav1.ObjectMeta{Name: "ap-guangzhou-" + id, Labels: map[string]string{imagev1alpha1.LabelQueryPrefix + "all": "member"}},
					Image: imagev1alpha1.Image{
						ID: id, Region: "ap-guangzhou", Name: fmt.Sprintf("golden-node-v1.30.%d", i), Type: "PRIVATE_IMAGE", State: "NORMAL", Platform: "Ubuntu",
						Architecture: "amd64", Creator: "100000000001", OSName: "Ubuntu Server 22.04 LTS 64bit", SizeGiB: 50, CreatedTime: &created,
						Tags: []imagev1alpha1.Tag{{Key: "team", Value: "web"}, {Key: "role", Value: "k8s-node"}},
					},
					Lifecycle: imagev1alpha1.ImageLifecycle{Presence: imagev1alpha1.PresencePresent, FirstSeenTime: now, LastChangeTime: now},
				})
				if err != nil {
					w.Logf("creating %s: %v", id, err)
				}
			}
		})
	}
	running.Wait()
}

// measuredPage runs the page with as little room to grow as the operator has.
func (w *world) measuredPage() *cluster.Process {
	w.Helper()
	address := w.FreeAddress()
	process := w.StartProcess("/usr/bin/env", "GOGC=10", managerPath(w), "page", "--kubeconfig="+w.KubeconfigOf("page", w.Config), "--bind-address="+address)
	w.page = "http://" + address
	w.Until("the page shows the catalogue", func(ctx context.Context) error { return shows(ctx, w.page) })
	return process
}

// timeImages measures one viewer after the other.
func (w *world) timeImages(t *testing.T) (median time.Duration, size int) {
	t.Helper()
	var took []time.Duration
	for i := range 101 {
		began := time.Now()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.page+"/images?page="+strconv.Itoa(i), nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request) // returns with the first bytes
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
		_ = response.Body.Close()
	}
	_, body, err := get(t.Context(), w.page+"/images")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(took)
	return took[len(took)/2], len(body)
}

// view has viewers look at one screen after the other, each every two seconds.
func (w *world) view(t *testing.T) {
	t.Helper()
	mark := w.Mark()
	ctx, cancel := context.WithTimeout(t.Context(), *viewing)
	defer cancel()
	paths := []string{"/", "/images", "/images?q=node&page=7", "/queries/all", "/changes", "/waiting", "/images/ap-guangzhou-img-00000007", "/feed/all.json"}
	var running sync.WaitGroup
	for viewer := range viewers {
		running.Go(func() {
			next := time.NewTicker(2 * time.Second)
			defer next.Stop()
			for n := viewer; ; n++ {
				if status, _, err := get(ctx, w.page+paths[n%len(paths)]); ctx.Err() == nil && (err != nil || status != http.StatusOK) {
					t.Errorf("%s: %d, %v", paths[n%len(paths)], status, err)
				}
				select {
				case <-next.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	running.Wait()
	for _, request := range w.RequestsSince(mark) {
		if request.User == "system:serviceaccount:"+cluster.Namespace+":page" && request.Verb != "watch" {
			t.Errorf("the viewers cost the API server: %s", request)
		}
	}
}

// resident is the memory of a process, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Skipf("the memory of a process can't be read here: %v", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(content))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
