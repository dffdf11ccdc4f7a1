// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

// manyClusters simulates n clusters that poll the cloud with the keys of one sub-account or of ten. It takes the operator's own
// client, limiter and poll times, so it is a test of package cvm, in simulated time.
func manyClusters(b *bench, n int) *result {
	r := &result{N: n}
	test := exec.CommandContext(b.Context(), "go", "test", "./controllers/catalog/cvm", "-count=1", "-timeout=2h", "-v", "-run=^TestFleet$",
		fmt.Sprint("-clusters=", n))
	test.Dir = "../.."
	out, err := test.CombinedOutput()
	if err != nil {
		b.Fatalf("simulating %d clusters: %v\n%s", n, err, out)
	}
	for line := range strings.Lines(string(out)) {
		_, row, isRow := strings.Cut(line, "fleet: ")
		if !isRow {
			continue
		}
		var figures struct {
			Interval                                                                                    string
			SubAccounts                                                                                 int
			MeanPerSecond, PeakPerSecond, ThrottledPercent, FailedPercent, OldestIntervals, LatePercent float64
		}
		if err := json.Unmarshal([]byte(row), &figures); err != nil {
			b.Fatalf("%q: %v", row, err)
		}
		of := fmt.Sprintf(" (every %s, %d sub-accounts)", figures.Interval, figures.SubAccounts)
		r.add("requests/s"+of, figures.MeanPerSecond)
		r.add("peak requests/s"+of, figures.PeakPerSecond)
		r.add("throttled %"+of, figures.ThrottledPercent)
		r.add("failed polls %"+of, figures.FailedPercent)
		r.add("oldest data in intervals"+of, figures.OldestIntervals)
		r.add("polls later than 1.5 intervals %"+of, figures.LatePercent)
	}
	return r
}
