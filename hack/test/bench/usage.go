// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit of /proc/<pid>/stat; Linux has had no other for user space since 2.6.
const ticksPerSecond = 100

// usage is what something took: time, and CPU seconds by process.
type usage struct {
	wall time.Duration
	cpu  map[string]float64
}

// total is the CPU time of all processes together.
func (u usage) total() float64 {
	var sum float64
	for _, seconds := range u.cpu {
		sum += seconds
	}
	return sum
}

// processes are those whose CPU time counts, by what they are called in a report.
type processes map[string]int

// during measures f.
func (p processes) during(f func()) (usage, error) {
	before, err := p.cpu()
	if err != nil {
		return usage{}, err
	}
	began := time.Now()
	f()
	wall := time.Since(began)
	after, err := p.cpu()
	for name := range after {
		after[name] -= before[name]
	}
	return usage{wall: wall, cpu: after}, err
}

func (p processes) cpu() (map[string]float64, error) {
	out := make(map[string]float64, len(p))
	for name, pid := range p {
		seconds, err := cpuOf(pid)
		if err != nil {
			return nil, fmt.Errorf("CPU time of %s: %w", name, err)
		}
		out[name] = seconds
	}
	return out, nil
}

// cpuOf is the CPU time of a process in user and kernel mode, children not counted.
func cpuOf(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name is in parentheses and may hold anything; utime and stime are the 12th and 13th field after it.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is cut short", pid)
	}
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return float64(ticks) / ticksPerSecond, nil
}
