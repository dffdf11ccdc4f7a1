// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import "time"

// SetMetadataTimeout shortens the wait for a metadata service that doesn't answer.
func (p *Providers) SetMetadataTimeout(d time.Duration) { p.metadata.client.Timeout = d }
