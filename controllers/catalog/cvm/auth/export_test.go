// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import "time"

// SetMetadataTimeout shortens the timeout of the metadata service.
func (p *Providers) SetMetadataTimeout(d time.Duration) { p.metadata.client.Timeout = d }

// SetIdle shortens how long unused keys are kept.
func (p *Providers) SetIdle(d time.Duration) { p.known.Idle = d }

// Known returns the number of cached identities.
func (p *Providers) Known() int { return p.known.Len() }
