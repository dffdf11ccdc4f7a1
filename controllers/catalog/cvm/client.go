// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cvm lists the images of Tencent Cloud's CVM. It is the only package that knows the cloud and its SDK:
//
//	List → listing (pages, checked) → limit (one token per page, listings by turns) → auth (keys) → SDK (signs) → transport (guards) → cloud
//
// It returns catalog's types, and errors as *catalog.Error, classified in errors.go.
package cvm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/expiring"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/secret"
)

const (
	// DefaultEndpoint is the host of the nearest gateway. The requested region is sent in a header.
	DefaultEndpoint = "cvm.tencentcloudapi.com"

	// DefaultSTS is the default host of STS, which issues the keys of roles.
	DefaultSTS = "sts.tencentcloudapi.com"

	// DefaultMetadata is the metadata service of a node: the address of metadata.tencentyun.com, so that DNS can't redirect it.
	DefaultMetadata = "http://169.254.0.23"

	// metadataName is its documented name.
	metadataName = "metadata.tencentyun.com"

	// defaultSTSRegion is the region of STS unless another is configured. Roles belong to no region.
	defaultSTSRegion = "ap-guangzhou"
)

// requestTimeout bounds one request as a whole, so that slow responses are cut off as well as silent servers. The API answers a
// page within a second.
const requestTimeout = 20 * time.Second

// requestClient identifies the operator's requests in the cloud's audit trail. The SDK drops names with a '/'.
const requestClient = "image-catalog-operator"

// Options configure a Client.
type Options struct {
	// Endpoint is the host of the API, with https:// or without; http:// is accepted for a loopback address only. {region} in
	// it is replaced by the requested region. Defaults to DefaultEndpoint, and for each finance region to its own host.
	Endpoint string

	// QPS and Burst bound the requests per second of each credential source at each host. The cloud's own limit is 40 per API,
	// gateway region and sub-account, shared by all its clients. Defaults to 10 and 10.
	QPS   float64
	Burst int

	// STS is the host of STS, written like Endpoint. Defaults to DefaultSTS.
	STS string

	// Metadata is the address of the node's metadata service. Defaults to DefaultMetadata.
	Metadata string

	// WebIdentity is the pod's identity in TKE, for accounts with Ambient auth.TKEOIDC.
	WebIdentity auth.WebIdentity
}

// Client lists images with the SDK. It is safe for concurrent use.
type Client struct {
	// Progress, if set before the first call, is called after each page with how many images of a listing were read and how many there
	// are, concurrently for several pages.
	Progress func(read, total int)

	endpoint  endpoint
	sts       endpoint
	transport http.RoundTripper
	limits    *limits
	meter     *meter
	keys      *auth.Providers

	mu      sync.Mutex
	clients expiring.Map[clientKey, cachedClient]
}

var _ catalog.Lister = &Client{}

// There is one SDK client per source of keys and region. Rotated keys replace the client, and unused clients expire, so the
// cache is bounded by the sources and regions in use.
type clientKey struct{ source, region string }

type cachedClient struct {
	keys secret.Box[auth.Keys]
	sdk  *sdk.Client
}

// New returns a Client, or an error that explains how to write an endpoint.
func New(o Options) (*Client, error) {
	o.Endpoint, o.STS, o.Metadata = cmp.Or(o.Endpoint, DefaultEndpoint), cmp.Or(o.STS, DefaultSTS), cmp.Or(o.Metadata, DefaultMetadata)
	o.QPS, o.Burst = cmp.Or(o.QPS, 10), cmp.Or(o.Burst, 10)
	if o.QPS < 0 || o.Burst < 0 {
		return nil, fmt.Errorf("requests per second and burst must be positive, got %v and %d", o.QPS, o.Burst)
	}
	e, err := parseEndpoint(o.Endpoint, DefaultEndpoint)
	if err != nil {
		return nil, fmt.Errorf("--cvm-endpoint: %w", err)
	}
	sts, err := parseEndpoint(o.STS, DefaultSTS)
	if err != nil {
		return nil, fmt.Errorf("--sts-endpoint: %w", err)
	}
	metadata, err := parseMetadata(o.Metadata)
	if err != nil {
		return nil, fmt.Errorf("--metadata-endpoint: %w", err)
	}
	m := newMeter()
	transport := newTransport(m)
	return &Client{
		endpoint:  e,
		sts:       sts,
		transport: transport,
		keys: auth.New(auth.Options{
			Profile:   func(region string) *profile.ClientProfile { return newProfile(sts.in(region)) },
			Transport: transport, Region: cmp.Or(regionOf(sts.host), defaultSTSRegion),
			Metadata: metadata, WebIdentity: o.WebIdentity,
		}),
		limits: newLimits(o.QPS, o.Burst, m),
		meter:  m,
	}, nil
}

