#!/usr/bin/env bash
# Copyright The image-catalog Authors.
# SPDX-License-Identifier: Apache-2.0

# Builds one pinned tool and links it as DEST, e.g.
#
#   install.sh sigs.k8s.io/kustomize/kustomize/v5 bin/tools/kustomize-v5.8.2
#
# What follows DEST goes to go build.
#
# Like the control plane, a tool is kept in a cache outside the checkout, where
# a clean clone finds it, and arrives there by a rename: never half of one.
set -euo pipefail

package=${1:?"say which package to build: install.sh PACKAGE DEST"}
dest=${2:?"say where the tool goes: install.sh PACKAGE DEST"}

mkdir -p "$(dirname "$dest")"
dest=$(cd "$(dirname "$dest")" && pwd -P)/$(basename "$dest")
cd "$(dirname "${BASH_SOURCE[0]}")"
export GOWORK=off CGO_ENABLED=0

# A tool's own dependencies and the compiler decide how it works (a linter reads
# what the compiler's release knows), so both are part of the name.
key=$({ cat go.sum; go env GOVERSION GOOS GOARCH; } | git hash-object --stdin | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/image-catalog-operator/tools/$key
name=$(basename "$dest")

if [[ ! -x $cache/$name ]]; then
	echo "tools: building $name (a minute or two, once)"
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/.build.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	# golangci-lint prints main.version; the others read their build information.
	go build -mod=readonly -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${name##*-v}" -o "$tmp/$name" "${@:3}" "$package"
	mv -f "$tmp/$name" "$cache/$name"
	echo "tools: built $name in ${SECONDS} s, kept in $cache"
fi
ln -sf "$cache/$name" "$dest"
