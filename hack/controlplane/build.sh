#!/usr/bin/env bash
# Copyright The image-catalog Authors.
# SPDX-License-Identifier: Apache-2.0

# Puts etcd, kube-apiserver, kube-controller-manager and kubectl, or those of
# them that are named, into DEST as links to a cache outside the checkout.
#
#   [KUBERNETES=1.31] build.sh DEST [NAME...]
#
# KUBERNETES chooses an older version: a folder here, with a go.mod of its own.
# Compiling all four takes minutes, so a finished binary is kept by version and
# module sums, where a clean clone finds it. Each one arrives there by a rename:
# whatever is in the cache is whole, however many builds ran or died.
set -euo pipefail

dest=${1:?"say which folder gets the binaries: build.sh DEST [NAME...]"}
shift
names=("$@")
if ((${#names[@]} == 0)); then names=(etcd kube-apiserver kube-controller-manager kubectl); fi

mkdir -p "$dest"
dest=$(cd "$dest" && pwd -P)
cd "$(dirname "${BASH_SOURCE[0]}")"
if [[ -n ${KUBERNETES:-} ]]; then
	[[ -f $KUBERNETES/go.mod ]] || {
		echo "build.sh knows no Kubernetes '$KUBERNETES': name one of" */go.mod "without /go.mod, or none for the newest" >&2
		exit 1
	}
	cd "$KUBERNETES"
fi
export GOWORK=off CGO_ENABLED=0

package() {
	case $1 in
	etcd) echo go.etcd.io/etcd/server/v3 ;;
	kube-apiserver | kube-controller-manager | kubectl) echo "k8s.io/kubernetes/cmd/$1" ;;
	*)
		echo "build.sh knows no binary '$1': name etcd, kube-apiserver, kube-controller-manager or kubectl" >&2
		return 1
		;;
	esac
}
for name in "${names[@]}"; do package "$name" >/dev/null; done

version=$(sed -n 's|.*k8s\.io/kubernetes \(v[0-9][^ ]*\).*|\1|p' go.mod)
minor=${version#v*.}
ldflags="-s -w"
# The API server tells its clients this version and kubectl compares it with its
# own; without it both say v0.0.0-master.
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	ldflags+=" -X $package.gitVersion=$version -X $package.gitMajor=${version:1:1} -X $package.gitMinor=${minor%%.*}"
	ldflags+=" -X $package.gitTreeState=clean"
done

# What decides about the binaries is in the key, but for the Go toolchain: a new
# one is no reason to make everybody compile Kubernetes again.
sums=$({
	cat go.sum
	echo "$ldflags"
} | git hash-object --stdin | cut -c1-12)
root=${XDG_CACHE_HOME:-$HOME/.cache}/image-catalog-operator/controlplane
cache=$root/$version-$sums-$(go env GOOS)-$(go env GOARCH)
mkdir -p "$cache"

missing() {
	local name
	for name in "${names[@]}"; do
		[[ -x $cache/$name ]] || echo "$name"
	done
}

# go build is silent for minutes; a line every ten seconds tells that it lives.
progress() {
	local total=$1 count=0 next=$((SECONDS + 10)) line
	while IFS= read -r line; do
		if [[ $line =~ ^[a-zA-Z0-9_.~+/-]+$ ]]; then
			count=$((count + 1))
		else
			echo "  $line" # not a package's name: a warning or an error
		fi
		if ((SECONDS >= next)); then
			echo "  control plane: $count packages compiled, $total at most, ${SECONDS} s"
			next=$((SECONDS + 10))
		fi
	done
}

build() {
	local packages=() name total
	for name in "$@"; do packages+=("$(package "$name")"); done
	echo "control plane $version: building $* (all four take about 5 minutes on 2 cores, once)"
	# Only what is compiled is fetched: the module graph has far more.
	total=$(go list -mod=readonly -deps "${packages[@]}" | wc -l | tr -d ' ')
	temporary=$(mktemp -d "$cache/.build.XXXXXX")
	go build -mod=readonly -trimpath -buildvcs=false -v -ldflags "$ldflags" -o "$temporary/" "${packages[@]}" 2>&1 | progress "$total"
	if [[ -e $temporary/server ]]; then mv "$temporary/server" "$temporary/etcd"; fi
	for name in "$@"; do mv -f "$temporary/$name" "$cache/$name"; done
	echo "control plane $version: built in ${SECONDS} s, kept in $cache"
}

# The lock saves work, it doesn't guard correctness: a second make waits instead
# of compiling the same on the same cores, and a lock whose owner died is broken.
lock=$cache/.lock
locked=
temporary=
cleanup() {
	[[ -z $temporary ]] || rm -rf "$temporary"
	[[ -z $locked ]] || rm -rf "$lock"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

while [[ -n $(missing) ]]; do
	if mkdir "$lock" 2>/dev/null; then
		locked=yes
		echo $$ >"$lock/owner"
		rm -rf "$cache"/.build.* # of an owner that was killed
		# shellcheck disable=SC2046 # one word per binary
		build $(missing)
		break
	fi
	echo "control plane $version: another make is building it, waiting (${SECONDS} s)"
	sleep 5
	owner=$(cat "$lock/owner" 2>/dev/null || true)
	# Half an hour is more than any build takes: the number now is another process's.
	if [[ -z $owner ]] || ! kill -0 "$owner" 2>/dev/null || ((SECONDS > 1800)); then rm -rf "$lock"; fi
done

for name in "${names[@]}"; do ln -sf "$cache/$name" "$dest/$name"; done
