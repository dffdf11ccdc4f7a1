#!/usr/bin/env bash
# Copyright The image-catalog Authors.
# SPDX-License-Identifier: Apache-2.0

# Refuses what a release would take by a tag, which its owner can move: actions of the workflows, and images of the Dockerfile and of the
# release workflow. A pin is a commit's or an image's digest.
#
#   pinned.sh [CHECKOUT]
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"

for file in Dockerfile .github/workflows/release.yml; do
	[[ -r $file ]] || {
		echo "$file can't be read, so nothing is known of what a release takes." >&2
		exit 1
	}
done
loose=$(
	# Local actions (./) are part of the commit, and so are read, too.
	grep -rnE --include='*.yml' --include='*.yaml' '^[ -]*uses: ' .github | grep -vE 'uses: (\./|[^ @]+@[0-9a-f]{40}( |$))' || true
	grep -HnE '^(ARG [A-Z]+_IMAGE=|FROM )' Dockerfile | grep -vE '@sha256:[0-9a-f]{64}( |$)|FROM (--platform=[^ ]+ )?\$\{[A-Z]+_IMAGE\}( |$)' || true
	grep -HnE '^COPY --from=[^ ]*[/:]|^# syntax=' Dockerfile | grep -vE '@sha256:[0-9a-f]{64}( |$)' || true
	# Without these BuildKit and its scanner come by tags of buildx's own.
	grep -HnE 'buildx create|--sbom=' .github/workflows/release.yml | grep -v 'driver-opt' || true
	grep -rnE --include='*.yml' --include='*.yaml' '(image|generator)=[a-z]' .github | grep -vE '(image|generator)=[^ ]+@sha256:[0-9a-f]{64}' || true
)
if [[ -n $loose ]]; then
	echo "A release takes nothing by a tag alone, since its owner can move it. Pin these by digest, with the tag beside it:" >&2
	echo "$loose" >&2
	exit 1
fi
