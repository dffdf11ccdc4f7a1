// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package auth obtains the keys that requests to the cloud are signed with, and renews them before they end:
//
//	Keys → cached (one renewal for all who ask) → STS or the metadata service
//
// It does what the SDK's providers do not: a renewal has a deadline, a waiter leaves when its own context ends, STS is
// asked in the region that is configured, and keys that have ended are never handed out. What a failure means for the
// user is decided in cvm.
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

// The identities that the operator finds where it runs.
const (
	// CVMRole is the role that is bound to the node.
	CVMRole = "cvm-role"
	// TKEOIDC is the role of the pod's ServiceAccount in TKE.
	TKEOIDC = "tke-oidc"
)

// Keys sign requests.
type Keys struct {
	SecretID, SecretKey secret.String

	// Token belongs to temporary keys, and Expires is when the cloud stops to accept them; zero is never.
	Token   secret.String
	Expires time.Time
}

// Identity says whose keys are asked for.
type Identity struct {
	// Source names where the identity is written down. There is one renewal for each; another identity of the same
	// Source replaces the former.
	Source string

	// Keys are the identity, or what assumes its roles; empty if Ambient says so.
	Keys    Keys
	Ambient string

	// Roles are assumed one after the other; those without ARN are left out.
	Roles [2]Role

	// AccountID, if set, is the account that the last keys must belong to: others are not handed out.
	AccountID string

	// Region, if set, is the one in which STS is asked for this identity; what the pod's identity gives aside, which has a
	// region of its own.
	Region string
}

// Role is a role that is assumed, with the word that its owner may demand for it.
type Role struct {
	ARN        string
	ExternalID secret.String
}

// Options configure Providers.
type Options struct {
	// Profile is how the SDK asks STS in a region: the endpoint, and everything switched off that would act on its own.
	Profile func(region string) *profile.ClientProfile

	// Transport carries requests to STS; it bounds and checks what is answered.
	Transport http.RoundTripper

	// Region is the one in which STS is asked, unless the pod or the identity has one of its own.
	Region string

	// Metadata is the base URL of the metadata service.
	Metadata string

	// WebIdentity is the pod's identity, for TKEOIDC.
	WebIdentity WebIdentity

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Providers hands out keys. It is safe for concurrent use.
type Providers struct {
	sts         sts
	metadata    metadata
	webIdentity WebIdentity
	now         func() time.Time

	mu    sync.Mutex
	known expiring.Map[place, entry]
}

// place is where keys are kept: a source, where STS is asked, how many of its roles were assumed for them, and whether
// their account is known to be the right one.
type place struct {
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

// Keys returns keys that are good for a minute at least, or an *Error. It waits until ctx ends at the longest.
func (p *Providers) Keys(ctx context.Context, id Identity) (Keys, error) {
	return p.provider(id, rolesOf(id), id.AccountID)(ctx)
}

// Refused says that the cloud doesn't accept the identity's keys, which may have been revoked. Others are obtained
// the next time, unless these are new: new ones would be refused just the same.
func (p *Providers) Refused(id Identity) {
	for at, e := range p.known.All() {
		if at.source == id.Source || at.source == id.Ambient {
			e.refused()
		}
	}
}

// provider obtains keys.
type provider func(ctx context.Context) (Keys, error)

// provider obtains the keys of an identity that has assumed some of its roles. With an account, they must belong to it.
func (p *Providers) provider(id Identity, roles []Role, account string) provider {
	question := Identity{Keys: id.Keys, Ambient: id.Ambient, AccountID: account}
	copy(question.Roles[:], roles)
	if n := len(roles); n > 0 {
		base := p.provider(id, roles[:n-1], "")
		return p.cached(place{id.Source, id.Region, n, account != ""}, AssumedRole, question, func(ctx context.Context) (Keys, error) {
			keys, err := base(ctx)
			if err != nil {
				return Keys{}, err
			}
			return p.sts.in(id.Region).assumeRole(ctx, keys, roles[n-1])
		})
	}
	// However many sources build on it, there is one ambient identity of a kind.
	at := place{source: id.Ambient, checked: account != ""}
	if at.checked {
		at.region = id.Region
	}
	given := func(context.Context) (Keys, error) { return id.Keys, nil }
	switch {
	case id.Ambient == "" && account == "":
		return given
	case id.Ambient == "":
		return p.cached(place{id.Source, id.Region, 0, true}, CallerIdentity, question, given)
	case id.Ambient == CVMRole:
		return p.cached(at, CVMRole, question, p.metadata.keys)
	case id.Ambient == TKEOIDC:
		return p.cached(at, TKEOIDC, question, func(ctx context.Context) (Keys, error) { return p.sts.assumeWithWebIdentity(ctx, p.webIdentity) })
	}
	return func(context.Context) (Keys, error) { return Keys{}, &Error{Provider: id.Ambient, Code: CodeNoProvider} }
}

// ownedBy is fetch for keys that must belong to an account. Whose they are never changes, so it is asked once for each.
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

// cached is the renewal that is kept at a place for a question, begun anew when the question is another one. Keys that
// nobody asks for any more go, whatever time they have left.
func (p *Providers) cached(at place, name string, question Identity, fetch provider) provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.known.Get(at)
	if !ok || e.question() != question {
		e = entry{question: secret.Hide(question), cached: &cached{name: name, fetch: p.ownedBy(question.AccountID, at.region, fetch), now: p.now}}
		p.known.Set(at, e)
	}
	return e.get
}

func rolesOf(id Identity) []Role {
	return slices.DeleteFunc(slices.Clone(id.Roles[:]), func(r Role) bool { return r.ARN == "" })
}
