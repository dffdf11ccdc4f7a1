// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import "time"

// SetMetadataTimeout shortens the wait for a metadata service that doesn't answer.
func (p *Providers) SetMetadataTimeout(d time.Duration) { p.metadata.client.Timeout = d }

// SetIdle shortens the time for which keys are kept that nobody asks for.
func (p *Providers) SetIdle(d time.Duration) { p.known.Idle = d }

// Known is for how many places keys are kept.
func (p *Providers) Known() int { return p.known.Len() }
