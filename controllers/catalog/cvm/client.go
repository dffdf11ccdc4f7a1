// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cvm lists the images of Tencent Cloud's CVM. It is the only package that knows the cloud and its SDK:
//
//	List → listing (pages, checked) → limit (one token per page) → SDK (signs) → transport (guards) → cloud
//
// What goes up are catalog's types; what fails goes up as a *catalog.Error whose class is decided in errors.go.
package cvm

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// DefaultEndpoint is the host of the nearest gateway; the region asked for travels in a header.
const DefaultEndpoint = "cvm.tencentcloudapi.com"

// requestTimeout bounds one request as a whole, so a server that drips is cut off as well as one that is silent.
// The API answers a page within a second.
const requestTimeout = 20 * time.Second

// requestClient is how requests name themselves in the cloud's audit trail. The SDK drops names with a '/'.
const requestClient = "image-catalog-operator"

// Options configure a Client.
type Options struct {
	// Endpoint is the API's host, with https:// or without; http:// is accepted for a loopback address only.
	// Default DefaultEndpoint.
	Endpoint string

	// QPS and Burst bound the requests per second of each credential source. The cloud's own limit is 40 for an
	// account, shared by everything that uses it. Default 10 and 10.
	QPS   float64
	Burst int
}

// Client lists images over the SDK. It is safe for concurrent use.
type Client struct {
	endpoint  endpoint
	transport http.RoundTripper
	limits    limits
	meter     *meter

	mu      sync.Mutex
	clients map[clientKey]cachedClient
}

var _ catalog.Lister = &Client{}

// An SDK client belongs to one source of keys and one region. Rotated keys replace the client instead of adding one,
// so the cache is bounded by the sources and regions in use.
type clientKey struct{ source, region string }

type cachedClient struct {
	account catalog.Account
	sdk     *sdk.Client
}

// New returns a Client, or an error that says how the endpoint must be written.
func New(o Options) (*Client, error) {
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	if o.QPS == 0 {
		o.QPS = 10
	}
	if o.Burst == 0 {
		o.Burst = 10
	}
	if o.QPS < 0 || o.Burst < 0 {
		return nil, fmt.Errorf("requests per second and burst must be positive, got %v and %d", o.QPS, o.Burst)
	}
	e, err := parseEndpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	m := newMeter()
	return &Client{
		endpoint:  e,
		transport: newTransport(m),
		limits:    limits{qps: o.QPS, burst: o.Burst, meter: m},
		meter:     m,
		clients:   map[clientKey]cachedClient{},
	}, nil
}

// List implements catalog.Lister.
func (c *Client) List(ctx context.Context, account catalog.Account, query catalog.Query) (catalog.Listing, error) {
	client, err := c.client(account, query.Region)
	if err != nil {
		return catalog.Listing{}, err
	}
	bucket := c.limits.bucket(account.Source)
	listing, err := list(ctx, func(ctx context.Context, offset int) (page, error) {
		return fetch(ctx, client, bucket, query, offset)
	})
	if isTagKeyNotFound(err) {
		return catalog.Listing{TagKeyNotFound: true}, nil
	}
	return listing, err
}

// client returns the SDK's client for these keys and region.
func (c *Client) client(account catalog.Account, region string) (*sdk.Client, error) {
	if !sendable(account.SecretID) || !sendable(account.Token) {
		v := judge(codeCredential)
		return nil, &catalog.Error{Kind: v.kind, Code: codeCredential, Message: v.message}
	}
	key := clientKey{source: account.Source, region: region}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cached, ok := c.clients[key]; ok && cached.account == account {
		return cached.sdk, nil
	}
	credential := common.NewTokenCredential(account.SecretID.Reveal(), account.SecretKey.Reveal(), account.Token.Reveal())
	client, err := sdk.NewClient(credential, region, c.profile())
	if err != nil {
		return nil, classify(err)
	}
	client.WithRequestClient(requestClient)
	client.WithHttpTransport(c.transport)
	c.clients[key] = cachedClient{account: account, sdk: client}
	return client, nil
}

// sendable says whether a part of a key fits into a header. One with a line's end in it would look like a network that
// doesn't work.
func sendable(s catalog.Secret) bool {
	return !strings.ContainsFunc(s.Reveal(), func(r rune) bool { return r < ' ' || r > '~' })
}

// profile switches off everything in the SDK that would act on its own: retries would spend the budget unseen and
// sleep without looking at the context, the region breaker counts successes as failures, debug prints signatures.
// Names of public images are localised, and only one language may ever be stored.
func (c *Client) profile() *profile.ClientProfile {
	p := profile.NewClientProfile()
	p.HttpProfile.Endpoint = c.endpoint.host
	p.HttpProfile.Scheme = c.endpoint.scheme
	p.HttpProfile.ReqTimeout = int(requestTimeout / time.Second)
	p.Language = "en-US"
	p.NetworkFailureMaxRetries = 0
	p.RateLimitExceededMaxRetries = 0
	p.DisableRegionBreaker = true
	p.Debug = false
	return p
}
