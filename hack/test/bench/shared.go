// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// sharedObjects are n queries of the same 1 000 images, created together: every object has n owners in the end.
func sharedObjects(b *bench, n int) *result {
	const images = 1000
	r := &result{N: n}
	b.fill(images)
	for range b.rounds {
		m := b.manager(unlimited...)
		etcd := b.written("etcd")
		u := b.during(b.servers().with("client", m.Pid()), func() {
			b.createAll(n, func(int, *imagev1alpha1.ImageQuery) {})
		})
		b.idle(m)
		all := b.scrape(m.Metrics)
		writes := all.sum("imagecatalog_cloudimage_writes_total")
		r.add("writes/(object and query)", writes/float64(images*n))
		r.add("conflicts %", 100*all.sum("imagecatalog_cloudimage_writes_total", "result", "conflict")/writes)
		r.add("MB written by etcd", (b.written("etcd")-etcd)/1e6)
		r.add("MB of etcd's database", b.database()/1e6)
		r.add("s until the last is synced", u.wall.Seconds())
		r.add("cpu-s", u.total())
		m.Stop()
		b.wipe()
	}
	return r
}

// written is how many bytes a server has written to files and sockets since its start.
func (b *bench) written(server string) float64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", b.ServerPid(server)))
	if err != nil {
		b.Fatalf("%v", err)
	}
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(line, "wchar: "); ok {
			bytes, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				b.Fatalf("%v", err)
			}
			return bytes
		}
	}
	b.Fatalf("/proc/<pid>/io of %s has no wchar", server)
	return 0
}

// database is the size of etcd's database. It never shrinks, so only the first round says what a scenario added to it.
func (b *bench) database() float64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", b.ServerPid("etcd")))
	if err != nil {
		b.Fatalf("%v", err)
	}
	for argument := range strings.SplitSeq(string(content), "\x00") {
		if folder, ok := strings.CutPrefix(argument, "--data-dir="); ok {
			file, err := os.Stat(filepath.Join(folder, "member", "snap", "db"))
			if err != nil {
				b.Fatalf("%v", err)
			}
			return float64(file.Size())
		}
	}
	b.Fatalf("etcd has no --data-dir")
	return 0
}
