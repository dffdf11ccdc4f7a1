// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// host owns the control plane that all tests share.
type host struct {
	ctx      context.Context
	cleanups []func()
	failed   bool
}

func (h *host) Helper()                         {}
func (h *host) Context() context.Context        { return h.ctx }
func (h *host) Cleanup(f func())                { h.cleanups = append(h.cleanups, f) }
func (h *host) Failed() bool                    { return h.failed }
func (h *host) Logf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (h *host) Fatalf(format string, args ...any) {
	h.failed = true
	panic(fmt.Sprintf(format, args...))
}

var (
	process = &host{ctx: context.Background()}

	// controlPlane starts with the first test that needs it.
	controlPlane = sync.OnceValue(func() *cluster.Cluster { return cluster.Start(process, cluster.Options{}) })
)

func TestMain(m *testing.M) {
	// Each life takes half a minute, or more on a busy machine. Use -rapid.checks=1000 for a night. With -short rapid divides by five. A
	// life that fails becomes a script, which is shrunk on request, since each try is another life.
	setFlag("rapid.checks", "20")
	setFlag("rapid.nofailfile", "true")
	setFlag("rapid.shrinktime", "0s")
	flag.Parse()
	if testing.Short() && flag.Lookup("rapid.checks").Value.String() == "20" {
		setFlag("rapid.checks", "10")
	}
	code := m.Run()
	if held := results.held(); held != "" {
		fmt.Println(held)
	}
	for _, f := range slices.Backward(process.cleanups) {
		f()
	}
	os.Exit(code)
}

func setFlag(name, value string) {
	if err := flag.Set(name, value); err != nil {
		panic(err)
	}
}

// results are the rows that ran.
var results = tally{rows: map[int]bool{}}

type tally struct {
	mu   sync.Mutex
	rows map[int]bool // row number → passed
}

// run records a row. It passes unless its test has failed at its end.
func (r *tally) run(t *testing.T, row int) {
	t.Helper()
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.rows[row] = !t.Failed() && !t.Skipped()
	})
}

// held returns the summary.
func (r *tally) held() string {
	if len(r.rows) == 0 {
		return ""
	}
	held := 0
	for _, holds := range r.rows {
		if holds {
			held++
		}
	}
	return fmt.Sprintf("faults: %d of the %d rows that ran hold; the table has %d", held, len(r.rows), len(Table))
}