// List implements catalog.Lister.
func (c *Client) List(ctx context.Context, account catalog.Account, query catalog.Query) (catalog.Listing, error) {
	if !fitsHost.MatchString(query.Region) {
		return catalog.Listing{}, &catalog.Error{Kind: catalog.Invalid, Message: badRegion}
	}
	l := &lister{
		bucket: c.limits.bucket(bucketOf(account.Source, c.endpoint.in(query.Region).host)),
		client: func(ctx context.Context) (*sdk.Client, error) { return c.client(ctx, account, query.Region) },
	}
	var read atomic.Int64
	pages := func(ctx context.Context, offset int) (page, error) {
		p, err := l.fetch(ctx, query, span{offset, pageSize})
		if err == nil && c.Progress != nil {
			c.Progress(int(read.Add(int64(len(p.images)))), p.total)
		}
		return p, err
	}
	var untyped countFunc
	if query.InstanceType != "" {
		untyped = func(ctx context.Context) (int, error) {
			query := query
			query.InstanceType = ""
			p, err := l.fetch(ctx, query, span{0, 1})
			return p.total, err
		}
	}
	listing, err := list(ctx, pages, untyped)
	if isTagKeyNotFound(err) {
		return catalog.Listing{TagKeyNotFound: true}, nil
	}
	if failure := (*catalog.Error)(nil); errors.As(err, &failure) && failure.Kind == catalog.Unauthenticated {
		c.keys.Refused(c.identityOf(account, query.Region))
	}
	return listing, c.endpoint.explain(err, query.Region)
}

// client returns the SDK client of an account and a region. It is called for each page, because a long listing may outlive
// temporary keys.
func (c *Client) client(ctx context.Context, account catalog.Account, region string) (*sdk.Client, error) {
	if !sendable(account.SecretID) || !sendable(account.Token) {
		v := judge(codeCredential)
		return nil, &catalog.Error{Kind: v.kind, Code: codeCredential, Message: v.message}
	}
	keys, err := c.keys.Keys(ctx, c.identityOf(account, region))
	if err != nil {
		return nil, classify(err)
	}
	key := clientKey{source: account.Source, region: region}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cached, ok := c.clients.Get(key); ok && cached.keys() == keys {
		return cached.sdk, nil
	}
	credential := common.NewTokenCredential(keys.SecretID.Reveal(), keys.SecretKey.Reveal(), keys.Token.Reveal())
	client, err := sdk.NewClient(credential, region, newProfile(c.endpoint.in(region)))
	if err != nil {
		return nil, classify(err)
	}
	client.WithRequestClient(requestClient)
	client.WithHttpTransport(c.transport)
	c.clients.Set(key, cachedClient{keys: secret.Hide(keys), sdk: client})
	return client, nil
}

// identityOf converts an account to an auth.Identity for requests to a region.
func (c *Client) identityOf(a catalog.Account, region string) auth.Identity {
	id := auth.Identity{
		Source: a.Source, Keys: auth.Keys{SecretID: a.SecretID, SecretKey: a.SecretKey, Token: a.Token}, Ambient: a.Ambient,
		AccountID: a.AccountID,
	}
	for i, role := range a.Roles {
		id.Roles[i] = auth.Role(role)
	}
	if c.sts.in(region) != c.sts {
		id.Region = region
	}
	return id
}

// sendable reports whether a part of a key is valid in a header. A line break in it would otherwise look like a network
// failure.
func sendable(s catalog.Secret) bool {
	return !strings.ContainsFunc(s.Reveal(), func(r rune) bool { return r < ' ' || r > '~' })
}

// newProfile disables everything that the SDK would do on its own: retries consume the rate limit unnoticed and sleep without
// checking the context, the region breaker counts successes as failures, debug output prints signatures. The names of public
// images are localised, so the language is fixed.
func newProfile(e endpoint) *profile.ClientProfile {
	p := profile.NewClientProfile()
	p.HttpProfile.Endpoint = e.host
	p.HttpProfile.Scheme = e.scheme
	p.HttpProfile.ReqTimeout = int(requestTimeout / time.Second)
	p.Language = "en-US"
	p.NetworkFailureMaxRetries = 0
	p.RateLimitExceededMaxRetries = 0
	p.DisableRegionBreaker = true
	p.Debug = false
	return p
}
