// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// fetch requests a page of one of the manager's servers.
func (w *world) fetch(url string) (int, string, error) {
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// metric returns the sum of the manager's series of a name that have all the labels (code="x").
func (w *world) metric(series string, labels ...string) float64 {
	w.t.Helper()
	code, page, err := w.fetch("http://" + w.manager.Metrics + "/metrics")
	if err != nil || code != http.StatusOK {
		w.t.Fatalf("/metrics answers %d (%v)", code, err)
	}
	var sum float64
	for line := range strings.SplitSeq(page, "\n") {
		name, value, ok := cutLast(line, " ")
		of := name == series || strings.HasPrefix(name, series+"{")
		if !ok || !of || slices.ContainsFunc(labels, func(label string) bool { return !strings.Contains(name, label) }) {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			w.t.Fatalf("%s: %v", line, err)
		}
		sum += number
	}
	return sum
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// peakMemory returns the manager's peak memory in bytes, or 0 without /proc.
func peakMemory(t *testing.T, m *cluster.Manager) int64 {
	t.Helper()
	return memory(t, m, "VmHWM:")
}

func memory(t *testing.T, m *cluster.Manager, which string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.Pid()))
	if os.IsNotExist(err) {
		t.Log("this system has no /proc, so memory is not looked at")
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), which)
	fields := strings.Fields(after)
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// mergePatch returns a merge patch for a client.
func mergePatch(patch []byte) client.Patch { return client.RawPatch(types.MergePatchType, patch) }
