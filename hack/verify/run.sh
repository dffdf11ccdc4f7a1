#!/usr/bin/env bash
# Copyright The image-catalog Authors.
# SPDX-License-Identifier: Apache-2.0

# The checks of "make verify", one after the other, each with its name and how it
# ended. All of them run even if an early one fails: one run tells everything.
#
#   run.sh MODULE...     the folders that hold a go.mod
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
modules=("$@")
failed=()

check() {
	local name=$1 start=$SECONDS
	shift
	echo "verify: $name ..."
	if "$@"; then
		echo "verify: $name: ok ($((SECONDS - start)) s)"
	else
		echo "verify: $name: FAILED ($((SECONDS - start)) s)"
		failed+=("$name")
	fi
}

lint() { make --no-print-directory lint; }

# What make generate and make manifests write.
generated=(':(glob)api/*/zz_generated.*' ':(glob)api/*/applyconfiguration/**' config/crd/bases config/rbac docs/reference.md docs/metrics.md docs/flags.md config/chart/README.md)

# Names and contents, new files included, so that a generated file that was never
# committed counts; and only of these paths, so that work in progress doesn't.
snapshot() {
	git status --porcelain --untracked-files=all -- "${generated[@]}"
	git ls-files --cached --others --exclude-standard -- "${generated[@]}" | sort -u | while IFS= read -r file; do
		if [[ -e $file ]]; then echo "$(git hash-object -- "$file") $file"; else echo "gone $file"; fi
	done
}

generated_files() {
	local before after
	before=$(snapshot) || return 1
	make --no-print-directory generate manifests || return 1
	after=$(snapshot) || return 1
	[[ $before == "$after" ]] && return 0
	diff <(echo "$before") <(echo "$after") | sed -n 's/^[<>].* /  /p' | sort -u
	echo "These generated files were not up to date and now are: review them and commit them with your change."
	return 1
}

tidy() {
	local module status=0
	for module in "${modules[@]}"; do
		# The first lines tell enough: a new dependency moves hundreds in go.sum.
		(cd "$module" && go mod tidy -diff | sed -n 1,40p) || {
			echo "Run go mod tidy in $module and commit what it changes."
			status=1
		}
	done
	return $status
}

repository() { go test ./hack/verify/...; }

check "lint" lint
check "generated files" generated_files
check "tidy modules" tidy
check "repository (hack/verify)" repository

if ((${#failed[@]} > 0)); then
	printf 'verify: failed: %s\n' "${failed[@]}"
	exit 1
fi
echo "verify: all checks passed"
