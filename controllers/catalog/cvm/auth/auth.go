// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package auth obtains the keys that requests to the cloud are signed with, and renews them before they end:
//
//	Keys → cached (one renewal for all who ask) → STS or the metadata service
//
// Unlike the SDK's providers, it bounds each renewal by a deadline, lets a waiter give up when its own context ends,
// calls STS in the configured region, and never returns expired keys. Package cvm classifies the errors.
package auth

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/expiring"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/secret"
)

// The identities that the environment provides.
const (
	// CVMRole is the role of the node.
	CVMRole = "cvm-role"
	// TKEOIDC is the role of the pod's ServiceAccount in TKE.
	TKEOIDC = "tke-oidc"
)

// Keys sign requests.
type Keys struct {
	SecretID, SecretKey secret.String

	// Token is set for temporary keys. Expires is when the cloud stops accepting them; zero means never.
	Token   secret.String
	Expires time.Time
}

// Identity is an identity to obtain keys for.
type Identity struct {
	// Source names the origin of the identity. There is one cached identity per Source; another one replaces it.
	Source string

	// Keys are the keys of the identity, before it assumes its roles. They are empty if Ambient is set.
	Keys    Keys
	Ambient string

	// Roles are assumed one after the other. Roles without an ARN are skipped.
	Roles [2]Role

	// AccountID, if set, is the account that the final keys must belong to. Other keys are not returned.
	AccountID string

	// Region, if set, is the region of STS for this identity. It doesn't apply to the pod's identity, which has its own
	// region.
	Region string
}

// Role is a role to assume, with the external ID that its trust policy may require.
type Role struct {
	ARN        string
	ExternalID secret.String
}

// Options configure Providers.
type Options struct {
	// Profile returns the SDK's profile for STS in a region: the endpoint, with all automatic behaviour disabled.
	Profile func(region string) *profile.ClientProfile

	// Transport sends requests to STS, and bounds and checks the answers.
	Transport http.RoundTripper

	// Region is the region of STS, unless the pod or the identity has its own.
	Region string

	// Metadata is the base URL of the metadata service.
	Metadata string

	// WebIdentity is the pod's identity, for TKEOIDC.
	WebIdentity WebIdentity

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Providers obtains and caches keys. It is safe for concurrent use.
type Providers struct {
	sts         sts
	metadata    metadata
	webIdentity WebIdentity
	now         func() time.Time

	mu    sync.Mutex
	known expiring.Map[cacheKey, entry]
}

// cacheKey identifies cached keys by source, region of STS, number of assumed roles, and whether their account was
// checked.
type cacheKey struct {
	source  string
	region  string
	roles   int
	checked bool
}

type entry struct {
	question secret.Box[Identity]
	*cached
}

// New returns Providers.
func New(o Options) *Providers {
	if o.Now == nil {
		o.Now = time.Now
	}
	region := o.Region
	if o.WebIdentity.Region != "" {
		region = o.WebIdentity.Region
	}
	return &Providers{
		sts:         sts{profile: o.Profile, transport: o.Transport, region: region, now: o.Now},
		metadata:    newMetadata(o.Metadata),
		webIdentity: o.WebIdentity,
		now:         o.Now,
	}
}

// Keys returns keys that are valid for at least a minute, or an *Error. It waits until ctx ends at the latest.
func (p *Providers) Keys(ctx context.Context, id Identity) (Keys, error) {
	return p.provider(id, rolesOf(id), id.AccountID)(ctx)
}

// Refused reports that the cloud rejected the identity's keys, e.g. because they were revoked. They are renewed on the
// next call, unless they are new, since other new keys would be rejected too.
func (p *Providers) Refused(id Identity) {
	for at, e := range p.known.All() {
		if at.source == id.Source || at.source == id.Ambient {
			e.refused()
		}
	}
}

// provider obtains keys.
type provider func(ctx context.Context) (Keys, error)

// provider returns the provider for an identity with some of its roles assumed. If an account is given, the keys must
// belong to it.
func (p *Providers) provider(id Identity, roles []Role, account string) provider {
	question := Identity{Keys: id.Keys, Ambient: id.Ambient, AccountID: account}
	copy(question.Roles[:], roles)
	if n := len(roles); n > 0 {
		base := p.provider(id, roles[:n-1], "")
		return p.cached(cacheKey{id.Source, id.Region, n, account != ""}, AssumedRole, question, func(ctx context.Context) (Keys, error) {
			keys, err := base(ctx)
			if err != nil {
				return Keys{}, err
			}
			return p.sts.in(id.Region).assumeRole(ctx, keys, roles[n-1])
		})
	}
	// All sources share one ambient identity of a kind.
	at := cacheKey{source: id.Ambient, checked: account != ""}
	if at.checked {
		at.region = id.Region
	}
	given := func(context.Context) (Keys, error) { return id.Keys, nil }
	switch {
	case id.Ambient == "" && account == "":
		return given
	case id.Ambient == "":
		return p.cached(cacheKey{id.Source, id.Region, 0, true}, CallerIdentity, question, given)
	case id.Ambient == CVMRole:
		return p.cached(at, CVMRole, question, p.metadata.keys)
	case id.Ambient == TKEOIDC:
		return p.cached(at, TKEOIDC, question, func(ctx context.Context) (Keys, error) { return p.sts.assumeWithWebIdentity(ctx, p.webIdentity) })
	}
	return func(context.Context) (Keys, error) { return Keys{}, &Error{Provider: id.Ambient, Code: CodeNoProvider} }
}

// ownedBy wraps fetch to check that the keys belong to an account. Keys never change their account, so each are checked
// once.
func (p *Providers) ownedBy(account, region string, fetch provider) provider {
	if account == "" {
		return fetch
	}
	var asked secret.Box[Keys]
	var owner string
	return func(ctx context.Context) (Keys, error) {
		keys, err := fetch(ctx)
		if err != nil {
			return Keys{}, err
		}
		if asked == nil || asked() != keys {
			if owner, err = p.sts.in(region).callerIdentity(ctx, keys); err != nil {
				asked = nil
				return Keys{}, err
			}
			asked = secret.Hide(keys)
		}
		if owner != account {
			return Keys{}, &Error{Provider: CallerIdentity, Code: CodeOtherAccount, Owner: owner, Want: account}
		}
		return keys, nil
	}
}

// cached returns the cached provider for a key, replaced if the question differs. Unused keys expire, whatever their
// remaining validity.
func (p *Providers) cached(at cacheKey, name string, question Identity, fetch provider) provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.known.Get(at)
	if !ok || e.question() != question {
		e = entry{
			question: secret.Hide(question),
			cached:   &cached{name: name, fetch: p.ownedBy(question.AccountID, at.region, fetch), now: p.now},
		}
		p.known.Set(at, e)
	}
	return e.get
}

func rolesOf(id Identity) []Role {
	return slices.DeleteFunc(slices.Clone(id.Roles[:]), func(r Role) bool { return r.ARN == "" })
}
