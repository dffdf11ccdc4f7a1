// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Plugin builds the kubectl plugin for every platform, and writes the archives of a release and a manifest for krew into dist.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	module   = "github.com/image-catalog/image-catalog-operator"
	releases = "https://" + module + "/releases/download/"
)

// manifest is what krew reads (krew.sigs.k8s.io, "Writing Krew plugin manifests").
type manifest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec spec `json:"spec"`
}

type spec struct {
	Version          string     `json:"version"`
	Homepage         string     `json:"homepage"`
	ShortDescription string     `json:"shortDescription"`
	Description      string     `json:"description"`
	Platforms        []platform `json:"platforms"`
}

type platform struct {
	Selector struct {
		MatchLabels labels `json:"matchLabels"`
	} `json:"selector"`
	URI    string `json:"uri"`
	SHA256 string `json:"sha256"`
	Bin    string `json:"bin"`
}

type labels struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

func main() {
	version := flag.String("version", "", "version of the release, such as v1.2.3")
	only := flag.String("only", "", "one platform, such as linux/amd64, instead of all")
	dist := flag.String("dist", "dist", "folder to write to")
	flag.Parse()
	if err := release(*version, *only, *dist); err != nil {
		fmt.Fprintln(os.Stderr, "plugin:", err)
		os.Exit(1)
	}
}

// release writes the archives and the manifest.
func release(version, only, dist string) error {
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+`).MatchString(version) {
		return fmt.Errorf("-version must be a release's, such as v1.2.3, got %q", version)
	}
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	var platforms []platform
	for _, os := range []string{"linux", "darwin", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			if only != "" && only != os+"/"+arch {
				continue
			}
			p, err := pack(labels{OS: os, Arch: arch}, version, dist)
			if err != nil {
				return fmt.Errorf("%s/%s: %w", os, arch, err)
			}
			platforms = append(platforms, p)
		}
	}
	content, err := yaml.Marshal(manifestOf(version, platforms))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dist, "imgq.yaml"), content, 0o644)
}

func manifestOf(version string, platforms []platform) manifest {
	m := manifest{APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin"}
	m.Metadata.Name = "imgq"
	m.Spec = spec{
		Version: version, Homepage: "https://" + module, Platforms: platforms,
		ShortDescription: "Preview and explain Tencent Cloud image queries",
		Description: "Shows what an ImageQuery of image-catalog-operator would select before it is applied,\n" +
			"with or without a cluster, and explains what the queries in a cluster select and why.\n",
	}
	return m
}

// pack builds the plugin for a platform and writes its archive.
func pack(l labels, version, dist string) (platform, error) {
	p := platform{Bin: "kubectl-imgq"}
	p.Selector.MatchLabels = l
	if l.OS == "windows" {
		p.Bin += ".exe"
	}
	folder, err := os.MkdirTemp("", "plugin-")
	if err != nil {
		return p, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	binary := filepath.Join(folder, p.Bin)
	flags := "-s -w -X " + module + "/controllers/command.version=" + version
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags", flags, "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+l.OS, "GOARCH="+l.Arch)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return p, err
	}
	archive, err := archiveOf(binary, "LICENSE")
	if err != nil {
		return p, err
	}
	name := strings.Join([]string{"kubectl-imgq", l.OS, l.Arch}, "-") + ".tar.gz"
	sum := sha256.Sum256(archive)
	p.URI, p.SHA256 = releases+version+"/"+name, hex.EncodeToString(sum[:])
	return p, os.WriteFile(filepath.Join(dist, name), archive, 0o644)
}

// archiveOf is a tar.gz of files. It has no times and no owners: equal files make equal archives.
func archiveOf(files ...string) ([]byte, error) {
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	archive := tar.NewWriter(compressed)
	for i, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		header := &tar.Header{Name: filepath.Base(file), Size: int64(len(content)), Mode: 0o644}
		if i == 0 {
			header.Mode = 0o755 // the binary
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
