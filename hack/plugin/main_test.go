// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
)

func TestAnArchiveHasTheBinaryFirstAndNoTimes(t *testing.T) {
	binary, license := filepath.Join(t.TempDir(), "kubectl-imgq"), filepath.Join(t.TempDir(), "LICENSE")
	for _, file := range []string{binary, license} {
		if err := os.WriteFile(file, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	archive, err := archiveOf(binary, license)
	if err != nil {
		t.Fatal(err)
	}
	again, err := archiveOf(binary, license)
	if err != nil || !bytes.Equal(archive, again) {
		t.Errorf("the same files make another archive: %v", err)
	}
	uncompressed, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(uncompressed)
	for name, mode := range map[string]int64{"kubectl-imgq": 0o755} {
		header, err := files.Next()
		if err != nil || header.Name != name || header.Mode != mode || header.ModTime.Unix() > 0 {
			t.Errorf("%+v, %v; want %s with the mode %o", header, err, name, mode)
		}
	}
	if header, err := files.Next(); err != nil || header.Name != "LICENSE" || header.Mode != 0o644 {
		t.Errorf("%+v, %v; want the licence", header, err)
	}
}

// What krew demands (krew.sigs.k8s.io, "Writing Krew plugin manifests"): a name as that of the file, a short description of
// at most 50 characters, and the file to run with its suffix.
func TestTheManifestIsKrews(t *testing.T) {
	m := manifestOf("v1.2.3", nil)
	if m.Metadata.Name != "imgq" || m.Spec.Version != "v1.2.3" || len(m.Spec.ShortDescription) > 50 {
		t.Errorf("%+v", m)
	}
	if err := release("1.2.3", "", t.TempDir()); err == nil {
		t.Error("a version without v was taken")
	}
}
