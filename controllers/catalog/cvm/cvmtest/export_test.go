// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

// Sign and CanonicalRequest let tests sign requests that no SDK sends. TestPublishedSignatures verifies them.
var (
	Sign = func(secretKey, canonical string, timestamp int64) string {
		return sign(tc3Service, secretKey, canonical, timestamp)
	}
	CanonicalRequest = canonicalRequest
)
