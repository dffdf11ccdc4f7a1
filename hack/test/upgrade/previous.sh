#!/usr/bin/env bash
# Copyright The image-catalog Authors.
# SPDX-License-Identifier: Apache-2.0

# Prints the commit of the previous release: of the last tag before HEAD that is no pre-release, or until there is one, of the
# state that users may have had before the first release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

before_the_first=91759380b9827991682be835d8dd58144fb8e70a
# A shallow clone may lack the tag, so there no tag doesn't mean no release.
if previous=$(git describe --tags --abbrev=0 --match='v[0-9]*' --exclude='*-*' HEAD^ 2>/dev/null); then
	:
elif [[ $(git rev-parse --is-shallow-repository) == false ]]; then
	previous=$before_the_first
fi
if [[ -z $previous ]] || ! git rev-parse --quiet --verify "$previous^{commit}"; then
	echo "The previous release is not in this copy of the repository. A shallow clone gets it by:" >&2
	echo "git fetch --unshallow --tags" >&2
	exit 1
fi
